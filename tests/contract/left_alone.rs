//! Parameters that a step leaves as they are: frozen, without a gradient, without weights, not given at all.

use wane::{AdamW, Decay, NonFinite, Optimizer, Param, Selector, Sgd, Status};

use super::every::{bits, every, every_with, grad, state_of, step};
use crate::common::data::{param, still};
use crate::common::length;

/// Weights and state after a step in which `say` makes "w" one to be left alone; its next updates are as if there had been none.
fn left_alone(say: impl for<'a> Fn(&'a mut [f64]) -> Param<'a, f64>, status: Status) {
    for (mut opt, _) in every() {
        let (mut w, mut other) = ([1.0, -2.0, 0.5], [4.0, 4.0, 4.0]);
        (0..2).for_each(|k| step(&mut *opt, "w", &mut w, k));
        let (weights, state) = (bits(&w), state_of(&*opt, "w"));
        let report = opt.step(&mut [say(&mut w), param("other", &mut other, &grad(0))]).unwrap();
        assert_eq!((report.updated(), report.left_alone(), report.skipped()), (1, 1, false));
        let expected = grad(0).iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!((report.grad_norm().unwrap() - expected).abs() < 1e-12, "the norm is over the other one alone");
        assert_eq!((bits(&w), state_of(&*opt, "w")), (weights, state), "{}", opt.describe());
        assert_eq!((opt.status("w"), opt.status("other")), (Some(status), Some(Status::Updated)));
    }
}

#[test]
fn a_frozen_parameter_keeps_weights_and_state() {
    const NOT_FINITE: &[f64] = &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    left_alone(|w| param("w", w, NOT_FINITE).frozen(true), Status::Frozen);
    left_alone(|w| param("w", w, &[1e300; 3]).frozen(true), Status::Frozen);
    left_alone(|w| still("w", w).frozen(true), Status::Frozen);
}

#[test]
fn a_parameter_without_a_gradient_keeps_weights_and_state() {
    left_alone(|w| still("w", w), Status::NoGradient);
}

/// What was left alone goes on where it stood: as if the step had not been. (A constant rate, so that only its own count matters.)
#[test]
fn a_gap_changes_nothing_afterwards() {
    for (mut opt, _) in every() {
        let mut whole = opt.clone();
        let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
        for k in 0..4 {
            step(&mut *whole, "w", &mut v, k);
            step(&mut *opt, "w", &mut w, k);
            opt.step(&mut [still("w", &mut w)]).unwrap();
            opt.step(&mut [param("w", &mut w, &[f64::NAN; 3]).frozen(true)]).unwrap();
            opt.step(&mut []).unwrap();
        }
        assert_eq!(bits(&v), bits(&w), "{}", opt.describe());
        assert_eq!(state_of(&*whole, "w"), state_of(&*opt, "w"));
        assert_eq!((whole.completed_steps(), opt.completed_steps()), (4, 16));
    }
}

#[test]
fn a_frozen_group_stays_as_it_is() {
    let mut opt = AdamW::new(0.1)
        .weight_decay(Decay::fixed(0.5))
        .group("backbone", |s| s.frozen(true))
        .assign("backbone", Selector::name_starts_with("body."))
        .build::<f64>()
        .unwrap();
    let (mut body, mut head) = ([1.0, 2.0], [1.0, 2.0]);
    for _ in 0..2 {
        let report = opt
            .step(&mut [Param::new("body.w", &mut body, &[f64::NAN, 1.0]), Param::new("head.w", &mut head, &[3.0, 4.0])])
            .unwrap();
        assert_eq!((report.updated(), report.left_alone(), report.grad_norm()), (1, 1, Some(5.0)));
    }
    assert_eq!(body, [1.0, 2.0]);
    assert_eq!(
        (opt.status("body.w"), opt.steps_of("body.w"), opt.state("body.w", "exp_avg")),
        (Some(Status::Frozen), Some(0), None)
    );
    let table = opt.describe();
    assert!(table.groups()[1].frozen() && !table.groups()[0].frozen());
}

#[test]
fn an_empty_step_is_a_step() {
    for (mut opt, _) in every() {
        let mut w = [1.0, 2.0, 3.0];
        step(&mut *opt, "w", &mut w, 0);
        let (weights, state) = (bits(&w), state_of(&*opt, "w"));
        let report = opt.step(&mut []).unwrap();
        assert_eq!((report.updated(), report.left_alone(), report.skipped()), (0, 0, false));
        assert_eq!((report.grad_norm(), report.clip_factor()), (Some(0.0), 1.0));
        assert_eq!((bits(&w), state_of(&*opt, "w"), opt.completed_steps()), (weights, state, 2));
        assert_eq!(opt.status("w"), Some(Status::Absent));
    }
}

#[test]
fn a_step_in_which_all_is_frozen_can_be_seen() {
    for (mut opt, _) in every() {
        let (mut v, mut w) = ([1.0, 2.0, 3.0], [4.0]);
        let report = opt.step(&mut [param("v", &mut v, &[f64::NAN; 3]).frozen(true), still("w", &mut w).frozen(true)]).unwrap();
        assert_eq!((report.updated(), report.left_alone(), report.grad_norm()), (0, 2, Some(0.0)));
        assert_eq!((v, w), ([1.0, 2.0, 3.0], [4.0]));
        assert_eq!((opt.steps_of("v"), opt.steps_of("w"), opt.completed_steps()), (Some(0), Some(0), 1));
    }
}

#[test]
fn a_parameter_without_weights_is_fine() {
    for (mut opt, columns) in every() {
        let mut w = [1.0, 2.0, 3.0];
        for k in 0..3 {
            let report = opt.step(&mut [Param::new("empty", &mut [], &[]).shape(&[0, 7]), param("w", &mut w, &grad(k))]);
            assert_eq!(report.unwrap().updated(), 2);
        }
        assert_eq!((opt.steps_of("empty"), opt.status("empty")), (Some(3), Some(Status::Updated)));
        for column in columns {
            assert_eq!(opt.state("empty", column).map(<[f64]>::len), Some(length(column, 0)));
        }
    }
    let mut alone = Sgd::new(0.1).build::<f32>().unwrap();
    let report = alone.step_slice(&mut [], &[]).unwrap();
    assert_eq!((report.updated(), report.grad_norm()), (1, Some(0.0)));
}

/// A name that a step does not mention is left alone, and does not disturb the others.
#[test]
fn a_parameter_that_is_not_given_is_left_alone() {
    for (mut opt, _) in every() {
        let (mut v, mut w) = ([1.0, -1.0, 2.0], [3.0, -3.0, 1.0]);
        opt.step(&mut [param("v", &mut v, &grad(0)), param("w", &mut w, &grad(1))]).unwrap();
        let state = state_of(&*opt, "v");
        for k in 0..3 {
            step(&mut *opt, "w", &mut w, k);
            assert_eq!((state_of(&*opt, "v"), opt.status("v")), (state.clone(), Some(Status::Absent)));
        }
        assert_eq!(opt.describe().params().len(), 2);
    }
}

/// A bad gradient with nobody to look at it harms its own weight and no other.
#[test]
fn what_is_let_through_is_nan_and_stays_where_it_is() {
    for (mut opt, _) in every_with(NonFinite::Propagate) {
        let mut w = [1.0, -2.0, 0.5];
        let report = opt.step(&mut [param("w", &mut w, &[0.5, f64::NAN, 0.5])]).unwrap();
        assert!(w[1].is_nan() && !report.skipped(), "{w:?}, {}", opt.describe());
    }
}
