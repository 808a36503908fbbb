//! What `build` makes: an engine under the name of its optimizer.

use std::fmt;
use std::marker::PhantomData;

use crate::clip::{Clip, NonFinite};
use crate::error::{Result, in_range};
use crate::float::{Float, Real, rounded};
use crate::kernel::{Denormals, Level};
use crate::optimizer::{Optimizer, forward};
use crate::rule::Algorithm;
use crate::schedule::Schedule;

/// An optimizer ready to step: made by [`Settings::build`](crate::Settings::build), used through [`Optimizer`].
///
/// `A` is the optimizer ([`Sgd`](crate::Sgd), [`AdamW`](crate::AdamW), [`Lion`](crate::Lion) ...), `T` the type of the weights. It keeps a slot
/// of state per parameter name, and allocates only when a name is new or has its first gradient. `into` makes a `Box<dyn Optimizer<T>>` of it.
///
/// ```
/// use wane::{AdamW, Optimizer, Stepper};
///
/// struct Trainer {
///     optimizer: Stepper<AdamW, f32>,
/// }
///
/// let mut trainer = Trainer { optimizer: AdamW::new(1e-3).build()? };
/// trainer.optimizer.step_slice(&mut [1.0, 2.0], &[0.1, 0.2])?;
/// assert_eq!(trainer.optimizer.completed_steps(), 1);
/// # Ok::<(), wane::Error>(())
/// ```
pub struct Stepper<A: Algorithm, T: Float> {
    engine: Box<dyn Optimizer<T>>,
    algorithm: PhantomData<fn() -> A>,
}

impl<A: Algorithm, T: Float> Stepper<A, T> {
    pub(crate) fn new(engine: Box<dyn Optimizer<T>>) -> Self {
        Self { engine, algorithm: PhantomData }
    }
}

impl<A: Algorithm, T: Float> Clone for Stepper<A, T> {
    fn clone(&self) -> Self {
        Self::new(self.engine.clone())
    }
}

impl<A: Algorithm, T: Float> fmt::Debug for Stepper<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}

impl<A: Algorithm, T: Float> From<Stepper<A, T>> for Box<dyn Optimizer<T>> {
    fn from(stepper: Stepper<A, T>) -> Self {
        stepper.engine
    }
}

impl<A: Algorithm, T: Float> Optimizer<T> for Stepper<A, T> {
    forward!(T, [] self [.engine]);
}

/// The settings and counts of the whole optimizer.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// What the user calls the optimizer.
    pub(crate) name: &'static str,
    pub(crate) peak: f64,
    pub(crate) schedule: Schedule,
    /// The rate that was set by hand.
    pub(crate) manual: Option<f64>,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) maximize: bool,
    pub(crate) denormals: Denormals,
    pub(crate) strict_policies: bool,
    pub(crate) level: Level,
    /// k, the completed steps.
    pub(crate) completed: u64,
    /// The steps that ended without an error: completed and skipped ones.
    pub(crate) ended: u64,
}

impl Run {
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        in_range("learning rate", self.peak, self.peak >= 0.0, "a finite number, at least 0")?;
        self.schedule.check()?;
        self.clip.check()?;
        if self.clip.bound().is_finite() {
            rounded::<T>("clipping bound", self.clip.bound())?;
        }
        Ok(())
    }

    pub(crate) fn rate(&self) -> f64 {
        self.manual.unwrap_or_else(|| self.peak * self.schedule.multiplier(self.completed))
    }

    pub(crate) fn reset(&mut self) {
        (self.manual, self.completed, self.ended) = (None, 0, 0);
    }
}
