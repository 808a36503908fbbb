//! The rules: each optimizer's own update, which knows nothing of decay, groups, threads or vector
//! instructions.

mod adam;
mod lamb;
mod lion;
mod sgd;

pub use adam::{Adam, AdamW};
pub use lamb::{Lamb, TrustRatio};
pub use lion::Lion;
pub use sgd::Sgd;
