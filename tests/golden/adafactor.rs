//! PyTorch's Adafactor: a parameter of one axis, a matrix, and a stack of matrices.

use wane::Adafactor;

use super::bounds::adafactor;
use super::build::torch;
use super::fixture::{ADAFACTOR, case};
use super::judge::{Near, Suite, as_it_is, judge};
use super::play::{Absent, play};
use crate::common::Element;

fn near<T: Element>() {
    Suite::<T> { file: &ADAFACTOR, implementation: "for-loop", library: torch, epsilons: adafactor, translate: as_it_is }.judge();
}

#[test]
fn near_pytorch_f32() {
    near::<f32>();
}

#[test]
fn near_pytorch_f64() {
    near::<f64>();
}

/// What is not said is PyTorch's default; ε₁ is that of the type.
fn defaults<T: Element>() {
    let case = case(&ADAFACTOR, "Adafactor defaults");
    let trajectory = play(case, T::build(&Adafactor::new(0.01)).unwrap(), Absent::WithoutGradient).unwrap();
    let near = Near::Within(adafactor(case) * T::EPS);
    judge(case, case.run::<T>("for-loop").unwrap(), &trajectory, near, as_it_is).unwrap();
}

#[test]
fn defaults_are_those_of_pytorch() {
    defaults::<f32>();
    defaults::<f64>();
}
