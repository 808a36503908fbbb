//! Stochastic gradient descent: plain, with momentum, with Nesterov momentum.

use std::fmt;

use super::{Formula, Rule, compiled};
use crate::error::{Error, Result, in_range};
use crate::float::Real;
use crate::kernel::Job;
use crate::settings::Settings;

/// SGD, with heavy-ball or Nesterov momentum.
///
/// ```text
/// μ = 0:      u = g
/// μ ≠ 0:      b₁ = g₁,   b_t = μ·b_{t−1} + (1 − δ)·g_t
///             u = b,     Nesterov: u = g + μ·b
/// always:     x ← x − η·u
/// ```
///
/// | setting | symbol | default | allowed |
/// |---|---|---|---|
/// | [`Sgd::new`]`(lr)` | η | – | finite, ≥ 0 |
/// | [`momentum`](Settings::momentum) | μ | 0 | finite, ≥ 0 |
/// | [`dampening`](Settings::dampening) | δ | 0 | finite |
/// | [`nesterov`](Settings::nesterov) | | off | needs μ > 0 and δ = 0 |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) |
///
/// State per weight: none, or one column `momentum_buffer` with momentum. The learning rate stands outside the buffer, so a
/// schedule acts at once. The first step copies the gradient into the buffer, without dampening.
///
/// # Differences
///
/// * PyTorch: none; the same bits as `torch.optim.SGD(fused=True)` 2.15. Its `weight_decay` is
///   [`Decay::coupled_l2`](crate::Decay::coupled_l2).
/// * Keras, TensorFlow and Sutskever et al. (2013) keep the learning rate inside the buffer: a different trajectory under a
///   schedule. Keras's `weight_decay` is [`Decay::decoupled`](crate::Decay::decoupled).
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
/// Robbins & Monro, *A Stochastic Approximation Method* (1951); Polyak (1964) for the heavy ball; Sutskever et al., *On the
/// importance of initialization and momentum in deep learning*, ICML 2013, for the form of Nesterov's momentum.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
}

impl Sgd {
    /// SGD at learning rate `lr`, without momentum and without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { momentum: 0.0, dampening: 0.0, nesterov: false }, lr)
    }
}

impl<S> Settings<Sgd, S> {
    /// The share μ of the momentum buffer that is kept at each step.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.algorithm.momentum = momentum;
        self
    }

    /// The share δ of a gradient that does not enter the buffer (never of the first gradient).
    #[must_use]
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.algorithm.dampening = dampening;
        self
    }

    /// Nesterov momentum: the step looks ahead along the buffer, u = g + μ·b.
    #[must_use]
    pub fn nesterov(mut self) -> Self {
        self.algorithm.nesterov = true;
        self
    }
}

impl fmt::Display for Sgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nesterov = if self.nesterov { ", nesterov" } else { "" };
        write!(f, "sgd(momentum {}, dampening {}{nesterov})", self.momentum, self.dampening)
    }
}

/// What a step of SGD is made of.
#[derive(Clone, Copy, Debug)]
pub struct Scalars {
    lr: f64,
    first: bool,
}

impl Formula for Sgd {
    type Scalars = Scalars;

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

    fn columns(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    fn scalars(&self, lr: f64, t: u64) -> Scalars {
        Scalars { lr, first: t == 1 }
    }

    fn unbounded(&self, _scalars: &Scalars) -> [(&'static str, f64); 2] {
        [("momentum", self.momentum), ("dampening", self.dampening)]
    }

    fn sweep<T: Real>(&self, &Scalars { lr, first }: &Scalars, job: Job<'_, T>) {
        let (mu, take) = (T::of(self.momentum), T::of(1.0 - self.dampening));
        match (self.momentum == 0.0, first, self.nesterov) {
            (true, ..) => job.run(Plain, lr),
            (_, true, false) => job.run(Momentum::<T, true, false> { mu, take }, lr),
            (_, false, false) => job.run(Momentum::<T, false, false> { mu, take }, lr),
            (_, true, true) => job.run(Momentum::<T, true, true> { mu, take }, lr),
            (_, false, true) => job.run(Momentum::<T, false, true> { mu, take }, lr),
        }
    }
}

compiled!(Sgd: f32, f64);

#[derive(Clone, Copy)]
struct Plain;

impl<T: Real> Rule<T, 0> for Plain {
    #[inline(always)]
    fn update(&self, g: T, []: [T; 0]) -> (T, [T; 0]) {
        (g, [])
    }
}

/// The first step is a rule of its own: a copy of the gradient keeps a −0, which 0·μ + g would lose.
#[derive(Clone, Copy)]
struct Momentum<T, const FIRST: bool, const NESTEROV: bool> {
    mu: T,
    take: T,
}

impl<T: Real, const FIRST: bool, const NESTEROV: bool> Rule<T, 1> for Momentum<T, FIRST, NESTEROV> {
    #[inline(always)]
    fn update(&self, g: T, [b]: [T; 1]) -> (T, [T; 1]) {
        let b = if FIRST { g } else { g.mul_add(self.take, b * self.mu) };
        let u = if NESTEROV { b.mul_add(self.mu, g) } else { b };
        (u, [b])
    }
}
