//! Stochastic gradient descent: plain, with momentum, with Nesterov momentum.

use crate::engine::{Hyperparameters, Kept, Motion, Reach, Setting, Settings, algorithm, compiled, numbers, switch};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, rounded};
use crate::kernel::column::{Column, Matrices};
use crate::kernel::{Move, Rule};

/// SGD, with heavy-ball or Nesterov momentum.
///
/// ```text
/// μ = 0:      u = g
/// μ ≠ 0:      b₁ = g₁,   b_t = μ·b_{t−1} + (1 − δ)·g_t
///             u = b,     Nesterov: u = g + μ·b
/// always:     x ← x − η·u
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Sgd::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`momentum`](Settings::momentum) | μ | 0 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`dampening`](Settings::dampening) | δ | 0 | finite | [`OutOfRange`] |
/// | [`nesterov`](Settings::nesterov)`(on)` | | off | needs μ > 0 and δ = 0 | [`Conflict`] |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: none, or one column `momentum_buffer` with momentum. The learning rate stands
/// outside the buffer, so a schedule acts at once. The first step copies the gradient into the
/// buffer, without dampening.
///
/// # Differences
///
/// * PyTorch: the bits of `torch.optim.SGD(fused=True)` 2.15 (x86-64 with fused multiply-add):
///   without momentum for every element, with momentum on whole vectors. PyTorch sends the last n
///   mod 8 elements of an f32 tensor, n mod 4 of an f64 one, through a scalar path, where b =
///   fma(μ, b, (1 − δ)·g) stands for fma(1 − δ, g, μ·b): from the second step on these may differ
///   by rounding. Here every element takes the same path. Its `weight_decay` is
///   [`Decay::coupled_l2`](crate::Decay::coupled_l2).
/// * Keras, TensorFlow and Sutskever et al. (2013) keep the learning rate inside the buffer: a
///   different trajectory under a schedule. Keras's `weight_decay` is
///   [`Decay::decoupled`](crate::Decay::decoupled).
/// * optax's `trace` starts from a zero buffer without dampening: equal when δ = 0.
///
/// # Example
///
/// ```
/// use wane::{Optimizer, Sgd};
///
/// let mut opt = Sgd::new(0.5).momentum(0.9).build()?;
/// let mut w = [1.0_f64];
/// opt.step_slice(&mut w, &[1.0])?;
/// assert_eq!(w, [0.5]);                                        // b = 1
/// opt.step_slice(&mut w, &[1.0])?;
/// assert!((w[0] - (0.5 - 0.5 * 1.9)).abs() < 1e-15);           // b = 1.9
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Robbins & Monro, *A Stochastic Approximation Method* (1951); Polyak (1964) for the heavy ball;
/// Sutskever et al., *On the importance of initialization and momentum in deep learning*, ICML
/// 2013, for the form of Nesterov's momentum.
///
/// [`Conflict`]: crate::Error::Conflict
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[doc(alias = "momentum")]
#[doc(alias = "nesterov")]
#[doc(alias = "heavy ball")]
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
}

impl Sgd {
    /// Returns the settings of SGD at learning rate η = `lr`, without momentum and without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { momentum: 0.0, dampening: 0.0, nesterov: false }, lr)
    }
}

impl<S> Settings<Sgd, S> {
    /// Sets μ, the share of the momentum buffer that is kept at each step.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.algorithm.momentum = momentum;
        self
    }

    /// Sets δ, the share of a gradient that does not enter the buffer; the first gradient
    /// enters it whole.
    #[must_use]
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.algorithm.dampening = dampening;
        self
    }

    /// Turns Nesterov momentum on or off: the step looks ahead along the buffer, u = g + μ·b.
    #[must_use]
    pub fn nesterov(mut self, on: bool) -> Self {
        self.algorithm.nesterov = on;
        self
    }
}

/// What a step of SGD is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    form: Form<T>,
    /// By how much the direction may be longer than the largest gradient.
    longest: f64,
}

#[derive(Clone, Copy, Debug)]
enum Form<T> {
    Plain,
    First(Momentum<T, true, false>),
    Later(Momentum<T, false, false>),
    FirstNesterov(Momentum<T, true, true>),
    LaterNesterov(Momentum<T, false, true>),
}

impl Hyperparameters for Sgd {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        in_range("momentum", self.momentum, self.momentum >= 0.0, "a finite number, at least 0")?;
        in_range("dampening", self.dampening, true, "a finite number")?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::conflict("nesterov", "a momentum above 0", "momentum = 0"));
        }
        if self.nesterov && self.dampening != 0.0 {
            return Err(Error::conflict("nesterov", "a dampening of 0", format!("dampening = {}", self.dampening)));
        }
        Ok(())
    }

    fn list(&self) -> Vec<Setting> {
        let mut list = vec![numbers("momentum", &[self.momentum]), numbers("dampening", &[self.dampening])];
        list.extend(switch("nesterov", self.nesterov));
        list
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        if self.momentum == 0.0 { Vec::new() } else { vec![Column::zeros("momentum_buffer")] }
    }

    fn scalars<T: Real>(&self, lr: f64, t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        rounded::<T>("learning rate", lr)?;
        let (mu, take) = (rounded("momentum", self.momentum)?, rounded("1 - dampening", 1.0 - self.dampening)?);
        let form = match (self.momentum == 0.0, t == 1, self.nesterov) {
            (true, ..) => Form::Plain,
            (_, true, false) => Form::First(Momentum { mu, take }),
            (_, false, false) => Form::Later(Momentum { mu, take }),
            (_, true, true) => Form::FirstNesterov(Momentum { mu, take }),
            (_, false, true) => Form::LaterNesterov(Momentum { mu, take }),
        };
        Ok(Scalars { lr, form, longest: self.longest(T::EPS) })
    }

    fn reach<T: Real>(&self, scalars: &Scalars<T>, g: f64) -> Reach {
        let longest = scalars.longest * g;
        Reach { state: longest, displacement: scalars.lr * longest }
    }

    fn pace(&self) -> f64 {
        if self.momentum == 0.0 { 1.0 } else { (1.0 - self.dampening) / (1.0 - self.momentum) }
    }

    fn rule<'a, T: Real>(&self, Scalars { lr, form, .. }: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        let rate = *lr;
        match form {
            Form::Plain => Motion { rule: &Plain, rate },
            Form::First(rule) => Motion { rule, rate },
            Form::Later(rule) => Motion { rule, rate },
            Form::FirstNesterov(rule) => Motion { rule, rate },
            Form::LaterNesterov(rule) => Motion { rule, rate },
        }
    }
}

impl Sgd {
    /// Returns a bound on |u|/|g|: the buffer is a geometric sum, |b|
    /// ≤ |g|·max(1, |1 − δ|)/(1 − μ). A buffer that never forgets has none.
    fn longest(&self, eps: f64) -> f64 {
        // Each step of the sum is rounded.
        let forgotten = (1.0 - self.momentum * (1.0 + 4.0 * eps)).max(0.0);
        let buffer = (1.0 - self.dampening).abs().max(1.0) / forgotten;
        if self.nesterov { 1.0 + self.momentum * buffer } else { buffer }
    }
}

compiled!(Sgd);
algorithm!(Sgd: Sgd = "sgd");

#[derive(Clone, Copy, Debug)]
struct Plain;

impl<T: Real> Rule<T> for Plain {
    type State = [T; 0];
    const FUSED: bool = true;
    const FUSED_WITH_ALL: bool = true;
    const PLAIN: bool = true;

    #[inline(always)]
    fn update(&self, _x: T, g: T, []: [T; 0]) -> (Move<T>, [T; 0]) {
        (Move::along(g), [])
    }
}

/// Momentum. The first step is a rule of its own: it takes the whole gradient, whatever the
/// dampening, and as a copy, which keeps a −0 that 0·μ + g would lose.
#[derive(Clone, Copy, Debug)]
struct Momentum<T, const FIRST: bool, const NESTEROV: bool> {
    mu: T,
    take: T,
}

impl<T: Real, const FIRST: bool, const NESTEROV: bool> Rule<T> for Momentum<T, FIRST, NESTEROV> {
    type State = [T; 1];
    const FUSED: bool = !FIRST;
    const FUSED_WITH_ALL: bool = !FIRST;
    const PLAIN: bool = true;

    #[inline(always)]
    fn update(&self, _x: T, g: T, [b]: [T; 1]) -> (Move<T>, [T; 1]) {
        let b = if FIRST { g } else { g.mul_add(self.take, b * self.mu) };
        let u = if NESTEROV { b.mul_add(self.mu, g) } else { b };
        (Move::along(u), [b])
    }
}
