//! What the engine knows of an optimizer: its hyperparameters, and the scalars that it makes for each step.
//!
//! An optimizer's hyperparameters are a type of its own, so that a file in `rule/` reads like the paper. The engine is
//! compiled once for each type of the weights, for all optimizers: it holds a group's hyperparameters
//! behind [`AnyHyperparameters`], and the scalars of a group's step behind [`AnyScalars`].

#![expect(clippy::indexing_slicing, reason = "a plan's entries are counted as they are added")]

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::error::Result;
use crate::float::{Cases, Float, Real};
use crate::kernel::column::{Column, Extent, Matrices};
use crate::number::Number;
use crate::task::AnyRule;

use super::whole::{Parameter, Prepared};

/// An optimizer's options, and how they become a rule: what a file in `rule/` implements.
pub(crate) trait Hyperparameters: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The scalars of one step, worked out in f64 and rounded once per group and
    /// distinct step count.
    type Scalars<T: Real>: Copy + Debug + Send + Sync;

    /// Checks that every option is in its range.
    fn check(&self) -> Result<()>;

    /// Returns the options under the names of their setters, as tables show them and as a
    /// [state](crate::state) keeps them. What is off is left out.
    fn list(&self) -> Vec<Setting>;

    /// Returns the columns of state that a parameter of these axes has: first those with a number
    /// for each weight, in the order in which the rule reads them.
    fn columns(&self, of: Matrices) -> Vec<Column>;

    /// Returns what kind of parameter this optimizer needs, if it cannot update one of these axes.
    fn refuses(&self, _of: Matrices) -> Option<&'static str> {
        None
    }

    /// Returns the extents of the columns that [`prepare`](Self::prepare) leaves for
    /// this step only. The rule reads the columns of state that have a number for each
    /// weight, and then these.
    fn work(&self, _of: Matrices) -> Vec<Extent> {
        Vec::new()
    }

    /// Returns the scalars at learning rate `lr` for a parameter's update number `t`, the first
    /// being 1. `kept` holds the numbers that the parameter keeps, its columns of one, and is
    /// changed to what it keeps after this step.
    fn scalars<T: Real>(&self, lr: f64, t: u64, kept: &mut Kept<T>) -> Result<Self::Scalars<T>>;

    /// Returns bounds on what a step can make, when no gradient that the parameter has seen was
    /// larger than `g`.
    fn reach<T: Real>(&self, scalars: &Self::Scalars<T>, g: f64) -> Reach;

    /// Returns the rule of this step for a parameter of these axes.
    fn rule<'a, T: Real>(&self, scalars: &'a Self::Scalars<T>, of: Matrices) -> Motion<'a, T>;

    /// Returns the metric of a weight whose gradients were all 0: what stands beside the root of the
    /// second moment.
    fn floor<T: Real>(&self, _scalars: &Self::Scalars<T>) -> f64 {
        0.0
    }

    /// Returns how much further a steady gradient carries a weight than the step that it is given in.
    fn pace(&self) -> f64 {
        1.0
    }

    /// Returns whether a parameter is looked at as a whole before its tiles are worked on.
    fn looks(&self) -> bool {
        false
    }

    /// Looks at a whole parameter. It may leave small state and work columns behind, and can fail:
    /// no weight and no state has been written then.
    fn prepare<T: Real>(&self, _scalars: &Self::Scalars<T>, _whole: &mut Parameter<'_, T>) -> Result<Prepared> {
        Ok(Prepared::default())
    }
}

/// An option by its name, and its text.
pub(crate) type Setting = (&'static str, String);

/// Returns an option that is listed where it is on.
pub(crate) fn switch(name: &'static str, on: bool) -> Option<Setting> {
    on.then(|| (name, "on".into()))
}

/// Returns an option of numbers.
pub(crate) fn numbers(name: &'static str, numbers: &[f64]) -> Setting {
    let texts: Vec<_> = numbers.iter().map(|&x| Number(x).to_string()).collect();
    (name, texts.join(" "))
}

/// A rule, and the factor on its direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion<'a, T> {
    pub(crate) rule: &'a dyn AnyRule<T>,
    pub(crate) rate: f64,
}

/// Upper bounds on absolute values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The bound on every number in the state, and on those on the way to the displacement.
    pub(crate) state: f64,
    /// The bound on rate·u.
    pub(crate) displacement: f64,
}

/// The most numbers that a parameter keeps beside its columns.
pub(crate) const MAX_KEPT: usize = 2;

/// The numbers that a parameter keeps from step to step, such as a running product.
pub(crate) type Kept<T> = [T; MAX_KEPT];

/// Any hyperparameters, as a group holds it.
pub(crate) trait AnyHyperparameters: Any + Debug + Send + Sync {
    fn check(&self) -> Result<()>;

    fn list(&self) -> Vec<Setting>;

    fn columns(&self, of: Matrices) -> Vec<Column>;

    fn refuses(&self, of: Matrices) -> Option<&'static str>;

    fn work(&self, of: Matrices) -> Vec<Extent>;

    fn pace(&self) -> f64;

    fn equals(&self, other: &dyn AnyHyperparameters) -> bool;

    fn scalars_f32(&self) -> Box<dyn AnyScalars<f32>>;

    fn scalars_f64(&self) -> Box<dyn AnyScalars<f64>>;
}

impl<F: Hyperparameters> AnyHyperparameters for F {
    fn check(&self) -> Result<()> {
        Hyperparameters::check(self)
    }

    fn list(&self) -> Vec<Setting> {
        Hyperparameters::list(self)
    }

    fn columns(&self, of: Matrices) -> Vec<Column> {
        Hyperparameters::columns(self, of)
    }

    fn refuses(&self, of: Matrices) -> Option<&'static str> {
        Hyperparameters::refuses(self, of)
    }

    fn work(&self, of: Matrices) -> Vec<Extent> {
        Hyperparameters::work(self, of)
    }

    fn pace(&self) -> f64 {
        Hyperparameters::pace(self)
    }

    fn equals(&self, other: &dyn AnyHyperparameters) -> bool {
        (other as &dyn Any).downcast_ref() == Some(self)
    }

    fn scalars_f32(&self) -> Box<dyn AnyScalars<f32>> {
        Box::new(Scalars { options: self.clone(), list: Vec::new() })
    }

    fn scalars_f64(&self) -> Box<dyn AnyScalars<f64>> {
        Box::new(Scalars { options: self.clone(), list: Vec::new() })
    }
}

/// The scalars of a step, one entry for each distinct step count.
pub(crate) trait AnyScalars<T>: Debug + Send + Sync {
    /// Works out one more entry.
    fn push(&mut self, lr: f64, t: u64, kept: &mut Kept<T>) -> Result<()>;

    /// Takes out all entries; their memory stays.
    fn clear(&mut self);

    /// Makes room for so many more entries.
    fn reserve(&mut self, more: usize);

    fn reach(&self, entry: usize, g: f64) -> Reach;

    fn rule(&self, entry: usize, of: Matrices) -> Motion<'_, T>;

    fn floor(&self, entry: usize) -> f64;

    fn looks(&self) -> bool;

    fn prepare(&self, entry: usize, whole: &mut Parameter<'_, T>) -> Result<Prepared>;

    /// Returns a copy with room for as many entries.
    fn boxed_clone(&self) -> Box<dyn AnyScalars<T>>;
}

#[derive(Debug)]
struct Scalars<F: Hyperparameters, T: Real> {
    options: F,
    list: Vec<F::Scalars<T>>,
}

impl<F: Hyperparameters, T: Real> AnyScalars<T> for Scalars<F, T> {
    fn push(&mut self, lr: f64, t: u64, kept: &mut Kept<T>) -> Result<()> {
        self.list.push(self.options.scalars(lr, t, kept)?);
        Ok(())
    }

    fn clear(&mut self) {
        self.list.clear();
    }

    fn reserve(&mut self, more: usize) {
        self.list.reserve(more);
    }

    fn reach(&self, entry: usize, g: f64) -> Reach {
        self.options.reach(&self.list[entry], g)
    }

    fn rule(&self, entry: usize, of: Matrices) -> Motion<'_, T> {
        self.options.rule(&self.list[entry], of)
    }

    fn floor(&self, entry: usize) -> f64 {
        self.options.floor(&self.list[entry])
    }

    fn looks(&self) -> bool {
        self.options.looks()
    }

    fn prepare(&self, entry: usize, whole: &mut Parameter<'_, T>) -> Result<Prepared> {
        self.options.prepare(&self.list[entry], whole)
    }

    fn boxed_clone(&self) -> Box<dyn AnyScalars<T>> {
        let mut list = Vec::with_capacity(self.list.capacity());
        list.extend_from_slice(&self.list);
        Box::new(Self { options: self.options.clone(), list })
    }
}

impl<T> Clone for Box<dyn AnyScalars<T>> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

/// Hyperparameters without their type.
#[derive(Clone)]
pub struct Options(Arc<dyn AnyHyperparameters>);

impl Options {
    pub(crate) fn new(options: impl Hyperparameters) -> Self {
        Self(Arc::new(options))
    }

    /// Returns the hyperparameters as the type that they have.
    #[expect(
        clippy::expect_used,
        reason = "options come back to the settings of the type that made them, by the types of `Settings`"
    )]
    pub(crate) fn get<F: Hyperparameters>(&self) -> &F {
        (&*self.0 as &dyn Any).downcast_ref().expect("an optimizer's groups all have the same hyperparameters")
    }

    pub(crate) fn any(&self) -> &dyn AnyHyperparameters {
        &*self.0
    }

    /// Returns an empty list of scalars for weights of type `T`.
    pub(crate) fn scalars<T: Float>(&self) -> Box<dyn AnyScalars<T>> {
        T::pick(Empty(&*self.0))
    }
}

struct Empty<'a>(&'a dyn AnyHyperparameters);

impl Cases for Empty<'_> {
    type Of<T: Float> = Box<dyn AnyScalars<T>>;

    fn f32(self) -> Box<dyn AnyScalars<f32>> {
        self.0.scalars_f32()
    }

    fn f64(self) -> Box<dyn AnyScalars<f64>> {
        self.0.scalars_f64()
    }
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

/// Hyperparameters whose engine is compiled inside this crate.
///
/// Without it the loops would be instantiated in the crate that calls them, and a debug build there
/// would run 300 times slower than a release build.
pub trait Erase: Clone + Debug + Send + Sync + 'static {
    fn into_options(self) -> Options;
    fn from_options(options: &Options) -> Self;
}

macro_rules! compiled {
    ($options:ty) => {
        impl $crate::engine::Erase for $options {
            fn into_options(self) -> $crate::engine::Options {
                $crate::engine::Options::new(self)
            }
            fn from_options(options: &$crate::engine::Options) -> Self {
                options.get::<Self>().clone()
            }
        }
    };
}
pub(crate) use compiled;

/// An optimizer of this crate by its name: the bound for code that is generic over the optimizer.
///
/// Several names may stand for the same hyperparameters at different defaults: [`AdamW`](crate::AdamW) and
/// [`Lamb`](crate::Lamb) are [`Adam`](crate::Adam)'s.
///
/// ```
/// use wane::{Adam, Algorithm, Decay, Error, Optimizer, Settings, Sgd};
///
/// fn with_decay<A: Algorithm>(settings: Settings<A>) -> Result<Box<dyn Optimizer<f32>>, Error> {
///     Ok(settings.weight_decay(Decay::decoupled(0.1)).build()?.into())
/// }
///
/// let mut optimizers = [with_decay(Sgd::new(0.1))?, with_decay(Adam::new(1e-3))?];
/// for optimizer in &mut optimizers {
///     optimizer.step_slice(&mut [1.0, 2.0], &[0.1, -0.1])?;
/// }
/// # Ok::<(), Error>(())
/// ```
pub trait Algorithm: sealed::Sealed + Clone + Debug + Send + Sync + 'static {
    /// The options and equations behind the name.
    #[doc(hidden)]
    type Hyperparameters: Erase;

    /// The name as tables show it.
    const NAME: &'static str;
}

/// Gives names to hyperparameters.
macro_rules! algorithm {
    ($($name:ident: $options:ty = $text:literal),+) => {$(
        impl $crate::engine::sealed::Sealed for $name {}
        impl $crate::engine::Algorithm for $name {
            type Hyperparameters = $options;
            const NAME: &'static str = $text;
        }
    )+};
}
pub(crate) use algorithm;

pub(crate) mod sealed {
    pub trait Sealed {}
}
