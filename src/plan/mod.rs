//! What can be worked out before a run: a decay in other units, what the last weights will be made of,
//! where their size settles, settings for another batch, width or duration, and what rounding
//! leaves of a small decay.
//!
//! | question | answer |
//! |---|---|
//! | which share of a weight goes in one step? | [`share_at_peak`] |
//! | what is this decay in those units? | [`in_units`] |
//! | what are the last weights made of? | [`contributions`] |
//! | how large do weights become, how fast do they turn, how long do they remember? | [`Equilibrium`] |
//! | what about four times the batch, the width, the data? | [`ScalingRule`] |
//! | is the share too small for `f32`? | [`really_removed`], [`Decay::is_lost_in`](crate::Decay::is_lost_in) |
//! | which module needs less, by its spectrum? | [`alpha_decay`] |
//!
//! Nothing here changes an optimizer: functions take numbers and return numbers. Each says where it
//! is exact and where it is a model.
//!
//! # Example
//!
//! ```
//! use wane::plan::{self, Equilibrium, Units};
//! use wane::{Decay, Schedule};
//!
//! let (lr, decay) = (1e-3, Decay::exact(0.1));
//! assert_eq!(plan::in_units(&decay, Units::Timescale, lr, &Schedule::constant())?, Decay::timescale(1e4));
//! let settled = Equilibrium::adamw(lr, 0.9, &decay)?;
//! assert!((settled.rms - 0.0707).abs() < 1e-4);                // √(η/(2λ))
//! assert!((settled.timescale - 1e4).abs() < 1e-6);             // 1/(ηλ) steps
//! assert_eq!(plan::really_removed::<f32>(1e-8)?, 0.0);
//! # Ok::<(), wane::Error>(())
//! ```

mod contributions;
mod equilibrium;
mod rounding;
mod scaling;
mod share;
mod tails;
mod units;

pub use contributions::{Contributions, contributions};
pub use equilibrium::Equilibrium;
pub use rounding::really_removed;
pub use scaling::{ScalingRule, Tuned};
pub use share::share_at_peak;
pub use tails::{alpha_decay, tail_exponent};
pub use units::{Units, in_units};
