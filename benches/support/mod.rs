//! What both benches share: the optimizers that are timed, the memory they work on, and the limit they are held against.

#[path = "../../tests/common/mod.rs"]
pub(crate) mod common;

mod contender;
mod limit;
mod tensors;

pub(crate) use common::{Element, Reach, Row, optimizer};
pub(crate) use contender::{Contender, Limit, Step, timed};
pub(crate) use limit::Pass;
pub(crate) use tensors::mixed_200;
