//! PyTorch's Adagrad: the bits of its fused kernel at every length, as its scalar path rounds as its
//! vectors do, and near its for-loop.

use wane::Adagrad;

use super::build::torch;
use super::fixture::{ADAGRAD, case};
use super::judge::{Near, Suite, as_it_is, judge};
use super::play::{Absent, play};
use super::torch::{fused_by_bits, special_by_bits};
use crate::common::Element;

#[test]
fn fused_f32_by_bits() {
    fused_by_bits::<f32>(&ADAGRAD);
}

#[test]
fn fused_f64_by_bits() {
    fused_by_bits::<f64>(&ADAGRAD);
}

/// PyTorch's for-loop has a square root that is not IEEE's, and works out the learning rate without
/// a fused multiply-add: 2.6 epsilons from its own fused kernel.
fn for_loop<T: Element>() {
    let epsilons = |_| 3.0;
    Suite::<T> { file: &ADAGRAD, implementation: "default", library: torch, epsilons, translate: as_it_is }.judge();
}

#[test]
fn near_the_for_loop() {
    for_loop::<f32>();
    for_loop::<f64>();
}

#[test]
fn special_values_by_bits() {
    special_by_bits::<f32>(&ADAGRAD);
    special_by_bits::<f64>(&ADAGRAD);
}

/// What is not said is PyTorch's default.
#[test]
fn defaults_are_those_of_pytorch() {
    let case = case(&ADAGRAD, "Adagrad defaults");
    let trajectory = play(case, f64::build(&Adagrad::new(0.01)).unwrap(), Absent::WithoutGradient).unwrap();
    judge(case, case.run::<f64>("fused").unwrap(), &trajectory, Near::Bits, as_it_is).unwrap();
}
