//! LAMB: Adam under a trust ratio. It is a constructor and the ratio.

use std::fmt;
use std::str::FromStr;

use super::Adam;
use crate::engine::{Algorithm, Prepared, Settings, algorithm};
use crate::error::{Error, Result, in_range};
use crate::number::Number;
use crate::text::Arguments;

/// LAMB, layer-wise adaptive moments: Adam's step, decay included, made as long as the layer's
/// weights times the learning rate.
///
/// ```text
/// r = m̂ / (√v̂ + ε) + decay          m̂, v̂ as in Adam, corrected for their bias
/// x ← x − η·φ·r                       φ = ‖x‖ / ‖r‖,  1 where a norm is 0
/// ```
///
/// LAMB is [`Adam`]'s formula under its own name, with ε = 1e-6 and [`TrustRatio::Lamb`]; every
/// setting of Adam is there. The norms are those of the whole parameter, before the step. Any decay
/// works inside the ratio, which then multiplies its share s and its threshold too: the paper's
/// `λx` is [`Decay::decoupled`](crate::Decay::decoupled)`(λ)`.
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Lamb::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.999 | [0, 1) | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-6 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`trust_ratio`](Settings::trust_ratio) | φ | [`TrustRatio::Lamb`] | see [`TrustRatio`] | see there |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// A step reads the parameter twice: once for the norms, before anything is written,
/// once for the update.
///
/// # Differences
///
/// * The paper's φ may clip ‖x‖; here, as in optax, it does not; [`TrustRatio::clamped`]
///   bounds the ratio.
/// * optax: the same. Keras decays outside the ratio, timm switches the ratio off where there is no
///   decay, pytorch_optimizer decays outside and clamps ‖x‖ at 10; PyTorch has no LAMB.
///
/// # Example
///
/// ```
/// use wane::{Decay, Lamb, Optimizer, Param, Selector, TrustRatio};
///
/// let mut opt = Lamb::new(0.01)
///     .weight_decay(Decay::decoupled(0.01))
///     .group("plain", |s| s.weight_decay(Decay::none()).trust_ratio(TrustRatio::Off))
///     .assign("plain", Selector::rank_below(2))
///     .build()?;
/// let mut w = [3.0_f64, 4.0];
/// opt.step(&mut [Param::new("w", &mut w, &[1.0, -1.0]).shape(&[1, 2])])?;
/// let moved = ((3.0 - w[0]).powi(2) + (4.0 - w[1]).powi(2)).sqrt();
/// assert!((moved - 0.01 * 5.0).abs() < 1e-12);                            // η·‖x‖, whatever the gradient
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// You et al., *Large Batch Optimization for Deep Learning: Training BERT in 76 minutes*, ICLR
/// 2020, arXiv 1904.00962.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamb;

algorithm!(Lamb: Adam = "lamb");

impl Lamb {
    /// Returns the settings of Adam under LAMB's trust ratio at learning rate η = `lr`, with ε =
    /// 1e-6 and without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Adam::new(lr).named::<Self>().eps(1e-6).trust_ratio(TrustRatio::Lamb)
    }
}

/// A factor φ on the whole displacement of a parameter, decay included, from the norms
/// of the parameter.
///
/// | value | text | φ |
/// |---|---|---|
/// | `Off` | `off` | 1 |
/// | `Lamb` | `lamb` | ‖x‖ / ‖r‖, 1 where a norm is 0 |
/// | [`clamped`](Self::clamped)`(min, max)` | `clamped:0.01,10` | the same, held within \[min, max\] |
///
/// r is the displacement per unit of learning rate. A layer that starts from weights of nearly 0
/// crawls under the plain ratio, as its steps are as short as its weights; a least ratio helps it.
/// Bounds are finite, 0 ≤ min ≤ max; else `build` returns [`OutOfRange`](Error::OutOfRange).
///
/// A norm that is not finite is an error before anything is written,
/// [`NonFiniteNorm`](Error::NonFiniteNorm) (under [`NonFinite::Propagate`](crate::NonFinite) it
/// makes the parameter NaN), and so is a decoupled decay whose share φ·s is 1 or more while the
/// whole displacement is as long as the weights, [`ShrinkUnderTrust`](Error::ShrinkUnderTrust): it
/// would turn them round. (A larger share is no harm where the update holds against it: the
/// displacement is η·‖x‖ long in all. Near an anchor that may be further than the anchor is.)
///
/// ```
/// use wane::{Lamb, Optimizer, TrustRatio};
///
/// let mut opt = Lamb::new(0.1).trust_ratio(TrustRatio::clamped(0.5, 10.0)).build()?;
/// let mut w = [1e-6_f64];
/// opt.step_slice(&mut w, &[1.0])?;
/// assert!((w[0] + 0.05).abs() < 1e-5);       // 0.1·0.5; the plain ratio would move it by 1e-7
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum TrustRatio {
    /// The displacement as the optimizer makes it.
    #[default]
    Off,
    /// φ = ‖x‖ / ‖r‖ with r the displacement per unit of learning rate: LAMB.
    Lamb,
    /// LAMB's ratio within bounds.
    Clamped {
        /// The least ratio.
        min: f64,
        /// The largest ratio.
        max: f64,
    },
}

impl TrustRatio {
    /// Returns LAMB's ratio, held within [`min`, `max`].
    #[must_use]
    pub fn clamped(min: f64, max: f64) -> Self {
        Self::Clamped { min, max }
    }

    pub(super) fn check(self) -> Result<()> {
        let Self::Clamped { min, max } = self else { return Ok(()) };
        in_range("least trust ratio", min, min >= 0.0, "a finite number, at least 0")?;
        in_range("largest trust ratio", max, max >= min, "a finite number, at least as large as the least ratio")
    }

    /// Returns φ from ‖x‖ and ‖η·r‖. A NaN norm gives a NaN, never 1.
    pub(super) fn of(self, [weights, displacement]: [f64; 2], lr: f64) -> Prepared {
        let plain = if weights == 0.0 || displacement == 0.0 { 1.0 } else { lr * weights / displacement };
        let ratio = match self {
            Self::Off => 1.0,
            Self::Lamb => plain,
            Self::Clamped { min, max } => plain.clamp(min, max),
        };
        Prepared { rate: ratio, decay: ratio, weights, displacement }
    }
}

impl fmt::Display for TrustRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Off => f.write_str("off"),
            Self::Lamb => f.write_str("lamb"),
            Self::Clamped { min, max } => write!(f, "clamped:{},{}", Number(min), Number(max)),
        }
    }
}

impl FromStr for TrustRatio {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, mut next) = Arguments::of("trust ratio", text);
        let ratio = match word {
            "off" => Self::Off,
            "lamb" => Self::Lamb,
            "clamped" => Self::clamped(next.take("the least ratio")?, next.take("the largest ratio")?),
            _ => return Err(next.error("off, lamb or clamped:min,max")),
        };
        ratio.check()?;
        next.end(ratio)
    }
}

impl<A: Algorithm<Hyperparameters = Adam>, S> Settings<A, S> {
    /// Sets the trust ratio of each parameter; in a group, [`TrustRatio::Off`] leaves
    /// its parameters out.
    #[must_use]
    pub fn trust_ratio(mut self, trust: TrustRatio) -> Self {
        self.algorithm.trust = trust;
        self
    }
}
