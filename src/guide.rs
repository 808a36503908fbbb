//! Guide: choosing a decay, and coming from PyTorch, Keras and optax.

#[doc = include_str!("../docs/choosing_a_decay.md")]
pub mod choosing_a_decay {}

#[doc = include_str!("../docs/coming_from_elsewhere.md")]
pub mod coming_from_elsewhere {}
