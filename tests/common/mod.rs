//! What tests and benches share: the table of optimizers, the list of decays, one trait for both element types, and tensors to step over.
//!
//! A property is written once and runs over all rows of the table, over all decays and over both element types.

#![allow(dead_code, unused_macros, unused_imports, reason = "every test file and bench uses its own part of this")]

pub(crate) mod cells;
pub(crate) mod data;
mod element;
pub(crate) mod naive;
mod numbers;
mod optimizers;
mod setup;
mod text;

pub(crate) use element::{Element, for_f32_and_f64};
pub(crate) use numbers::Range;
pub(crate) use optimizers::{Huge, OPTIMIZERS, Reach, Row, columns, length, optimizer};
pub(crate) use setup::{Apart, Goal, Recipe, Setup};
pub(crate) use text::{Text, text_returns};
