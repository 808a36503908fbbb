//! The table of optimizers: every optimizer with its options, one row each. A property is written once and runs over all rows, over all
//! decays (`cells`) and over both element types; a new optimizer is one more row here, and one oracle.

#![allow(dead_code, unused_macros, unused_imports, reason = "every test file uses its own part of the table")]

pub(crate) mod cells;
pub(crate) mod data;

use wane::{
    Adam, AdamW, Algorithm, Clip, Decay, Float, Lamb, Level, Lion, NonFinite, Optimizer, Result, Schedule, Settings, Sgd,
};

/// One optimizer with its options.
pub(crate) struct Row<T: Float> {
    pub(crate) name: &'static str,
    /// A learning rate at which it moves weights of size 1 by a few percent.
    pub(crate) lr: f64,
    pub(crate) reach: Reach,
    /// The names of its state columns.
    pub(crate) state: &'static [&'static str],
    make: fn(&Setup) -> Result<Box<dyn Optimizer<T>>>,
}

/// What the update of a weight depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its own gradient alone.
    Element,
    /// A norm over its parameter.
    Parameter,
}

const BUFFER: &[&str] = &["momentum_buffer"];
const MOMENTS: &[&str] = &["exp_avg", "exp_avg_sq"];
const MAXIMUM: &[&str] = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

/// THE table.
#[rustfmt::skip]
fn table<T>() -> Vec<Row<T>>
where
    T: Float,
{
    use Reach::{Element, Parameter};
    vec![
        Row { name: "sgd", lr: 0.05, reach: Element, state: &[], make: |s| s.build(Sgd::new(s.lr)) },
        Row { name: "sgd momentum", lr: 0.05, reach: Element, state: BUFFER, make: |s| s.build(Sgd::new(s.lr).momentum(0.9)) },
        Row { name: "sgd dampening", lr: 0.05, reach: Element, state: BUFFER, make: |s| s.build(Sgd::new(s.lr).momentum(0.9).dampening(0.3)) },
        Row { name: "sgd nesterov", lr: 0.05, reach: Element, state: BUFFER, make: |s| s.build(Sgd::new(s.lr).momentum(0.8).nesterov(true)) },
        Row { name: "adam", lr: 0.02, reach: Element, state: MOMENTS, make: |s| s.build(Adam::new(s.lr)) },
        Row { name: "adam fast", lr: 0.02, reach: Element, state: MOMENTS, make: |s| s.build(Adam::new(s.lr).betas(0.4, 0.9).eps(1e-3)) },
        Row { name: "amsgrad", lr: 0.02, reach: Element, state: MAXIMUM, make: |s| s.build(Adam::new(s.lr).betas(0.9, 0.7).amsgrad(true)) },
        Row { name: "adam epsilon hat", lr: 0.02, reach: Element, state: MOMENTS, make: |s| s.build(Adam::new(s.lr).epsilon_hat(1e-4)) },
        Row { name: "adamw", lr: 0.02, reach: Element, state: MOMENTS, make: |s| s.build(AdamW::new(s.lr)) },
        Row { name: "lion", lr: 0.01, reach: Element, state: &["exp_avg"], make: |s| s.build(Lion::new(s.lr)) },
        Row { name: "lamb", lr: 0.02, reach: Parameter, state: MOMENTS, make: |s| s.build(Lamb::new(s.lr)) },
        Row { name: "lamb amsgrad", lr: 0.02, reach: Parameter, state: MAXIMUM, make: |s| s.build(Lamb::new(s.lr).betas(0.9, 0.7).amsgrad(true)) },
    ]
}

impl<T: Float> Row<T> {
    /// The settings that this row is usually run with.
    pub(crate) fn setup(&self, decay: Decay) -> Setup {
        Setup {
            lr: self.lr,
            decay,
            clip: Clip::Off,
            non_finite: NonFinite::Error,
            schedule: Schedule::constant(),
            level: Level::best(),
            goal: Goal::Descend,
        }
    }

    pub(crate) fn try_build(&self, setup: &Setup) -> Result<Box<dyn Optimizer<T>>> {
        (self.make)(setup)
    }

    pub(crate) fn build(&self, setup: &Setup) -> Box<dyn Optimizer<T>> {
        self.try_build(setup).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// The settings that all optimizers share.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) lr: f64,
    pub(crate) decay: Decay,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) schedule: Schedule,
    pub(crate) level: Level,
    pub(crate) goal: Goal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Descend,
    Climb,
}

impl Setup {
    fn build<A: Algorithm, T: Float>(&self, settings: Settings<A>) -> Result<Box<dyn Optimizer<T>>> {
        let settings = settings
            .weight_decay(self.decay.clone())
            .lr_schedule(self.schedule.clone())
            .clip(self.clip)
            .non_finite(self.non_finite)
            .level(self.level);
        let settings = match self.goal {
            Goal::Descend => settings,
            Goal::Climb => settings.maximize(true),
        };
        Ok(Box::new(settings.build()?))
    }
}

/// An element type, as the tests see it.
pub(crate) trait Element: Float + num_traits::Float + std::fmt::LowerExp {
    /// The distance from 1 to the next number.
    const EPS: f64;
    /// The largest number.
    const HUGE: f64;
    /// The smallest number above 0.
    const TINY: f64;
    /// `x` rounded once.
    fn near(x: f64) -> Self;
    /// The same number.
    fn exact(self) -> f64;
    /// Its bits; one NaN is as good as another.
    fn pattern(self) -> u64;
    fn optimizers() -> Vec<Row<Self>>;
}

impl Element for f32 {
    const EPS: f64 = Self::EPSILON as f64;
    const HUGE: f64 = Self::MAX as f64;
    const TINY: f64 = Self::from_bits(1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what it is for")]
    fn near(x: f64) -> Self {
        x as Self
    }
    fn exact(self) -> f64 {
        f64::from(self)
    }
    fn pattern(self) -> u64 {
        if self.is_nan() { u64::MAX } else { u64::from(self.to_bits()) }
    }
    fn optimizers() -> Vec<Row<Self>> {
        table()
    }
}

impl Element for f64 {
    const EPS: Self = Self::EPSILON;
    const HUGE: Self = Self::MAX;
    const TINY: Self = Self::from_bits(1);
    fn near(x: f64) -> Self {
        x
    }
    fn exact(self) -> f64 {
        self
    }
    fn pattern(self) -> u64 {
        if self.is_nan() { u64::MAX } else { self.to_bits() }
    }
    fn optimizers() -> Vec<Row<Self>> {
        table()
    }
}

/// Makes a test for each element type of properties that are generic over it.
macro_rules! for_f32_and_f64 {
    ($($property:ident),+ $(,)?) => {
        mod in_f32 {
            $(#[test] fn $property() { super::$property::<f32>(); })+
        }
        mod in_f64 {
            $(#[test] fn $property() { super::$property::<f64>(); })+
        }
    };
}
pub(crate) use for_f32_and_f64;
