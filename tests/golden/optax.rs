//! optax 0.2.8: Lion and LAMB, which PyTorch lacks, and AdamW with optax's clipping.

use wane::{Lamb, Lion};

use super::build::optax;
use super::fixture::{Case, OPTAX, case};
use super::judge::{Near, Suite, judge};
use super::play::{Absent, play};
use crate::common::{Element, Recipe};

/// optax rounds after each operation (1.7 epsilons were measured). This crate, as PyTorch, multiplies the weight by a rounded
/// 1 − s, so an error of a quarter epsilon enters each of the 100 steps (27 were measured).
fn epsilons(case: Case) -> f64 {
    if case.options().number("weight_decay") == 0.0 { 3.0 } else { 3.0 + 100.0 / 4.0 }
}

fn translate<T>(_case: Case, name: &'static str, column: Vec<T>) -> (&'static str, Vec<T>) {
    match name {
        "mu" => ("exp_avg", column),
        "nu" => ("exp_avg_sq", column),
        other => panic!("no column {other}"),
    }
}

fn suite<T: Element>() -> Suite<T> {
    Suite { file: &OPTAX, implementation: "optax", library: optax, epsilons, translate }
}

#[test]
fn near_optax_f32() {
    suite::<f32>().judge();
}

#[test]
fn near_optax_f64() {
    suite::<f64>().judge();
}

/// Lion and LAMB without a word are optax's without decay.
#[test]
fn defaults_are_those_of_optax() {
    let recipes: [(_, Box<dyn Recipe>); 2] = [("lion", Box::new(Lion::new(0.001))), ("lamb", Box::new(Lamb::new(0.01)))];
    for (name, recipe) in recipes {
        let case = case(&OPTAX, name);
        let trajectory = play(case, f64::build(&*recipe).unwrap(), Absent::WithoutGradient).unwrap();
        let near = Near::Within(epsilons(case) * f64::EPSILON);
        judge(case, case.run::<f64>("optax").unwrap(), &trajectory, near, translate).unwrap();
    }
}
