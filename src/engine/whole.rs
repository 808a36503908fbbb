//! A whole parameter, as those see it that look at it before its tiles are worked on: the trust ratio,
//! the means of rows and columns, matrix products, norms.

use crate::kernel::column::Matrices;
use crate::task::{Desk, Task};

/// A parameter with its gradient and state, of which nothing has been written yet.
#[derive(Debug)]
pub(crate) struct Parameter<'a, T> {
    /// Its weights, gradients and columns; what the rule would make of them.
    pub(crate) task: Task<'a, T>,
    /// Its last two axes.
    pub(crate) of: Matrices,
    /// Its columns that have fewer numbers than weights: as they are, to be changed to what they will be.
    pub(crate) next: &'a mut [T],
    /// Columns for this step only, which the rule reads behind its state.
    pub(crate) work: &'a mut [T],
    pub(crate) lr: f64,
    pub(crate) desk: &'a mut Desk<T>,
}

/// What was found: factors on this parameter's step, and the norms that they come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    /// A factor on the update.
    pub(crate) rate: f64,
    /// A factor on the decay beside it.
    pub(crate) decay: f64,
    /// The norm of the weights, where it was looked at.
    pub(crate) weights: f64,
    /// The norm of the displacement, before the factor, which may be infinite where the factor is not.
    pub(crate) displacement: f64,
}

impl Default for Prepared {
    fn default() -> Self {
        Self { rate: 1.0, decay: 1.0, weights: 0.0, displacement: 0.0 }
    }
}
