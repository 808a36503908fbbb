//! LAMB: Adam under a trust ratio; a constructor and the ratio.

use std::fmt;
use std::str::FromStr;

use super::Adam;
use crate::error::{Error, Result};
use crate::settings::Settings;

/// LAMB, layer-wise adaptive moments: Adam's step, decay included, made as long as the layer's weights times the rate.
///
/// ```text
/// r = m̂ / (√v̂ + ε) + decay          m̂, v̂ as in Adam, corrected for their bias
/// x ← x − η·φ·r                       φ = ‖x‖ / ‖r‖,  1 where a norm is 0
/// ```
///
/// LAMB is a constructor for [`Adam`]'s settings with ε = 1e-6 and [`TrustRatio::Lamb`]; every setting of Adam is there. The
/// norms are those of the whole parameter, before the step. Any decay works inside the ratio, which then multiplies its share s and its
/// threshold too: the paper's `λx` is [`Decay::decoupled`](crate::Decay::decoupled)`(λ)`.
///
/// | setting | symbol | default | allowed |
/// |---|---|---|---|
/// | [`Lamb::new`]`(lr)` | η | – | finite, ≥ 0 |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.999 | [0, 1) |
/// | [`eps`](Settings::eps) | ε | 1e-6 | finite, ≥ 0 |
/// | [`trust_ratio`](Settings::trust_ratio) | φ | [`TrustRatio::Lamb`] | |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) |
///
/// A step reads the parameter twice: once for the norms, before anything is written, once for the update.
///
/// # Differences
///
/// * The paper's φ may clip ‖x‖; here, as in optax, it does not.
/// * optax: the same. Keras decays outside the ratio, timm switches the ratio off where there is no decay, pytorch_optimizer
///   decays outside and clamps ‖x‖ at 10; PyTorch has no LAMB.
///
/// # Example
///
/// ```
/// use wane::{Decay, Lamb, Optimizer, Param, Policy, TrustRatio};
///
/// let mut opt = Lamb::new(0.01)
///     .weight_decay(Decay::decoupled(0.01))
///     .group("plain", |s| s.weight_decay(Decay::none()).trust_ratio(TrustRatio::Off))
///     .assign("plain", Policy::rank_below(2))
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
/// You et al., *Large Batch Optimization for Deep Learning: Training BERT in 76 minutes*, ICLR 2020, arXiv 1904.00962.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamb;

impl Lamb {
    /// Adam under LAMB's trust ratio at learning rate `lr`, with ε = 1e-6 and without decay.
    #[expect(clippy::new_ret_no_self, reason = "LAMB is a setting of Adam")]
    #[must_use]
    pub fn new(lr: f64) -> Settings<Adam> {
        Adam::new(lr).eps(1e-6).trust_ratio(TrustRatio::Lamb)
    }
}

/// A factor φ on the whole displacement of a parameter, decay included, from the norms of the parameter.
///
/// | value | text | φ |
/// |---|---|---|
/// | `Off` | `off` | 1 |
/// | `Lamb` | `lamb` | ‖x‖ / ‖r‖, 1 where a norm is 0 |
///
/// A norm that is not finite is an error before anything is written (under [`NonFinite::LetThrough`](crate::NonFinite) it
/// makes the parameter NaN). Squares are summed in f64: weights of f64 below 1e-162 count as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrustRatio {
    /// The displacement as the optimizer makes it.
    #[default]
    Off,
    /// φ = ‖x‖ / ‖r‖ with r the displacement per unit of learning rate: LAMB.
    Lamb,
}

impl TrustRatio {
    /// φ from ‖x‖ and ‖η·r‖. A NaN norm gives a NaN, never 1.
    pub(super) fn of(self, [weights, displacement]: [f64; 2], lr: f64) -> Trust {
        let ratio = match self {
            Self::Lamb if weights != 0.0 && displacement != 0.0 => lr * weights / displacement,
            _ => 1.0,
        };
        Trust { displacement, ratio }
    }
}

/// A trust ratio with the norm it divides by, which may be infinite where the ratio is not.
#[derive(Clone, Copy, Debug)]
pub struct Trust {
    pub(crate) displacement: f64,
    pub(crate) ratio: f64,
}

impl fmt::Display for TrustRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Lamb => "lamb",
        })
    }
}

impl FromStr for TrustRatio {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "lamb" => Ok(Self::Lamb),
            _ => Err(Error::parse("trust ratio", text, "`off` or `lamb`")),
        }
    }
}

impl<S> Settings<Adam, S> {
    /// The trust ratio of each parameter; in a group, [`TrustRatio::Off`] leaves its parameters out.
    #[must_use]
    pub fn trust_ratio(mut self, trust: TrustRatio) -> Self {
        self.algorithm.trust = trust;
        self
    }
}
