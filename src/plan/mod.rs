//! What can be worked out before a run.
//!
//! | question | answer |
//! |---|---|
//! | which share of a weight goes in one step? | [`share_at_peak`] |
//! | what is this decay in those units? | [`in_units`] |
//! | what are the last weights made of? | [`contributions`] |
//! | how large do weights become, how fast do they turn, how long do they remember? | [`Equilibrium`] |
//! | what about four times the batch, the width, the data? | [`ScalingRule`] |
//!
//! Nothing here changes an optimizer: functions take numbers and return numbers. Each says where it
//! is exact and where it is a model.

mod contributions;
mod equilibrium;
mod scaling;
mod share;
mod units;

pub use contributions::{Contributions, contributions};
pub use equilibrium::Equilibrium;
pub use scaling::{ScalingRule, Tuned};
pub use share::share_at_peak;
pub use units::{Units, in_units};
