//! Where the size of the weights settles under decay.

use std::f64::consts::PI;

use super::share::share_at_peak;
use crate::decay::{Decay, Penalty, Place, Strength};
use crate::error::{Error, Result, in_range};

/// The state in which decay and updates balance: how large the weights are, how far they turn in
/// a step, how long they remember.
///
/// The model is a random walk: gradients that are independent from step to step, Gaussian, and
/// equally large for all weights of a parameter that has many. Under it the results are those of a
/// linear recursion, exact where no word below says otherwise. In training it is good for weights
/// before a normalisation, whose gradient is orthogonal to them; where the loss itself pulls on
/// the size of weights it is a scale, not a prediction. Rates and strengths are those at the
/// peak: under a schedule the equilibrium moves, and the weights follow with their timescale.
///
/// With η = `lr`, s the [share](super::share_at_peak) of the decay (ηλ for lr-scaled decay) and
/// a = 1 − s:
///
/// | optimizer | RMS of the weights | 1 − cos of the angle | timescale |
/// |---|---|---|---|
/// | [`adamw`](Self::adamw) | η·√(U·(1 + 2aq)/(s(1 + a))), U = (1 − β₁)/(1 + β₁), q = β₁/(1 − aβ₁) | s(1 − sq)/(1 + 2aq) | 1/s |
/// | [`lion`](Self::lion) | the same with U = 1, q = (2/π)·ρ/(1 − aβ₂) | the same | 1/s |
/// | [`sgd`](Self::sgd) | (η·γ²·(1 + μ)/(λ(1 − μ)(2(1 + μ) − ηλ)))^¼ | ηλ/(1 + μ) | (1 − μ)/(ηλ) |
///
/// For small s that is, with lr-scaled λ:
///
/// | optimizer | RMS | angle |
/// |---|---|---|
/// | AdamW | √(η/(2λ)) | √(2ηλ(1 − β₁)/(1 + β₁)) |
/// | Lion | √(η/(2λ))·√(1 + 2q) | √(2ηλ/(1 + 2q)) |
/// | SGD | (ηγ²/(2λ(1 − μ)))^¼ | √(2ηλ/(1 + μ)) |
///
/// # Example
///
/// ```
/// use wane::{Decay, plan::Equilibrium};
///
/// let settled = Equilibrium::adamw(1e-3, 0.9, &Decay::decoupled(0.1))?;
/// assert!((settled.rms - (1e-3_f64 / 0.2).sqrt()).abs() < 1e-4);
/// assert!((settled.angle - (2.0 * 1e-4 * 0.1 / 1.9_f64).sqrt()).abs() < 1e-6);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Kosson, Messmer & Jaggi, *Rotational Equilibrium*, ICML 2024, arXiv 2305.17212, whose formulas are those
/// for small s; the exact ones are the variance and the correlation of the recursion
/// x ← a·x − η·u with u of a known correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Equilibrium {
    /// The root of the mean square of the weights.
    pub rms: f64,
    /// The angle between the weights before and after a step, in radians.
    pub angle: f64,
    /// The number of steps after which about 1/e of the weights' start is left.
    pub timescale: f64,
}

impl Equilibrium {
    /// Returns the equilibrium of AdamW with β₁ = `beta1` and decoupled L2.
    ///
    /// | argument | symbol | allowed | else |
    /// |---|---|---|---|
    /// | `lr` | η | finite, > 0 | [`OutOfRange`](Error::OutOfRange) |
    /// | `beta1` | β₁ | [0, 1) | [`OutOfRange`](Error::OutOfRange) |
    /// | `decay` | s | decoupled L2 | [`Conflict`](Error::Conflict) |
    /// | its share | s | (0, 1) | [`OutOfRange`](Error::OutOfRange) |
    ///
    /// Takes √v̂ + ε as the RMS of the gradient: off by about 1 − β₂, and by more where ε is not
    /// small beside it.
    pub fn adamw(lr: f64, beta1: f64, decay: &Decay) -> Result<Self> {
        let s = decayed_share(lr, decay)?;
        in_beta("beta1", beta1)?;
        let mean_square = (1.0 - beta1) / (1.0 + beta1);
        Ok(Self::of_walk(lr, s, mean_square, beta1 / (1.0 - (1.0 - s) * beta1)))
    }

    /// Returns the equilibrium of Lion with β₁ = `beta1`, β₂ = `beta2` and decoupled L2.
    ///
    /// A step has the sign of c = β₁·m + (1 − β₁)·g, which the next steps repeat; ρ is the correlation of c
    /// with the c of the step before:
    ///
    /// ```text
    /// r = β₁²(1 − β₂)/(1 + β₂)        ρ = (β₁(1 − β₁)(1 − β₂) + β₂·r)/((1 − β₁)² + r)
    /// ```
    ///
    /// | argument | symbol | allowed | else |
    /// |---|---|---|---|
    /// | `lr` | η | finite, > 0 | [`OutOfRange`](Error::OutOfRange) |
    /// | `beta1`, `beta2` | β₁, β₂ | [0, 1) | [`OutOfRange`](Error::OutOfRange) |
    /// | `decay` | s | decoupled L2 | [`Conflict`](Error::Conflict) |
    /// | its share | s | (0, 1) | [`OutOfRange`](Error::OutOfRange) |
    ///
    /// An approximation: signs correlate by (2/π)·asin ρ, taken as (2/π)·ρ. At the default betas the RMS is
    /// too small by about 0.5 %, and the angle as much too large; where β₁ is near 1 by up to a fifth.
    pub fn lion(lr: f64, [beta1, beta2]: [f64; 2], decay: &Decay) -> Result<Self> {
        let s = decayed_share(lr, decay)?;
        in_beta("beta1", beta1)?;
        in_beta("beta2", beta2)?;
        let of_momentum = beta1 * beta1 * (1.0 - beta2) / (1.0 + beta2);
        let with_next = beta1 * (1.0 - beta1) * (1.0 - beta2) + beta2 * of_momentum;
        let correlation = with_next / ((1.0 - beta1) * (1.0 - beta1) + of_momentum);
        Ok(Self::of_walk(lr, s, 1.0, 2.0 / PI * correlation / (1.0 - (1.0 - s) * beta2)))
    }

    /// Returns the equilibrium of SGD with μ = `momentum` and coupled L2, for weights whose gradient
    /// falls as they grow: those before a normalisation.
    ///
    /// γ = `gradient` is the RMS of the gradient times the RMS of the weights, the same number all along the run
    /// for such weights.
    ///
    /// | argument | symbol | allowed | else |
    /// |---|---|---|---|
    /// | `lr` | η | finite, > 0 | [`OutOfRange`](Error::OutOfRange) |
    /// | `momentum` | μ, without dampening or Nesterov | [0, 1) | [`OutOfRange`](Error::OutOfRange) |
    /// | `decay` | λ | coupled L2 | [`Conflict`](Error::Conflict) |
    /// | `gradient` | γ | finite, > 0 | [`OutOfRange`](Error::OutOfRange) |
    /// | what goes in the long run | ηλ/(1 − μ) | (0, 1) | [`OutOfRange`](Error::OutOfRange) |
    ///
    /// The timescale is that for small ηλ.
    pub fn sgd(lr: f64, momentum: f64, decay: &Decay, gradient: f64) -> Result<Self> {
        const ABOVE_0: &str = "a finite number above 0";
        decay.check()?;
        in_range("learning rate", lr, lr > 0.0, ABOVE_0)?;
        in_beta("momentum", momentum)?;
        in_range("gradient", gradient, gradient > 0.0, ABOVE_0)?;
        let (Penalty::L2, Place::Coupled, Strength::LrScaled(lambda)) = decay.parts() else {
            return Err(Error::conflict("equilibrium of SGD", "coupled L2 of a fixed strength", format!("`{decay}`")));
        };
        let s = lr * lambda;
        in_share(s / (1.0 - momentum))?;
        let sum = 1.0 + momentum;
        // γ²·(lr/λ·…) could overflow where its fourth root does not.
        let rms = (lr / lambda * sum / ((1.0 - momentum) * (2.0 * sum - s))).sqrt().sqrt() * gradient.sqrt();
        Ok(Self { rms, angle: angle(s / sum), timescale: (1.0 - momentum) / s })
    }

    /// Returns the equilibrium of x ← (1 − s)·x − η·u, where u has this mean square, and q is
    /// Σ aʲ⁻¹·ρ_j over j ≥ 1, with ρ_j the correlation of directions j steps apart.
    fn of_walk(lr: f64, s: f64, mean_square: f64, q: f64) -> Self {
        let a = 1.0 - s;
        let repeated = 1.0 + 2.0 * a * q;
        let rms = lr * (mean_square * repeated / (s * (1.0 + a))).sqrt();
        Self { rms, angle: angle(s * (1.0 - s * q) / repeated), timescale: 1.0 / s }
    }
}

/// Returns the share of a decay that decays.
fn decayed_share(lr: f64, decay: &Decay) -> Result<f64> {
    let s = share_at_peak(decay, lr)?;
    in_share(s)?;
    Ok(s)
}

fn in_share(s: f64) -> Result<()> {
    in_range("share of a weight", s, s > 0.0 && s < 1.0, "in (0, 1)")
}

fn in_beta(name: &'static str, beta: f64) -> Result<()> {
    in_range(name, beta, (0.0..1.0).contains(&beta), "in [0, 1)")
}

/// Returns the angle from 1 − cos, without the loss of digits of `acos`.
fn angle(one_minus_cos: f64) -> f64 {
    2.0 * (one_minus_cos / 2.0).sqrt().asin()
}
