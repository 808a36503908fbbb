//! PyTorch 2.15: the bits of its fused kernels, and near its for-loop.

use serde_json::Value;
use wane::{Adam, AdamW, Error, Level, NonFinite, Optimizer, Param, Sgd};

use super::build::{How, torch};
use super::fixture::{Case, Run, TORCH, case, cases, columns, numbers};
use super::judge::{Near, Suite, as_it_is, judge, state};
use super::play::{Absent, Trajectory, play};
use crate::common::{Element, Recipe};

pub(crate) fn play_torch<T: Element>(case: Case, how: How, absent: Absent) -> Result<Trajectory<T>, Error> {
    play(case, T::build(&*torch(case, how))?, absent)
}

/// Every option and scenario, on every CPU level.
pub(crate) fn fused_by_bits<T: Element>(file: &'static Value) {
    let mut judged = 0;
    for (level, case) in Level::all().flat_map(|level| cases(file).map(move |case| (level, case))) {
        let Some(run) = case.run::<T>("fused") else { continue };
        for absent in [Absent::WithoutGradient, Absent::LeftOut] {
            let trajectory = play_torch::<T>(case, How { level, ..How::default() }, absent).unwrap();
            judge(case, run, &trajectory, Near::Bits, as_it_is)
                .unwrap_or_else(|error| panic!("{error} ({}, {level}, {absent:?})", T::NAME));
            judged += 1;
        }
    }
    assert!(judged > 0);
}

#[test]
fn fused_f32_by_bits() {
    fused_by_bits::<f32>(&TORCH);
}

#[test]
fn fused_f64_by_bits() {
    fused_by_bits::<f64>(&TORCH);
}

/// PyTorch's for-loop rounds after each operation and has a square root that is not IEEE's: at most 0.96 epsilons were measured,
/// and 1.8 where it clips, with a norm in the element type.
fn for_loop<T: Element>() {
    let epsilons = |case: Case| if case.clip().is_some() { 3.0 } else { 2.0 };
    let suite = Suite::<T> { file: &TORCH, implementation: "default", library: torch, epsilons, translate: as_it_is };
    suite.judge();
}

#[test]
fn near_the_for_loop_f32() {
    for_loop::<f32>();
}

#[test]
fn near_the_for_loop_f64() {
    for_loop::<f64>();
}

/// The norm that a step reports is the one before clipping. This crate's is in f64.
fn norms<T: Element>() {
    let mut judged = 0;
    for case in cases(&TORCH) {
        let Some(want) = case.run::<T>("default").and_then(Run::norms::<T>) else { continue };
        let trajectory = play_torch::<T>(case, How::default(), Absent::WithoutGradient).unwrap();
        let norms: Vec<T> = trajectory.norms.into_iter().map(T::near).collect();
        Near::Within(2.0 * T::EPS).judge(&norms, &want).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        judged += 1;
    }
    assert!(judged > 0);
}

#[test]
fn reported_norms() {
    norms::<f32>();
    norms::<f64>();
}

/// Infinities, NaN, signed zeros, subnormals and huge values.
pub(crate) fn special_by_bits<T: Element>(file: &'static Value) {
    let special = &file["special"];
    let inputs = &special["inputs"][T::NAME];
    let gradients: Vec<Vec<T>> = [0, 1].map(|step| numbers(&inputs["gradients"][step])).into();
    let mut judged = 0;
    for (level, case) in Level::all().flat_map(|level| cases(special).map(move |case| (level, case))) {
        let how = How { level, non_finite: NonFinite::Propagate, ..How::default() };
        let mut optimizer = T::build(&*torch(case, how)).unwrap();
        let mut weights: Vec<T> = numbers(&inputs["weights"]);
        assert_eq!(weights.len(), 64);
        for (step, g) in ["1", "2"].into_iter().zip(&gradients) {
            optimizer.step(&mut [Param::new("w", &mut weights, g)]).unwrap();
            special_step(case, step, &weights, &*optimizer)
                .unwrap_or_else(|error| panic!("{} after step {step}: {error} ({}, {level})", case.name(), T::NAME));
            judged += 1;
        }
    }
    assert!(judged > 0);
}

fn special_step<T: Element>(case: Case, step: &str, weights: &[T], optimizer: &dyn Optimizer<T>) -> Result<(), String> {
    let want = case.special::<T>(step);
    Near::Bits.judge(weights, &numbers::<T>(&want["weights"]))?;
    state(optimizer, "w", columns(want), Near::Bits)
}

#[test]
fn special_values_f32_by_bits() {
    special_by_bits::<f32>(&TORCH);
}

#[test]
fn special_values_f64_by_bits() {
    special_by_bits::<f64>(&TORCH);
}

/// What is not said is PyTorch's default.
#[test]
fn defaults_are_those_of_pytorch() {
    let recipes: [(_, Box<dyn Recipe>); 3] = [
        ("SGD plain", Box::new(Sgd::new(0.01))),
        ("Adam defaults", Box::new(Adam::new(0.001))),
        ("AdamW defaults", Box::new(AdamW::new(0.001))),
    ];
    for (name, recipe) in recipes {
        let case = case(&TORCH, name);
        let trajectory = play(case, f64::build(&*recipe).unwrap(), Absent::WithoutGradient).unwrap();
        judge(case, case.run::<f64>("fused").unwrap(), &trajectory, Near::Bits, as_it_is).unwrap();
    }
}
