//! What happens to gradients before the optimizer: clipping, and what to do with values
//! that are not finite.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, in_range};
use crate::number::Number;
use crate::text::Arguments;

/// Gradient clipping, folded into the step: gradients are never written.
///
/// | value | text form | g becomes |
/// |---|---|---|
/// | `Off` | `off` | g |
/// | `Value(v)` | `value:v` | min(max(g, −v), v) |
/// | `GlobalNorm(c)` | `global-norm:c` | g·min(1, c/(‖g‖ + 1e-6)), PyTorch's `clip_grad_norm_` |
/// | `OptaxGlobalNorm(c)` | `optax-global-norm:c` | g·c/‖g‖ where ‖g‖ > c, optax's `clip_by_global_norm` |
///
/// ‖g‖ is the Euclidean norm over all gradients of the step that are not frozen, after the gradient
/// factor, in f64. The factor is multiplied with the gradient factor and rounded once.
///
/// | number | allowed | else |
/// |---|---|---|
/// | v | finite, > 0, also in the weights' type | [`OutOfRange`] of `build` |
/// | c | finite, > 0 | [`OutOfRange`] of `build` |
/// | ‖g‖ | finite | [`NonFiniteNorm`] of the step |
/// | clip factor × gradient factor | above 0 in the weights' type | [`OutOfRange`] of the step |
///
/// What becomes of the step's errors is up to [`NonFinite`].
///
/// ```
/// use wane::{Clip, Optimizer, Sgd};
///
/// let mut opt = Sgd::new(1.0).clip(Clip::OptaxGlobalNorm(1.0)).build()?;
/// let mut w = [0.0_f64, 0.0];
/// let report = opt.step_slice(&mut w, &[3.0, -4.0])?;
/// assert_eq!(report.grad_norm(), Some(5.0));
/// assert!((w[0] + 0.6).abs() < 1e-15 && (w[1] - 0.8).abs() < 1e-15);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// [`OutOfRange`]: Error::OutOfRange
/// [`NonFiniteNorm`]: Error::NonFiniteNorm
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Clip {
    /// Gradients stay as they are.
    #[default]
    Off,
    /// Each element is held within [−v, v].
    Value(f64),
    /// The norm of all gradients is at most c, by PyTorch's formula.
    GlobalNorm(f64),
    /// The norm of all gradients is at most c, by optax's formula.
    OptaxGlobalNorm(f64),
}

impl Clip {
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::Value(bound) | Self::GlobalNorm(bound) | Self::OptaxGlobalNorm(bound) => {
                in_range("clipping bound", bound, bound > 0.0, "a finite number above 0")
            }
        }
    }

    pub(crate) fn needs_norm(self) -> bool {
        matches!(self, Self::GlobalNorm(_) | Self::OptaxGlobalNorm(_))
    }

    /// Returns the factor on every gradient. A NaN norm gives a NaN.
    pub(crate) fn factor(self, norm: f64) -> f64 {
        match self {
            Self::GlobalNorm(bound) => {
                let factor = bound / (norm + 1e-6);
                if factor > 1.0 { 1.0 } else { factor }
            }
            Self::OptaxGlobalNorm(bound) if norm > bound || norm.is_nan() => bound / norm,
            _ => 1.0,
        }
    }

    /// Returns the bound on each element.
    pub(crate) fn bound(self) -> f64 {
        if let Self::Value(bound) = self { bound } else { f64::INFINITY }
    }
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Off => write!(f, "off"),
            Self::Value(bound) => write!(f, "value:{}", Number(bound)),
            Self::GlobalNorm(bound) => write!(f, "global-norm:{}", Number(bound)),
            Self::OptaxGlobalNorm(bound) => write!(f, "optax-global-norm:{}", Number(bound)),
        }
    }
}

impl FromStr for Clip {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, mut next) = Arguments::of("clipping setting", text);
        let clip = match word {
            "off" => Self::Off,
            "value" => Self::Value(next.take("the bound")?),
            "global-norm" => Self::GlobalNorm(next.take("the bound")?),
            "optax-global-norm" => Self::OptaxGlobalNorm(next.take("the bound")?),
            _ => return Err(next.error("off, value:v, global-norm:c or optax-global-norm:c")),
        };
        clip.check()?;
        next.end(clip)
    }
}

/// What a step does about gradients that are NaN or infinite, about norms that are, and about what
/// a finite gradient would make infinite.
///
/// | value | text form | a bad gradient | cost |
/// |---|---|---|---|
/// | `Error` | `error` | is an error, and nothing has changed | one more read of the gradient |
/// | `Skip` | `skip` | skips the step: nothing changes, no count advances, the report says so | the same |
/// | `Propagate` | `propagate` | goes through the equations, see below | none |
///
/// Errors are [`NonFiniteGradient`](Error::NonFiniteGradient),
/// [`NonFiniteAnchor`](Error::NonFiniteAnchor) for what is lent as an anchor,
/// [`NonFiniteNorm`](Error::NonFiniteNorm), and [`Overflow`](Error::Overflow) where a weight or a
/// number of the state would be infinite or NaN after the step and was finite before: in `f32`
/// Adam's second moment from gradients of about 2e19 on, every optimizer at about 1e38, and with
/// ε = 0 a weight that has seen no gradient (0/0). Usually bounds that come with the norm are
/// enough to rule this out. Only beyond gradients of 1e18, with ε = 0, with μ ≥ 1, or in a group of
/// other options than those that made the state, the step is rehearsed on copies, which takes twice
/// the time and, once, as much memory as the parameter. Under coupled decay and towards anchors,
/// weights count as well. They are read when a parameter is first seen, and again where the bounds
/// have become wide; weights beyond 1e18 that are put in later, from outside, are not noticed.
///
/// A skipped step makes new names known and captures their anchors; no weight, no state and
/// no count changes.
///
/// Under `Propagate` a bad gradient g leaves, without clipping by norm, adaptive decay
/// or a trust ratio:
///
/// | optimizer | g = NaN | g = ±∞ |
/// |---|---|---|
/// | SGD | weight NaN | weight ∓∞; with coupled decay NaN in the next step |
/// | SGD with momentum | weight and buffer NaN | weight ∓∞, buffer ±∞; NaN once an infinity of the other sign comes |
/// | Adam, AdamW | weight and moments NaN | weight NaN; m = ±∞, v = ∞, in the next step m = NaN |
/// | Lion | weight and momentum NaN | weight finite, momentum ±∞ for good: from then on always the same sign |
///
/// and no other weight is touched. [`Clip::Value`] turns an infinity into its bound. Where a norm
/// joins weights, a NaN makes all of them NaN; an infinity makes the factor of clipping by norm 0,
/// so that its own weight becomes NaN and all others stay as they are; trust ratios and adaptive
/// strengths become NaN or infinite with it, and so do all weights that they scale.
///
/// The extra read gives the gradient norm of the report as well, so clipping by norm
/// costs nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NonFinite {
    /// The step is refused.
    #[default]
    Error,
    /// The step is skipped.
    Skip,
    /// Gradients are not looked at.
    Propagate,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Skip => "skip",
            Self::Propagate => "propagate",
        })
    }
}

impl FromStr for NonFinite {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "error" => Ok(Self::Error),
            "skip" => Ok(Self::Skip),
            "propagate" => Ok(Self::Propagate),
            _ => Err(Error::parse("policy for non-finite gradients", text, "error, skip or propagate")),
        }
    }
}
