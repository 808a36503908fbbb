//! Keras 3.15 on JAX: epsilon hat, `weight_decay`, the L2 penalty.

use super::build::keras;
use super::fixture::{Case, KERAS};
use super::judge::Suite;
use crate::common::Element;

/// Keras rounds after each operation, and moves a moment by a share of its distance (4.5 epsilons were measured). Its decay has a
/// dyadic share, which this crate does not round either, or a small one.
fn epsilons(_case: Case) -> f64 {
    6.0
}

fn translate<T: Element>(case: Case, name: &'static str, column: Vec<T>) -> (&'static str, Vec<T>) {
    match (case.optimizer(), name) {
        ("Adam", "momentum") => ("exp_avg", column),
        ("Adam", "velocity") => ("exp_avg_sq", column),
        ("SGD", "momentum") => ("momentum_buffer", without_rate(case, &column)),
        other => panic!("no column {other:?}"),
    }
}

/// Keras keeps −η·b. Its η is a power of two here, so nothing is rounded.
fn without_rate<T: Element>(case: Case, column: &[T]) -> Vec<T> {
    let lr = case.options().number("learning_rate");
    column.iter().map(|x| T::near(-x.exact() / lr)).collect()
}

fn suite<T: Element>() -> Suite<T> {
    Suite { file: &KERAS, implementation: "keras", library: keras, epsilons, translate }
}

#[test]
fn near_keras_f32() {
    suite::<f32>().judge();
}

#[test]
fn near_keras_f64() {
    suite::<f64>().judge();
}
