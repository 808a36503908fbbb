//! What a decay penalises.

use std::fmt;

use super::share::ShrinkFraction;
use super::units::choose;
use crate::error::{Result, in_range};
use crate::kernel::column::Extent;
use crate::number::Number;
use crate::text::Arguments;

/// What a decay penalises.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Penalty {
    /// (λ/2)·d²
    L2,
    /// λ·|d|
    L1,
    /// λ·(ρ·|d| + (1 − ρ)/2·d²)
    ElasticNet {
        /// ρ, the share of L1, in [0, 1].
        ratio: f64,
    },
    /// (λ/2)·d² where |d| ≤ δ, else λ·δ·(|d| − δ/2): large weights are pulled no harder than those of
    /// size δ; see [`Decay::huber`](super::Decay::huber).
    Huber {
        /// δ, finite and above 0.
        delta: f64,
    },
    /// (λ/p)·|d|^p; see [`Decay::p_norm`](super::Decay::p_norm).
    PNorm {
        /// p, finite and above 0.
        p: f64,
    },
    /// λ·√n·‖d‖ for each slice of n weights. Slices become 0 as a whole.
    GroupLasso {
        /// Over which slices.
        over: Slices,
    },
    /// (λ/2)·(‖d‖ − r)², the distance to the sphere of radius r; see [`Decay::norm`](super::Decay::norm).
    Norm {
        /// r, finite and at least 0.
        radius: f64,
    },
    /// The same with r = ratio·‖w₀‖, the norm of the parameter as it was when it was first seen; see
    /// [`Decay::start_norm`](super::Decay::start_norm).
    StartNorm {
        /// r/‖w₀‖, finite and at least 0.
        ratio: f64,
    },
    /// (λ/2)·max(|d| − b, 0)², the distance to the box [−b, b]; see [`Decay::clip`](super::Decay::clip).
    Box {
        /// b, finite and at least 0.
        bound: f64,
    },
    /// The same with b = κ/√fan_in, where fan_in is the product of all axes but the first; see
    /// [`Decay::clip_to_start`](super::Decay::clip_to_start).
    FanBox {
        /// κ, finite and at least 0.
        factor: f64,
    },
    /// (λ/2)·max(σ₁ − τ, 0)² for each matrix of the last two axes, σ₁ its largest singular value; see
    /// [`Decay::spectral`](super::Decay::spectral).
    Spectral {
        /// τ, finite and at least 0.
        bound: f64,
    },
}

/// Slices of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Slices {
    /// The slices along the first axis, each the weights of a neuron.
    Rows,
    /// The slices along the second axis, each the weights that one input of a layer has.
    Columns,
    /// All of the parameter.
    Whole,
}

impl Slices {
    /// Returns the extent of a column with a number for each slice.
    pub(super) fn extent(self) -> Extent {
        match self {
            Self::Rows => Extent::First,
            Self::Columns => Extent::Second,
            Self::Whole => Extent::One,
        }
    }
}

/// The penalties, by their words.
const PENALTIES: [(&str, Penalty); 13] = [
    ("l2", Penalty::L2),
    ("l1", Penalty::L1),
    ("elastic-net", Penalty::ElasticNet { ratio: 0.0 }),
    ("huber", Penalty::Huber { delta: 0.0 }),
    ("p-norm", Penalty::PNorm { p: 0.0 }),
    ("group-lasso", Penalty::GroupLasso { over: Slices::Rows }),
    ("column-lasso", Penalty::GroupLasso { over: Slices::Columns }),
    ("tensor-lasso", Penalty::GroupLasso { over: Slices::Whole }),
    ("norm", Penalty::Norm { radius: 0.0 }),
    ("start-norm", Penalty::StartNorm { ratio: 0.0 }),
    ("box", Penalty::Box { bound: 0.0 }),
    ("fan-box", Penalty::FanBox { factor: 0.0 }),
    ("spectral", Penalty::Spectral { bound: 0.0 }),
];

impl Penalty {
    /// Returns the penalty that `words` begin with, without its numbers, and the words after it.
    pub(super) fn read(words: &str) -> (Self, &str) {
        choose(words, PENALTIES).unwrap_or((Self::L2, words))
    }

    /// Returns the words of all penalties.
    pub(super) fn words() -> Vec<&'static str> {
        PENALTIES.iter().map(|(word, _)| *word).collect()
    }

    /// Reads its numbers.
    pub(super) fn take(self, next: &mut Arguments<'_>) -> Result<Self> {
        match self {
            Self::ElasticNet { .. } => Ok(Self::ElasticNet { ratio: next.take("the share of L1")? }),
            Self::Huber { .. } => Ok(Self::Huber { delta: next.take("delta")? }),
            Self::PNorm { .. } => Ok(Self::PNorm { p: next.take("p")? }),
            Self::Norm { .. } => Ok(Self::Norm { radius: next.take("the radius")? }),
            Self::StartNorm { .. } => Ok(Self::StartNorm { ratio: next.take("the ratio to the first norm")? }),
            Self::Box { .. } => Ok(Self::Box { bound: next.take("the bound")? }),
            Self::FanBox { .. } => Ok(Self::FanBox { factor: next.take("the factor of the bound")? }),
            Self::Spectral { .. } => Ok(Self::Spectral { bound: next.take("the bound")? }),
            other => Ok(other),
        }
    }

    /// Writes its numbers.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ElasticNet { ratio: number }
            | Self::Huber { delta: number }
            | Self::PNorm { p: number }
            | Self::Norm { radius: number }
            | Self::StartNorm { ratio: number }
            | Self::Box { bound: number }
            | Self::FanBox { factor: number }
            | Self::Spectral { bound: number } => write!(f, ",{}", Number(number)),
            Self::L2 | Self::L1 | Self::GroupLasso { .. } => Ok(()),
        }
    }

    /// Returns its word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::L1 => "l1",
            Self::ElasticNet { .. } => "elastic-net",
            Self::Huber { .. } => "huber",
            Self::PNorm { .. } => "p-norm",
            Self::GroupLasso { over: Slices::Rows } => "group-lasso",
            Self::GroupLasso { over: Slices::Columns } => "column-lasso",
            Self::GroupLasso { over: Slices::Whole } => "tensor-lasso",
            Self::Norm { .. } => "norm",
            Self::StartNorm { .. } => "start-norm",
            Self::Box { .. } => "box",
            Self::FanBox { .. } => "fan-box",
            Self::Spectral { .. } => "spectral",
        }
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::ElasticNet { ratio } => in_range("ratio of the elastic net", ratio, (0.0..=1.0).contains(&ratio), "in [0, 1]"),
            Self::Huber { delta } => in_range("delta of Huber decay", delta, delta > 0.0, "a finite number above 0"),
            Self::PNorm { p } => in_range("p of the p-norm", p, p > 0.0, "a finite number above 0"),
            Self::Norm { radius } => at_least_0("radius of the norm", radius),
            Self::StartNorm { ratio } => at_least_0("ratio of the norm", ratio),
            Self::Box { bound } => at_least_0("bound of the weights", bound),
            Self::FanBox { factor } => at_least_0("factor of the bound", factor),
            Self::Spectral { bound } => at_least_0("bound of the singular values", bound),
            Self::L2 | Self::L1 | Self::GroupLasso { .. } => Ok(()),
        }
    }

    /// Returns whether it is the squared distance to a set, where (λ/2)·dist² pulls by a share of the way.
    pub(super) fn is_to_a_set(self) -> bool {
        matches!(
            self,
            Self::Norm { .. } | Self::StartNorm { .. } | Self::Box { .. } | Self::FanBox { .. } | Self::Spectral { .. }
        )
    }

    /// Returns the parts of a share that are L1 and L2.
    pub(super) fn parts(self, share: ShrinkFraction) -> [ShrinkFraction; 2] {
        let part = |ratio: f64| ShrinkFraction { lambda: share.lambda * ratio, ..share };
        match self {
            Self::L2 => [ShrinkFraction::NONE, share],
            Self::L1 | Self::Huber { .. } | Self::PNorm { .. } | Self::GroupLasso { .. } => [share, ShrinkFraction::NONE],
            Self::ElasticNet { ratio } => [part(ratio), part(1.0 - ratio)],
            // To a set there are no parts, and it is not asked for them.
            Self::Norm { .. } | Self::StartNorm { .. } | Self::Box { .. } | Self::FanBox { .. } | Self::Spectral { .. } => {
                [ShrinkFraction::NONE; 2]
            }
        }
    }
}

fn at_least_0(name: &'static str, number: f64) -> Result<()> {
    in_range(name, number, number >= 0.0, "a finite number, at least 0")
}
