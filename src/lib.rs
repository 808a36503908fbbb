//! Optimizers in which weight decay is a first-class part.

mod clip;
mod decay;
mod describe;
mod error;
mod float;
mod group;
mod kernel;
#[cfg(feature = "ndarray")]
pub mod ndarray;
mod optimizer;
mod param;
mod report;
mod rule;
mod schedule;
mod settings;
mod slots;
mod stepper;
mod text;

pub use clip::{Clip, NonFinite};
pub use decay::{Anchor, Decay, Penalty, Place, Strength};
pub use describe::{Description, GroupRow, ParamRow};
pub use error::{Error, Result};
pub use float::Float;
pub use group::Policy;
pub use kernel::Level;
pub use optimizer::Optimizer;
pub use param::{Param, ParamInfo};
pub use report::{Report, Status};
pub use rule::{Adam, AdamW, Algorithm, Lamb, Lion, Sgd, TrustRatio};
pub use schedule::Schedule;
pub use settings::{InGroup, Settings, Whole};
pub use stepper::Stepper;
