//! The share of a weight that a step removes, and the learning rates that it is measured in.

/// The share s = rate·λ of a weight, kept as its two factors: 1 − s is then rounded once, as
/// PyTorch's kernels do it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShrinkFraction {
    pub(crate) rate: f64,
    pub(crate) lambda: f64,
}

impl ShrinkFraction {
    pub(crate) const NONE: Self = Self { rate: 0.0, lambda: 0.0 };

    /// Returns the share for a displacement that is `trust` times as long.
    pub(crate) fn times(self, trust: f64) -> Self {
        Self { rate: self.rate * trust, ..self }
    }

    /// Returns s.
    pub(crate) fn removed(self) -> f64 {
        self.rate * self.lambda
    }

    /// Returns whether it is that of a wall, which no finite strength is.
    pub(crate) fn is_hard(self) -> bool {
        self.rate == f64::INFINITY
    }

    /// Returns 1 − s, rounded once in f64.
    pub(crate) fn kept(self) -> f64 {
        (-self.rate).mul_add(self.lambda, 1.0)
    }
}

/// The learning rates that a strength is measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// η_t, with the group's factor.
    pub(crate) now: f64,
    /// η_t/η_peak, which no group's factor changes.
    pub(crate) relative: f64,
}

impl Rates {
    /// Returns the rates where the schedule stands at `multiplier`.
    pub(crate) fn at(peak: f64, multiplier: f64, factor: f64) -> Self {
        let rate = peak * multiplier;
        Self { now: rate * factor, relative: rate / peak }
    }

    /// Returns the rates where the learning rate, before the group's factor, is `rate`.
    pub(crate) fn now(peak: f64, rate: f64, factor: f64) -> Self {
        Self { now: rate * factor, relative: rate / peak }
    }
}
