//! The table of optimizers: a row for every optimizer at every option that makes a difference.
//!
//! Oracle, properties, errors, contract, allocation and benches take their optimizers from here. A new optimizer is one more row, and
//! its oracle in `naive`; where a library has it, `golden/build.rs` reads that library's options.

use std::fmt::Debug;

use wane::{Adam, AdamW, Algorithm, Clip, Decay, Lamb, Level, Lion, NonFinite, Optimizer, Result, Schedule, Settings, Sgd};

use super::Element;
use super::naive::{self, Denominator::Epsilon, Denominator::EpsilonHat, Maximum, Naive};

/// One optimizer with its options.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// A learning rate at which it moves weights of size 1 by a few percent.
    pub(crate) lr: f64,
    pub(crate) reach: Reach,
    /// The names of its state columns.
    pub(crate) state: &'static [&'static str],
    pub(crate) huge: Huge,
    /// The decay that the benches time it with; none where a row that is timed has the same loop.
    pub(crate) timed: Option<fn() -> Decay>,
    /// Its options that are numbers, in the order in which `make` and `oracle` take them.
    pub(crate) numbers: &'static [Number],
    /// Its settings at a learning rate.
    make: fn(f64, &[f64]) -> Box<dyn Recipe>,
    /// The same once more, in plain f64.
    oracle: fn(&[f64]) -> Box<dyn Naive>,
}

/// What the update of a weight depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its own gradient alone.
    Element,
    /// All gradients of its parameter.
    Parameter,
}

/// What becomes of a gradient whose square is infinite, where it is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Huge {
    /// It moves the weight by η·g.
    Moves,
    /// Its own multiple with momentum is infinite, and so is the weight.
    Overflows,
    /// It is divided by an infinite root: nothing moves.
    Vanishes,
    /// It is a sign like any other.
    Sign,
}

/// An option that is a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    /// Its name in errors.
    pub(crate) name: &'static str,
    /// What it is in this row.
    at: f64,
    pub(crate) range: Range,
    /// A number as users take it, for every u in [0, 1).
    pub(crate) usual: fn(f64) -> f64,
}

/// The finite numbers that an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    All,
    AtLeast0,
    Share,
}

impl Range {
    pub(crate) fn has(self, x: f64) -> bool {
        match self {
            Self::All => x.is_finite(),
            Self::AtLeast0 => x >= 0.0,
            Self::Share => (0.0..1.0).contains(&x),
        }
    }

    /// The range in the words of an error.
    pub(crate) fn allowed(self) -> &'static str {
        match self {
            Self::All => "a finite number",
            Self::AtLeast0 => "a finite number, at least 0",
            Self::Share => "in [0, 1)",
        }
    }
}

const fn number(name: &'static str, at: f64, range: Range, usual: fn(f64) -> f64) -> Number {
    Number { name, at, range, usual }
}

const fn momentum(at: f64) -> Number {
    number("momentum", at, Range::AtLeast0, |u| u)
}

const fn dampening(at: f64) -> Number {
    number("dampening", at, Range::All, |u| 2.0 * u - 1.0)
}

const fn beta1(at: f64) -> Number {
    number("beta1", at, Range::Share, |u| 0.9999 * u)
}

const fn beta2(at: f64) -> Number {
    number("beta2", at, Range::Share, |u| 0.9999 * u)
}

const fn eps(name: &'static str, at: f64) -> Number {
    number(name, at, Range::AtLeast0, |u| 10.0_f64.powf(-12.0 * u))
}

const BUFFER: &[&str] = &["momentum_buffer"];
const MOMENTS: &[&str] = &["exp_avg", "exp_avg_sq"];
const MAXIMUM: &[&str] = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

/// THE table.
#[rustfmt::skip]
pub(crate) static OPTIMIZERS: &[Row] = &[
    Row {
        name: "sgd", lr: 0.05, reach: Reach::Element, state: &[], huge: Huge::Moves, timed: Some(Decay::none),
        numbers: &[],
        make: |lr, _| Box::new(Sgd::new(lr)),
        oracle: |_| Box::new(naive::Sgd::plain()),
    },
    Row {
        name: "sgd momentum", lr: 0.05, reach: Reach::Element, state: BUFFER, huge: Huge::Moves, timed: Some(Decay::none),
        numbers: &[momentum(0.9)],
        make: |lr, n| Box::new(Sgd::new(lr).momentum(n[0])),
        oracle: |n| Box::new(naive::Sgd::heavy(n[0], 0.0)),
    },
    Row {
        name: "sgd dampening", lr: 0.05, reach: Reach::Element, state: BUFFER, huge: Huge::Moves, timed: None,
        numbers: &[momentum(0.9), dampening(0.3)],
        make: |lr, n| Box::new(Sgd::new(lr).momentum(n[0]).dampening(n[1])),
        oracle: |n| Box::new(naive::Sgd::heavy(n[0], n[1])),
    },
    Row {
        name: "sgd nesterov", lr: 0.05, reach: Reach::Element, state: BUFFER, huge: Huge::Overflows, timed: Some(Decay::none),
        numbers: &[number("momentum", 0.8, Range::AtLeast0, |u| 0.001 + 0.999 * u)],
        make: |lr, n| Box::new(Sgd::new(lr).momentum(n[0]).nesterov(true)),
        oracle: |n| Box::new(naive::Sgd::nesterov(n[0])),
    },
    Row {
        name: "adam", lr: 0.02, reach: Reach::Element, state: MOMENTS, huge: Huge::Vanishes, timed: Some(|| Decay::coupled_l2(0.01)),
        numbers: &[beta1(0.9), beta2(0.999), eps("eps", 1e-8)],
        make: |lr, n| Box::new(Adam::new(lr).betas(n[0], n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Adam::new([n[0], n[1]], Epsilon(n[2]), Maximum::Off)),
    },
    Row {
        name: "adam fast", lr: 0.02, reach: Reach::Element, state: MOMENTS, huge: Huge::Vanishes, timed: None,
        numbers: &[beta1(0.4), beta2(0.9), eps("eps", 1e-3)],
        make: |lr, n| Box::new(Adam::new(lr).betas(n[0], n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Adam::new([n[0], n[1]], Epsilon(n[2]), Maximum::Off)),
    },
    Row {
        name: "amsgrad", lr: 0.02, reach: Reach::Element, state: MAXIMUM, huge: Huge::Vanishes, timed: Some(|| Decay::decoupled(0.01)),
        numbers: &[beta1(0.9), beta2(0.7), eps("eps", 1e-8)],
        make: |lr, n| Box::new(Adam::new(lr).betas(n[0], n[1]).eps(n[2]).amsgrad(true)),
        oracle: |n| Box::new(naive::Adam::new([n[0], n[1]], Epsilon(n[2]), Maximum::On)),
    },
    Row {
        name: "adam epsilon hat", lr: 0.02, reach: Reach::Element, state: MOMENTS, huge: Huge::Vanishes, timed: None,
        numbers: &[beta1(0.9), beta2(0.999), eps("epsilon_hat", 1e-4)],
        make: |lr, n| Box::new(Adam::new(lr).betas(n[0], n[1]).epsilon_hat(n[2])),
        oracle: |n| Box::new(naive::Adam::new([n[0], n[1]], EpsilonHat(n[2]), Maximum::Off)),
    },
    Row {
        name: "adamw", lr: 0.02, reach: Reach::Element, state: MOMENTS, huge: Huge::Vanishes, timed: Some(|| Decay::decoupled(0.01)),
        numbers: &[beta1(0.9), beta2(0.999), eps("eps", 1e-8)],
        make: |lr, n| Box::new(AdamW::new(lr).betas(n[0], n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Adam::new([n[0], n[1]], Epsilon(n[2]), Maximum::Off)),
    },
    Row {
        name: "lion", lr: 0.01, reach: Reach::Element, state: &["exp_avg"], huge: Huge::Sign, timed: Some(|| Decay::decoupled(0.01)),
        numbers: &[beta1(0.9), beta2(0.99)],
        make: |lr, n| Box::new(Lion::new(lr).betas(n[0], n[1])),
        oracle: |n| Box::new(naive::Lion::new(n[0], n[1])),
    },
    Row {
        name: "lamb", lr: 0.02, reach: Reach::Parameter, state: MOMENTS, huge: Huge::Vanishes, timed: Some(|| Decay::decoupled(0.01)),
        numbers: &[beta1(0.9), beta2(0.999), eps("eps", 1e-6)],
        make: |lr, n| Box::new(Lamb::new(lr).betas(n[0], n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Lamb::new([n[0], n[1]], n[2], Maximum::Off)),
    },
    Row {
        name: "lamb amsgrad", lr: 0.02, reach: Reach::Parameter, state: MAXIMUM, huge: Huge::Vanishes, timed: None,
        numbers: &[beta1(0.9), beta2(0.7), eps("eps", 1e-6)],
        make: |lr, n| Box::new(Lamb::new(lr).betas(n[0], n[1]).eps(n[2]).amsgrad(true)),
        oracle: |n| Box::new(naive::Lamb::new([n[0], n[1]], n[2], Maximum::On)),
    },
];

/// The row of this name, for a test that means one optimizer.
pub(crate) fn optimizer(name: &str) -> &'static Row {
    OPTIMIZERS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no optimizer {name}"))
}

/// All state columns of all optimizers.
pub(crate) fn columns() -> Vec<&'static str> {
    let mut columns: Vec<_> = OPTIMIZERS.iter().flat_map(|row| row.state).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

impl Row {
    /// The settings that this row is usually run with.
    pub(crate) fn setup(&self, decay: Decay) -> Setup {
        Setup { lr: self.lr, numbers: self.numbers(), ..Setup::new(decay) }
    }

    pub(crate) fn try_build<T: Element>(&self, setup: &Setup) -> Result<Box<dyn Optimizer<T>>> {
        T::build(&*(self.make)(setup.lr, &setup.numbers).with(setup))
    }

    pub(crate) fn build<T: Element>(&self, setup: &Setup) -> Box<dyn Optimizer<T>> {
        self.try_build(setup).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// For one parameter.
    pub(crate) fn oracle(&self) -> Box<dyn Naive> {
        (self.oracle)(&self.numbers())
    }

    fn numbers(&self) -> Vec<f64> {
        self.numbers.iter().map(|number| number.at).collect()
    }
}

/// What a row is run with: its numbers, and the settings that all optimizers share.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) lr: f64,
    pub(crate) numbers: Vec<f64>,
    pub(crate) decay: Decay,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) schedule: Schedule,
    pub(crate) level: Level,
    pub(crate) goal: Goal,
}

impl Setup {
    /// With a decay, and without an optimizer's rate and numbers.
    pub(crate) fn new(decay: Decay) -> Self {
        Self {
            lr: 0.0,
            numbers: vec![],
            decay,
            clip: Clip::Off,
            non_finite: NonFinite::Error,
            schedule: Schedule::constant(),
            level: Level::best(),
            goal: Goal::Descend,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Descend,
    Climb,
}

/// Settings of whichever optimizer, not yet bound to an element type.
pub(crate) trait Recipe: Debug {
    /// With the settings that all optimizers share.
    fn with(&self, setup: &Setup) -> Box<dyn Recipe>;
    fn build_f32(&self) -> Result<Box<dyn Optimizer<f32>>>;
    fn build_f64(&self) -> Result<Box<dyn Optimizer<f64>>>;
}

impl<A: Algorithm> Recipe for Settings<A> {
    fn with(&self, setup: &Setup) -> Box<dyn Recipe> {
        let settings = self
            .clone()
            .weight_decay(setup.decay.clone())
            .lr_schedule(setup.schedule.clone())
            .clip(setup.clip)
            .non_finite(setup.non_finite)
            .level(setup.level);
        Box::new(match setup.goal {
            Goal::Descend => settings,
            Goal::Climb => settings.maximize(true),
        })
    }
    fn build_f32(&self) -> Result<Box<dyn Optimizer<f32>>> {
        Ok(self.clone().build()?.into())
    }
    fn build_f64(&self) -> Result<Box<dyn Optimizer<f64>>> {
        Ok(self.clone().build()?.into())
    }
}
