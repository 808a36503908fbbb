//! Every setting of every optimizer out of its range, in the optimizer's own settings and in a group's; and settings at odds.

use wane::{Adafactor, Adam, AdamW, Clip, Decay, Error, Lamb, Lion, Muon, Schedule, Sgd};

use super::scene::{assert_error, number};
use crate::common::{OPTIMIZERS, Range, Row, Setup};

pub(super) const NOT_FINITE: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

pub(super) fn below_0() -> impl Iterator<Item = f64> {
    NOT_FINITE.into_iter().chain([-5e-324, -1.0])
}

pub(super) fn not_above_0() -> impl Iterator<Item = f64> {
    below_0().chain([0.0])
}

fn not_a_share() -> impl Iterator<Item = f64> {
    below_0().chain([1.0, 2.0])
}

/// A setting refuses these values, for the whole optimizer and in a group.
macro_rules! assert_range {
    ($new:expr, |$s:ident, $v:ident| $edit:expr, $setting:literal, $bad:expr, $allowed:literal) => {
        for $v in $bad {
            let text = format!(concat!($setting, " = {} is out of range: it must be ", $allowed), $crate::errors::scene::number($v));
            let $s = $new;
            assert_error!(
                $edit.build::<f32>().unwrap_err(),
                Error::OutOfRange { setting: $setting, value, allowed: $allowed } if value.to_bits() == $v.to_bits(),
                text
            );
            assert_error!(
                $new.group("head", move |$s| $edit).build::<f64>().unwrap_err(),
                Error::InGroup { error, .. } if matches!(**error, Error::OutOfRange { .. }),
                format!("in group `head`: {text}")
            );
        }
    };
}

/// The same for settings that only the whole optimizer has.
macro_rules! assert_whole {
    ($new:expr, |$s:ident, $v:ident| $edit:expr, $setting:literal, $bad:expr, $allowed:literal) => {
        for $v in $bad {
            let $s = $new;
            assert_error!(
                $edit.build::<f64>().unwrap_err(),
                Error::OutOfRange { setting: $setting, .. },
                format!(concat!($setting, " = {} is out of range: it must be ", $allowed), $crate::errors::scene::number($v))
            );
        }
    };
}

pub(super) use {assert_range, assert_whole};

/// An optimizer refuses these settings: this one number of them is out of its range.
fn assert_refused(row: &Row, setup: &Setup, name: &str, bad: f64, range: Range) {
    let allowed = range.allowed();
    assert_error!(
        row.try_build::<f32>(setup).unwrap_err(),
        Error::OutOfRange { setting, value, allowed: found } if *setting == name && value.to_bits() == bad.to_bits() && *found == allowed,
        format!("{name} = {} is out of range: it must be {allowed}", number(bad))
    );
    assert!(row.try_build::<f64>(setup).is_err(), "{} with {name} = {bad}", row.name);
}

#[test]
fn numbers_of_every_optimizer() {
    for row in OPTIMIZERS {
        for lr in below_0() {
            let setup = Setup { lr, ..row.setup(Decay::none()) };
            assert_refused(row, &setup, "learning rate", lr, Range::AtLeast0);
        }
        for (i, number) in row.numbers.iter().enumerate() {
            for bad in not_a_share().chain([0.0, 0.5]).filter(|bad| !number.range.has(*bad)) {
                let mut setup = row.setup(Decay::none());
                setup.numbers[i] = bad;
                assert_refused(row, &setup, number.name, bad, number.range);
            }
        }
    }
}

/// A group is checked as the whole is.
#[test]
fn numbers_of_a_group() {
    assert_range!(Sgd::new(0.1), |s, v| s.momentum(v), "momentum", below_0(), "a finite number, at least 0");
    assert_range!(Sgd::new(0.1), |s, v| s.momentum(0.9).dampening(v), "dampening", NOT_FINITE, "a finite number");
    assert_range!(Adam::new(0.1), |s, v| s.betas(v, 0.9), "beta1", not_a_share(), "in [0, 1)");
    assert_range!(AdamW::new(0.1), |s, v| s.betas(0.9, v), "beta2", not_a_share(), "in [0, 1)");
    assert_range!(AdamW::new(0.1), |s, v| s.epsilon_hat(v), "epsilon_hat", below_0(), "a finite number, at least 0");
    assert_range!(Lamb::new(0.1), |s, v| s.eps(v), "eps", below_0(), "a finite number, at least 0");
    assert_range!(Lion::new(0.1), |s, v| s.betas(v, v), "beta1", not_a_share(), "in [0, 1)");
}

#[test]
fn nesterov_without_what_it_needs() {
    assert_error!(
        Sgd::new(0.1).nesterov(true).build::<f32>().unwrap_err(),
        Error::Conflict { setting: "nesterov", .. },
        "nesterov needs a momentum above 0, and momentum = 0 was given"
    );
    assert_error!(
        Sgd::new(0.1).momentum(0.9).dampening(-0.25).nesterov(true).build::<f32>().unwrap_err(),
        Error::Conflict { setting: "nesterov", .. },
        "nesterov needs a dampening of 0, and dampening = -0.25 was given"
    );
    assert_error!(
        Sgd::new(0.1).momentum(0.9).nesterov(true).group("still", |s| s.momentum(0.0)).build::<f32>().unwrap_err(),
        Error::InGroup { .. },
        "in group `still`: nesterov needs a momentum above 0, and momentum = 0 was given"
    );
}

#[test]
fn numbers_of_adafactor() {
    assert_range!(
        Adafactor::new(0.1),
        |s, v| s.beta2_decay(v),
        "beta2_decay",
        NOT_FINITE.into_iter().chain([5e-324, 1.0]),
        "a finite number, at most 0"
    );
    assert_range!(Adafactor::new(0.1), |s, v| s.eps1(v), "eps1", below_0(), "a finite number, at least 0");
    assert_range!(Adafactor::new(0.1), |s, v| s.eps2(v), "eps2", below_0(), "a finite number, at least 0");
    let below_1 = below_0().chain([0.0, 1.0 - f64::EPSILON]);
    assert_range!(Adafactor::new(0.1), |s, v| s.clip_threshold(v), "clip_threshold", below_1, "a finite number, at least 1");
}

#[test]
fn numbers_of_muon() {
    assert_range!(Muon::new(0.1), |s, v| s.momentum(v), "momentum", not_a_share(), "in [0, 1)");
    assert_range!(Muon::new(0.1), |s, v| s.eps(v), "eps", not_above_0(), "a finite number above 0");
    assert_range!(Muon::new(0.1), |s, v| s.ns_coefficients(1.0, v, 1.0), "ns_coefficients", NOT_FINITE, "a finite number");
    assert_error!(
        Muon::new(0.1).ns_steps(100).build::<f32>().unwrap_err(),
        Error::OutOfRange { setting: "ns_steps", .. },
        "ns_steps = 100 is out of range: it must be at most 99"
    );
}

#[test]
fn factors_of_groups() {
    for v in below_0() {
        let text = format!("in group `head`: lr_factor = {} is out of range: it must be a finite number, at least 0", number(v));
        let error = Sgd::new(0.1).group("head", move |s| s.lr_factor(v)).build::<f32>().unwrap_err();
        assert_error!(error, Error::InGroup { .. }, text);
    }
}

#[test]
fn clipping() {
    let allowed = "a finite number above 0";
    for clip in [Clip::Value, Clip::GlobalNorm, Clip::OptaxGlobalNorm] {
        for v in not_above_0() {
            assert_error!(
                Adam::new(0.1).clip(clip(v)).build::<f32>().unwrap_err(),
                Error::OutOfRange { setting: "clipping bound", .. },
                format!("clipping bound = {} is out of range: it must be {allowed}", number(v))
            );
        }
    }
}

/// The ends of the ranges that are allowed.
#[test]
fn settings_at_the_edge_are_taken() {
    assert!(Sgd::new(0.0).momentum(2.0).dampening(-3.0).build::<f32>().is_ok());
    assert!(Adam::new(0.1).betas(0.0, 0.0).eps(0.0).build::<f32>().is_ok());
    assert!(Lion::new(0.1).betas(1.0 - f64::EPSILON, 0.0).group("still", |s| s.lr_factor(0.0)).build::<f64>().is_ok());
    assert!(Lion::new(0.1).betas(1.0 - f64::from(f32::EPSILON) / 2.0, 0.0).build::<f32>().is_ok());
    assert!(Lamb::new(0.1).epsilon_hat(0.0).clip(Clip::Value(5e-324)).build::<f64>().is_ok());
    assert!(Adafactor::new(0.0).beta2_decay(0.0).eps1(0.0).eps2(0.0).clip_threshold(1.0).build::<f32>().is_ok());
    assert!(Muon::new(0.0).momentum(0.0).ns_steps(99).eps(5e-324).build::<f32>().is_ok());
    assert!(Sgd::new(0.1).weight_decay(Decay::elastic_net(0.0, 1.0)).build::<f64>().is_ok());
    assert!(Sgd::new(0.1).weight_decay(Decay::half_life(0.02)).build::<f64>().is_ok());
    assert!(Sgd::new(0.1).lr_schedule(Schedule::step(1, 0.0)).build::<f64>().is_ok());
    assert!(Sgd::new(0.1).lr_schedule(Schedule::warmup_cosine(0, 1, 0.0)).build::<f64>().is_ok());
}

#[test]
fn a_step_has_a_thread() {
    let error = Sgd::new(0.1).threads(0).build::<f32>().unwrap_err();
    assert_error!(error, Error::OutOfRange { setting: "threads", .. }, "threads = 0 is out of range: it must be at least 1");
    assert!(wane::Pool::new(0).is_err() && wane::Pool::new(1).is_ok());
    Sgd::new(0.1).threads(usize::MAX).build::<f32>().unwrap();
}
