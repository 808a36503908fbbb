//! What the examples of the gallery share: data, a network, figures, and estimates over repeated runs.

pub mod data;
mod estimate;
pub mod figure;
pub mod mlp;

pub use estimate::Estimate;
