//! PyTorch's NAdam, which has no fused kernel.
//!
//! It keeps the product of its μ in f32, whatever the weights are: an error of some 1e-8 in the
//! length of its early steps, which f64 weights show. This crate keeps it in the weights' type, as
//! PyTorch does for f64 where that is its default type: the implementation `double`.

use wane::NAdam;

use super::bounds::{PRODUCT_IN_F32, nadam};
use super::build::torch;
use super::fixture::{NADAM, case};
use super::judge::{Near, Suite, as_it_is, judge};
use super::play::{Absent, play};
use crate::common::Element;

fn with_products_in_f64<T: Element>() {
    Suite::<T> { file: &NADAM, implementation: "double", library: torch, epsilons: nadam, translate: as_it_is }.judge();
}

#[test]
fn near_pytorch_with_products_in_f64() {
    with_products_in_f64::<f32>();
    with_products_in_f64::<f64>();
}

/// As it is; in f32 the weights are the same as above.
fn as_pytorch_is<T: Element>() {
    let epsilons = |case| nadam(case).max(PRODUCT_IN_F32 / T::EPS);
    Suite::<T> { file: &NADAM, implementation: "default", library: torch, epsilons, translate: as_it_is }.judge();
}

#[test]
fn near_pytorch_as_it_is() {
    as_pytorch_is::<f32>();
    as_pytorch_is::<f64>();
}

/// What is not said is PyTorch's default.
#[test]
fn defaults_are_those_of_pytorch() {
    let case = case(&NADAM, "NAdam defaults");
    let trajectory = play(case, f64::build(&NAdam::new(0.002)).unwrap(), Absent::WithoutGradient).unwrap();
    let near = Near::Within(nadam(case) * f64::EPSILON);
    judge(case, case.run::<f64>("double").unwrap(), &trajectory, near, as_it_is).unwrap();
}
