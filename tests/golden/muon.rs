//! PyTorch's Muon on a wide, a tall and a square matrix.
//!
//! Its Newton-Schulz iteration is in bfloat16, whatever the weights are; this crate's is in the weights' type. So there are two references:
//! PyTorch as it is (`bfloat16`), which is near to two digits, and PyTorch around the same iteration in f64 (`exact`).

use wane::Muon;

use super::bounds::{BFLOAT16, muon};
use super::build::{How, torch};
use super::fixture::{MUON, case, cases};
use super::judge::{Near, Suite, as_it_is, judge};
use super::play::{Absent, play};
use crate::common::Element;

fn near<T: Element>() {
    Suite::<T> { file: &MUON, implementation: "exact", library: torch, epsilons: muon, translate: as_it_is }.judge();
}

#[test]
fn near_the_exact_iteration_f32() {
    near::<f32>();
}

#[test]
fn near_the_exact_iteration_f64() {
    near::<f64>();
}

fn as_pytorch_is<T: Element>() {
    let epsilons = |_| BFLOAT16 / T::EPS;
    Suite::<T> { file: &MUON, implementation: "bfloat16", library: torch, epsilons, translate: as_it_is }.judge();
}

#[test]
fn near_pytorch_as_it_is() {
    as_pytorch_is::<f32>();
    as_pytorch_is::<f64>();
}

/// What tells options apart is more than bfloat16: no other case passes for the one at η = 0.02.
#[test]
fn bfloat16_does_not_hide_an_option() {
    let right = case(&MUON, "Muon lr 0.02");
    let options =
        ["weight-decay 0", "momentum 0.4", "no nesterov", "match-rms-adamw", "ns-steps 3", "ns-coefficients", "eps 1e-3"];
    let others: Vec<_> = cases(&MUON).filter(|case| options.contains(&&case.name()[5..])).collect();
    assert_eq!(others.len(), options.len());
    for other in others {
        let trajectory = play(other, f64::build(&*torch(other, How::default())).unwrap(), Absent::WithoutGradient).unwrap();
        let run = right.run::<f64>("bfloat16").unwrap();
        assert!(judge(right, run, &trajectory, Near::Within(BFLOAT16), as_it_is).is_err(), "{}", other.name());
    }
}

/// What is not said is PyTorch's default.
#[test]
fn defaults_are_those_of_pytorch() {
    let case = case(&MUON, "Muon defaults");
    let trajectory = play(case, f64::build(&Muon::new(0.001)).unwrap(), Absent::WithoutGradient).unwrap();
    let near = Near::Within(muon(case) * f64::EPSILON);
    judge(case, case.run::<f64>("exact").unwrap(), &trajectory, near, as_it_is).unwrap();
}
