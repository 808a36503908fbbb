//! What a step returns and leaves behind: a small report, and a status for each parameter.

/// What happened in a step; small and `Copy`.
///
/// ```
/// use wane::{Optimizer, Param, Sgd};
///
/// let mut opt = Sgd::new(0.1).build()?;
/// let report = opt.step(&mut [Param::without_grad("w", &mut [1.0_f32])])?;
/// assert_eq!((report.updated(), report.left_alone(), report.skipped()), (0, 1, false));
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    pub(crate) updated: usize,
    pub(crate) left_alone: usize,
    pub(crate) grad_norm: Option<f64>,
    pub(crate) clip_factor: f64,
    pub(crate) skipped: bool,
}

impl Report {
    /// Returns how many parameters were updated.
    #[must_use]
    pub fn updated(&self) -> usize {
        self.updated
    }

    /// Returns how many parameters were given and left as they are, because they had no gradient,
    /// were frozen, or the step was skipped.
    #[must_use]
    pub fn left_alone(&self) -> usize {
        self.left_alone
    }

    /// Returns the Euclidean norm of all gradients that are not frozen, after the gradient factor
    /// and before clipping, in f64; it neither overflows nor vanishes with the squares. It is
    /// `None` where the step had no reason to look at it, which is
    /// [`NonFinite::Propagate`](crate::NonFinite::Propagate) without clipping by norm and without
    /// a group under [adaptive decay](crate::Decay::adaptive), and where the step was skipped.
    #[must_use]
    pub fn grad_norm(&self) -> Option<f64> {
        self.grad_norm
    }

    /// Returns the factor by which clipping by norm has scaled the gradients; 1 without clipping.
    #[must_use]
    pub fn clip_factor(&self) -> f64 {
        self.clip_factor
    }

    /// Returns whether the step was skipped for something that is not finite
    /// ([`NonFinite::Skip`](crate::NonFinite::Skip)).
    #[must_use]
    pub fn skipped(&self) -> bool {
        self.skipped
    }
}

/// What became of a parameter in the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Known, and in no step yet.
    Registered,
    /// Its weights took a step.
    Updated,
    /// It was given without a gradient.
    NoGradient,
    /// It, or its group, is frozen.
    Frozen,
    /// The step was skipped.
    Skipped,
    /// It was not among the step's parameters.
    Absent,
}
