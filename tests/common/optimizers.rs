//! The table of optimizers: a row for every optimizer at every option that makes a difference.
//!
//! Oracle, properties, errors, contract, allocation and benches take their optimizers from here. A new optimizer is one more row, and
//! its oracle in `naive`; where a library has it, `golden/build.rs` reads that library's options.

use wane::{Adafactor, Adagrad, Adam, AdamW, AdjustLr, Decay, Lamb, Lion, Muon, NAdam, Optimizer, Result, Sgd};

use super::data::matrix;
use super::naive::{self, Denominator::Epsilon, Denominator::EpsilonHat, Maximum, Naive};
use super::numbers::{
    Number, beta1, beta2, dampening, eps, exponent, fall, first_sum, least_norm, least_size, momentum, nesterov, share, threshold,
};
use super::{Element, Recipe, Setup};

/// One optimizer with its options.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// A learning rate at which it moves weights of size 1 by a few percent.
    pub(crate) lr: f64,
    pub(crate) reach: Reach,
    /// The names of its state columns, for a matrix.
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
    /// All weights and gradients of its parameter, and where they are in it. Its decay is as beside any other update.
    Parameter,
    /// The same; and what is no matrix is refused.
    Matrix,
    /// The whole displacement of its parameter, the decay's included.
    Displacement,
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
    /// It is divided by its norm: a direction like any other.
    Direction,
    /// It is divided by a root that is ∞·∞/∞: a NaN, as in PyTorch.
    Undefined,
}

const BUFFER: &[&str] = &["momentum_buffer"];
const MOMENTS: &[&str] = &["exp_avg", "exp_avg_sq"];
const FACTORS: &[&str] = &["row_var", "col_var"];
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
        numbers: &[nesterov(0.8)],
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
        name: "adagrad", lr: 0.02, reach: Reach::Element, state: &["sum"], huge: Huge::Vanishes, timed: Some(Decay::none),
        numbers: &[fall("lr_decay", 0.0), first_sum(0.0), eps("eps", 1e-10)],
        make: |lr, n| Box::new(Adagrad::new(lr).lr_decay(n[0]).initial_accumulator(n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Adagrad::new(n[0], n[1], n[2])),
    },
    Row {
        name: "adagrad from a sum", lr: 0.02, reach: Reach::Element, state: &["sum"], huge: Huge::Vanishes, timed: None,
        numbers: &[fall("lr_decay", 0.1), first_sum(0.1), eps("eps", 1e-3)],
        make: |lr, n| Box::new(Adagrad::new(lr).lr_decay(n[0]).initial_accumulator(n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Adagrad::new(n[0], n[1], n[2])),
    },
    Row {
        name: "nadam", lr: 0.02, reach: Reach::Element, state: &["exp_avg", "exp_avg_sq", "mu_product"], huge: Huge::Vanishes, timed: Some(Decay::none),
        numbers: &[beta1(0.9), beta2(0.999), fall("momentum_decay", 4e-3), eps("eps", 1e-8)],
        make: |lr, n| Box::new(NAdam::new(lr).betas(n[0], n[1]).momentum_decay(n[2]).eps(n[3])),
        oracle: |n| Box::new(naive::NAdam::new([n[0], n[1]], n[2], n[3])),
    },
    Row {
        name: "lamb", lr: 0.02, reach: Reach::Displacement, state: MOMENTS, huge: Huge::Vanishes, timed: Some(|| Decay::decoupled(0.01)),
        numbers: &[beta1(0.9), beta2(0.999), eps("eps", 1e-6)],
        make: |lr, n| Box::new(Lamb::new(lr).betas(n[0], n[1]).eps(n[2])),
        oracle: |n| Box::new(naive::Lamb::new([n[0], n[1]], n[2], Maximum::Off)),
    },
    Row {
        name: "lamb amsgrad", lr: 0.02, reach: Reach::Displacement, state: MAXIMUM, huge: Huge::Vanishes, timed: None,
        numbers: &[beta1(0.9), beta2(0.7), eps("eps", 1e-6)],
        make: |lr, n| Box::new(Lamb::new(lr).betas(n[0], n[1]).eps(n[2]).amsgrad(true)),
        oracle: |n| Box::new(naive::Lamb::new([n[0], n[1]], n[2], Maximum::On)),
    },
    Row {
        name: "adafactor", lr: 0.02, reach: Reach::Parameter, state: FACTORS, huge: Huge::Undefined, timed: None,
        numbers: &[exponent(-0.8), least_size(1e-3), threshold(1.0)],
        make: |lr, n| Box::new(Adafactor::new(lr).beta2_decay(n[0]).eps2(n[1]).clip_threshold(n[2])),
        oracle: |n| Box::new(naive::Adafactor::new(n[0], (None, n[1]), n[2])),
    },
    Row {
        name: "adafactor wide", lr: 0.02, reach: Reach::Parameter, state: FACTORS, huge: Huge::Undefined, timed: None,
        numbers: &[exponent(-0.5), eps("eps1", 1e-3), least_size(0.1), threshold(1.5)],
        make: |lr, n| Box::new(Adafactor::new(lr).beta2_decay(n[0]).eps1(n[1]).eps2(n[2]).clip_threshold(n[3])),
        oracle: |n| Box::new(naive::Adafactor::new(n[0], (Some(n[1]), n[2]), n[3])),
    },
    Row {
        name: "muon", lr: 0.05, reach: Reach::Matrix, state: BUFFER, huge: Huge::Direction, timed: None,
        numbers: &[share(0.95), least_norm(1e-7)],
        make: |lr, n| Box::new(Muon::new(lr).momentum(n[0]).eps(n[1])),
        oracle: |n| Box::new(naive::Muon::new(n[0], n[1])),
    },
    Row {
        name: "muon plain", lr: 0.05, reach: Reach::Matrix, state: BUFFER, huge: Huge::Direction, timed: None,
        numbers: &[share(0.4), least_norm(1e-7)],
        make: |lr, n| Box::new(Muon::new(lr).momentum(n[0]).eps(n[1]).nesterov(false).ns_steps(3)),
        oracle: |n| Box::new(naive::Muon { nesterov: false, steps: 3, ..naive::Muon::new(n[0], n[1]) }),
    },
    Row {
        name: "muon rms", lr: 0.05, reach: Reach::Matrix, state: BUFFER, huge: Huge::Direction, timed: None,
        numbers: &[share(0.95), least_norm(0.1)],
        make: |lr, n| Box::new(Muon::new(lr).momentum(n[0]).eps(n[1]).adjust_lr(AdjustLr::MatchRmsAdamw)),
        oracle: |n| Box::new(naive::Muon { adjust: |r, c| 0.2 * r.max(c).sqrt(), ..naive::Muon::new(n[0], n[1]) }),
    },
];

/// The row of this name, for a test that means one optimizer.
pub(crate) fn optimizer(name: &str) -> &'static Row {
    OPTIMIZERS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no optimizer {name}"))
}

/// How many numbers a state column has for so many weights, in the shape that all tensors have here.
pub(crate) fn length(column: &str, weights: usize) -> usize {
    let [rows, columns] = matrix(weights);
    match column {
        "mu_product" => 1,
        "row_var" => rows,
        "col_var" => columns.min(weights),
        _ => weights,
    }
}

/// All state columns of all optimizers, for matrices and others.
pub(crate) fn columns() -> Vec<&'static str> {
    let mut columns: Vec<_> = OPTIMIZERS.iter().flat_map(|row| row.state).copied().chain(["variance"]).collect();
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
        T::build(&*self.recipe(setup))
    }

    pub(crate) fn recipe(&self, setup: &Setup) -> Box<dyn Recipe> {
        (self.make)(setup.lr, &setup.numbers).with(setup)
    }

    pub(crate) fn build<T: Element>(&self, setup: &Setup) -> Box<dyn Optimizer<T>> {
        self.try_build(setup).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// For one parameter.
    pub(crate) fn oracle(&self) -> Box<dyn Naive> {
        (self.oracle)(&self.numbers())
    }

    /// Is its update divided by nothing but what all weights share? The metric is 1 then, and else ε, or the sum that it starts from, where
    /// there has been no gradient.
    pub(crate) fn has_plain_metric(&self) -> bool {
        !matches!(self.huge, Huge::Vanishes | Huge::Undefined)
    }

    fn numbers(&self) -> Vec<f64> {
        self.numbers.iter().map(|number| number.at).collect()
    }
}
