//! Settings for another batch, width or amount of data.

use std::fmt;

use crate::error::{Result, in_range};

/// The numbers of AdamW that were tuned at one size, to be carried to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuned {
    /// η, the peak learning rate; finite, ≥ 0.
    pub lr: f64,
    /// β₁, in [0, 1).
    pub beta1: f64,
    /// β₂, in [0, 1).
    pub beta2: f64,
    /// ε; finite, ≥ 0.
    pub eps: f64,
    /// λ in lr-scaled units, that of [`Decay::decoupled`](crate::Decay::decoupled); finite, ≥ 0.
    pub lambda: f64,
}

impl Tuned {
    fn check(&self) -> Result<()> {
        const AT_LEAST_0: &str = "a finite number, at least 0";
        let Self { lr, beta1, beta2, eps, lambda } = *self;
        for (name, number) in [("learning rate", lr), ("eps", eps), ("weight decay", lambda)] {
            in_range(name, number, number >= 0.0, AT_LEAST_0)?;
        }
        for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
            in_range(name, beta, (0.0..1.0).contains(&beta), "in [0, 1)")?;
        }
        Ok(())
    }
}

/// A rule that carries [tuned](Tuned) settings to a size that is κ times as large.
///
/// | rule | κ | what changes | what it holds | source |
/// |---|---|---|---|---|
/// | [`BatchPerSample`](Self::BatchPerSample) | batch | λ·κ | the shrink per sample, ηλ/B | Bergsma et al., *Power Lines*, arXiv 2505.13738 |
/// | [`BatchSde`](Self::BatchSde) | batch | η·√κ, 1 − β → κ(1 − β), ε/√κ, λ·√κ | the same, and the noise of an SDE | Malladi et al., arXiv 2205.10287 (λ: of the shrink per sample) |
/// | [`WidthGain`](Self::WidthGain) | width | η/κ, λ·√κ | the gain of a layer | Fan et al., arXiv 2510.15262 |
/// | [`WidthShrink`](Self::WidthShrink) | width | η/κ, λ·κ | the shrink per step, ηλ | Wang & Aitchison, arXiv 2405.13698 |
/// | [`Dataset`](Self::Dataset) | steps per epoch | λ/κ | the timescale in epochs, 1/(ηλM) | Wang & Aitchison, arXiv 2405.13698 |
///
/// They are rules, not laws, and where two answer the same question they differ. What is known of their limits:
///
/// * `BatchPerSample` was found for language models at a fixed number of tokens, below the batch at
///   which more samples stop to help.
/// * `BatchSde` is for gradients that are mostly noise; it ends where κ(1 − β) passes 1, an error. Warm-up
///   and other counts of steps are divided by κ, by hand.
/// * `WidthGain` and `WidthShrink` are for matrices whose input grows, under a learning rate that falls with the width as
///   in μP; biases, gains and embeddings keep theirs. They differ by √κ in λ: the first looks at the largest
///   singular value of AdamW's steady state, measured to go with √(η/λ)·d^0.75 at width d, the second at its memory.
/// * `Dataset` is for κ times the data at the same number of epochs; more epochs over the same data change
///   nothing. In a single epoch the best timescale is no constant share of the run: it falls as
///   tokens per parameter grow (*Power Lines*).
///
/// # Example
///
/// ```
/// use wane::plan::{ScalingRule, Tuned};
/// use wane::{AdamW, Decay};
///
/// let small = Tuned { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, lambda: 0.1 };
/// let large = ScalingRule::BatchPerSample.apply(small, 4.0)?;
/// assert_eq!(large, Tuned { lambda: 0.4, ..small });
/// assert_eq!(ScalingRule::BatchPerSample.to_string(), "constant shrink per sample: λ·κ");
///
/// let settings = AdamW::new(large.lr).betas(large.beta1, large.beta2).eps(large.eps);
/// let opt = settings.weight_decay(Decay::decoupled(large.lambda)).build::<f32>()?;
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScalingRule {
    /// κ times the batch at the same learning rate: λ·κ.
    BatchPerSample,
    /// κ times the batch, as samples of one stochastic differential equation: η·√κ,
    /// 1 − β → κ(1 − β), ε/√κ, λ·√κ.
    BatchSde,
    /// κ times the width, the gain of a layer held: η/κ, λ·√κ.
    WidthGain,
    /// κ times the width, ηλ held: η/κ, λ·κ.
    WidthShrink,
    /// κ times the steps per epoch, the timescale in epochs held: λ/κ.
    Dataset,
}

impl ScalingRule {
    /// Returns the settings at κ = `factor` times the size.
    ///
    /// | argument | allowed | else |
    /// |---|---|---|
    /// | `tuned` | see [`Tuned`] | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | `factor` | finite, > 0 | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | what comes out | as `tuned` | [`OutOfRange`](crate::Error::OutOfRange) |
    pub fn apply(self, tuned: Tuned, factor: f64) -> Result<Tuned> {
        tuned.check()?;
        in_range("factor", factor, factor > 0.0, "a finite number above 0")?;
        let scaled = self.scaled(tuned, factor);
        scaled.check()?;
        Ok(scaled)
    }

    fn scaled(self, tuned: Tuned, kappa: f64) -> Tuned {
        let Tuned { lr, beta1, beta2, eps, lambda } = tuned;
        let root = kappa.sqrt();
        match self {
            Self::BatchPerSample => Tuned { lambda: lambda * kappa, ..tuned },
            Self::BatchSde => Tuned {
                lr: lr * root,
                beta1: 1.0 - kappa * (1.0 - beta1),
                beta2: 1.0 - kappa * (1.0 - beta2),
                eps: eps / root,
                lambda: lambda * root,
            },
            Self::WidthGain => Tuned { lr: lr / kappa, lambda: lambda * root, ..tuned },
            Self::WidthShrink => Tuned { lr: lr / kappa, lambda: lambda * kappa, ..tuned },
            Self::Dataset => Tuned { lambda: lambda / kappa, ..tuned },
        }
    }
}

/// Says which rule it is, and what it changes.
impl fmt::Display for ScalingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BatchPerSample => "constant shrink per sample: λ·κ",
            Self::BatchSde => "SDE rule of the batch: η·√κ, 1 − β → κ(1 − β), ε/√κ, λ·√κ",
            Self::WidthGain => "gain of a layer held over widths: η/κ, λ·√κ",
            Self::WidthShrink => "ηλ held over widths: η/κ, λ·κ",
            Self::Dataset => "timescale in epochs held: λ/κ",
        })
    }
}
