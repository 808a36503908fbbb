//! Guide: choosing a decay, coming from PyTorch, Keras and optax, and stopping and resuming a run.

#[doc = include_str!("../docs/choosing_a_decay.md")]
pub mod choosing_a_decay {}

#[doc = include_str!("../docs/coming_from_elsewhere.md")]
pub mod coming_from_elsewhere {}

#[doc = include_str!("../docs/checkpoints.md")]
pub mod checkpoints {}
