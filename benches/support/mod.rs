//! What both benches share: the optimizers that are timed, the memory they work on, and the limit they are held against.

mod contender;
mod limit;
mod rule;
mod tensors;

pub(crate) use contender::{Contender, Limit, Step};
pub(crate) use limit::Pass;
pub(crate) use rule::{Element, Rule};
pub(crate) use tensors::mixed_200;
