//! Adagrad: steps divided by the root of the sum of all squared gradients.

use crate::engine::{Hyperparameters, Kept, Motion, Reach, Setting, Settings, algorithm, compiled, numbers};
use crate::error::{Result, in_range};
use crate::float::{Real, faded, rounded};
use crate::kernel::column::{Column, Extent, Matrices, Start};
use crate::kernel::{Move, Rule};

/// Adagrad: a weight moves the less, the more gradient it has seen.
///
/// ```text
/// s ← s + g²                                from s = s₀
/// x ← x − η/(1 + (t − 1)·κ) · g / (√s + ε)
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Adagrad::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`lr_decay`](Settings::lr_decay) | κ | 0 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`initial_accumulator`](Settings::initial_accumulator) | s₀ | 0 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-10 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: one column, `sum`, which starts at s₀; t counts a parameter's own updates
/// from 1. With s₀ = ε = 0 a weight whose gradients have all been 0 would become NaN (0/0), as in
/// PyTorch: by default the step is refused ([`NonFinite`](crate::NonFinite)).
///
/// # Differences
///
/// * PyTorch: the bits of `torch.optim.Adagrad(fused=True)` 2.15 (x86-64 with fused multiply-add)
///   for every element. Its `weight_decay` is [`Decay::coupled_l2`](crate::Decay::coupled_l2).
/// * Keras and optax: s₀ = 0.1, and ε = 1e-7 stands inside the root. optax moves a weight
///   by 0 where s = 0.
/// * The paper has neither κ nor s₀.
///
/// # Example
///
/// ```
/// use wane::{Adagrad, Optimizer};
///
/// let mut opt = Adagrad::new(0.5).build()?;
/// let mut w = [1.0_f64];
/// opt.step_slice(&mut w, &[3.0])?;
/// assert!((w[0] - 0.5).abs() < 1e-9);                 // the first step is η·sign(g)
/// opt.step_slice(&mut w, &[4.0])?;
/// assert!((w[0] - (0.5 - 0.5 * 4.0 / 5.0)).abs() < 1e-9);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Duchi, Hazan & Singer, *Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization*, JMLR 12 (2011).
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[derive(Clone, Debug, PartialEq)]
pub struct Adagrad {
    lr_decay: f64,
    initial: f64,
    eps: f64,
}

impl Adagrad {
    /// Returns the settings of Adagrad at learning rate η = `lr`, without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { lr_decay: 0.0, initial: 0.0, eps: 1e-10 }, lr)
    }
}

impl<S> Settings<Adagrad, S> {
    /// Sets κ, by which the learning rate falls: η/(1 + (t − 1)·κ). A schedule acts beside it.
    #[must_use]
    pub fn lr_decay(mut self, decay: f64) -> Self {
        self.algorithm.lr_decay = decay;
        self
    }

    /// Sets s₀, which the sum of squares starts from.
    #[must_use]
    pub fn initial_accumulator(mut self, sum: f64) -> Self {
        self.algorithm.initial = sum;
        self
    }

    /// Sets ε, which is added to the root of the sum.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.algorithm.eps = eps;
        self
    }
}

/// What a step of Adagrad is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    t: f64,
    rule: RootOfSum<T>,
}

impl Hyperparameters for Adagrad {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        const AT_LEAST_0: &str = "a finite number, at least 0";
        in_range("lr_decay", self.lr_decay, self.lr_decay >= 0.0, AT_LEAST_0)?;
        in_range("initial accumulator", self.initial, self.initial >= 0.0, AT_LEAST_0)?;
        in_range("eps", self.eps, self.eps >= 0.0, AT_LEAST_0)
    }

    fn list(&self) -> Vec<Setting> {
        let Self { lr_decay, initial, eps } = *self;
        vec![numbers("lr_decay", &[lr_decay]), numbers("initial_accumulator", &[initial]), numbers("eps", &[eps])]
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        vec![Column { name: "sum", extent: Extent::Weights, start: Start::Value(self.initial) }]
    }

    fn scalars<T: Real>(&self, lr: f64, t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        rounded::<T>("initial accumulator", self.initial)?;
        #[expect(clippy::cast_precision_loss, reason = "a step count, exact up to 2⁵³")]
        let t = t as f64;
        let lr = lr / (t - 1.0).mul_add(self.lr_decay, 1.0);
        let lr = faded::<T>("learning rate, decayed,", lr)?;
        let rule = RootOfSum { step: T::of(lr), eps: rounded("eps", self.eps)? };
        Ok(Scalars { lr, t, rule })
    }

    // s ≤ s₀ + t·g², and g/√s is at most 1, but for rounding; where g² is lost, it is g/ε.
    fn reach<T: Real>(&self, scalars: &Scalars<T>, g: f64) -> Reach {
        let sum = 2.0 * (self.initial + scalars.t * g * g);
        let lost = if self.initial > 0.0 { 0.0 } else { T::min_positive_value().widen().sqrt() / self.eps.abs() };
        let longest = scalars.lr * (2.0 + lost);
        Reach { state: g.max(sum).max(scalars.lr * g), displacement: longest }
    }

    fn floor<T: Real>(&self, scalars: &Scalars<T>) -> f64 {
        scalars.rule.eps.widen()
    }

    // The learning rate is inside the rule, where PyTorch has it.
    fn rule<'a, T: Real>(&self, scalars: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        Motion { rule: &scalars.rule, rate: 1.0 }
    }
}

compiled!(Adagrad);
algorithm!(Adagrad: Adagrad = "adagrad");

#[derive(Clone, Copy, Debug)]
struct RootOfSum<T> {
    step: T,
    eps: T,
}

impl<T: Real> Rule<T> for RootOfSum<T> {
    type State = [T; 1];

    #[inline(always)]
    fn update(&self, _x: T, g: T, [s]: [T; 1]) -> (Move<T>, [T; 1]) {
        let s = g.mul_add(g, s);
        let metric = s.sqrt() + self.eps;
        (Move { u: (self.step * g) / metric, lean: g, metric }, [s])
    }
}
