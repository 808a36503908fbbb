//! What a decay pulls towards.

/// What the decay pulls towards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Anchor {
    /// 0.
    #[default]
    Origin,
    /// The weights as they were when the parameter was first seen; costs one column of memory.
    Start,
    /// What [`Param::anchor`](crate::Param::anchor) lends at each step.
    Given,
    /// The running average e of the weight itself, which starts from the weights as they are when
    /// the parameter is first seen: e ← β·e + (1 − β)·x after each step in which the decay acts.
    /// For decoupled L2, whose places are one there (the exponential one with its share): x ← x − (η_t·u + s·(x − e)). Costs one column
    /// of memory.
    Average {
        /// β, in [0, 1).
        beta: f64,
    },
}
