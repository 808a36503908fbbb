//! The rules: each optimizer's own update, which knows nothing of decay, groups, threads or vector
//! instructions.

mod adagrad;
mod adam;
mod lamb;
mod lion;
mod matrix;
mod nadam;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use lamb::{Lamb, TrustRatio};
pub use lion::Lion;
pub use matrix::{Adafactor, AdjustLr, Muon};
pub use nadam::NAdam;
pub use sgd::Sgd;
