//! Golden tests that could not fail would prove nothing: another decay, or another unit of the same number, is noticed.

use wane::{Decay, Param, Schedule};

use super::build::{How, Unit};
use super::fixture::{Case, TORCH, cases};
use super::judge::{Near, as_it_is, judge};
use super::play::Absent;
use super::torch::play_torch;
use crate::common::{Element, OPTIMIZERS, Reach, Row, Setup};

/// The golden test of one case, with `weight_decay` taken for this decay.
fn golden<T: Element>(case: Case, decay: Unit, implementation: &str, near: Near) -> Result<(), String> {
    let how = How { decay: Some(decay), ..How::default() };
    let trajectory = play_torch::<T>(case, how, Absent::WithoutGradient).map_err(|error| error.to_string())?;
    judge(case, case.run::<T>(implementation).unwrap(), &trajectory, near, as_it_is)
}

fn decayed(optimizer: &str) -> Vec<Case> {
    let cases = cases(&TORCH).filter(|case| case.optimizer() == optimizer && case.clip().is_none());
    cases.filter(|case| case.options().number("weight_decay") > 0.0).collect()
}

/// The test that passes with the `right` decay fails with the `other`: by bits, and after 100 steps even at a tolerance of 1e-4.
fn is_told_apart<T: Element>(optimizer: &str, right: Unit, other: Unit) {
    let cases = decayed(optimizer);
    assert!(cases.len() >= 5, "{optimizer}: {} cases", cases.len());
    for case in cases {
        let place = format!("{} ({})", case.name(), T::NAME);
        assert_eq!(golden::<T>(case, right, "fused", Near::Bits), Ok(()), "{place}");
        assert!(golden::<T>(case, other, "fused", Near::Bits).is_err(), "{place}: equal bits");
        assert!(golden::<T>(case, other, "default", Near::Within(1e-4)).is_err(), "{place}: within 1e-4");
    }
}

#[test]
fn adam_with_coupled_l2_does_not_pass_as_adamw() {
    is_told_apart::<f32>("AdamW", Decay::decoupled, Decay::coupled_l2);
    is_told_apart::<f64>("AdamW", Decay::decoupled, Decay::coupled_l2);
}

#[test]
fn adamw_does_not_pass_as_adam_with_coupled_l2() {
    is_told_apart::<f32>("Adam", Decay::coupled_l2, Decay::decoupled);
    is_told_apart::<f64>("Adam", Decay::coupled_l2, Decay::decoupled);
}

const UNITS: [(&str, Unit); 5] = [
    ("decoupled", Decay::decoupled),
    ("independent", Decay::independent),
    ("fixed", Decay::fixed),
    ("timescale", Decay::timescale),
    ("half-life", Decay::half_life),
];

/// PyTorch's number in another unit is an error (a share of 1 or more, a timescale of less than a step) or another trajectory.
#[test]
fn a_pytorch_number_in_another_unit_is_noticed() {
    for (unit, decay) in &UNITS[1..] {
        for case in decayed("AdamW") {
            assert!(golden::<f32>(case, *decay, "default", Near::Within(1e-4)).is_err(), "{unit} in {} (f32)", case.name());
            assert!(golden::<f64>(case, *decay, "default", Near::Within(1e-4)).is_err(), "{unit} in {} (f64)", case.name());
        }
    }
}

const PEAK: f64 = 0.1;
/// A number that is in range for every unit, because of [`SCALE`].
const NUMBER: f64 = 1.5;
/// The multiplier of the decay's own schedule.
const SCALE: f64 = 0.25;

fn learning_rates() -> Schedule {
    Schedule::exponential(0.9)
}

/// The share of a weight that a unit removes at a learning rate, after the table of [`Decay`].
fn share(unit: &str, rate: f64) -> f64 {
    SCALE
        * match unit {
            "decoupled" => rate * NUMBER,
            "independent" => rate / PEAK * NUMBER,
            "fixed" => NUMBER,
            "timescale" => rate / PEAK / NUMBER,
            "half-life" => 1.0 - 0.5_f64.powf(1.0 / NUMBER),
            other => panic!("no unit {other}"),
        }
}

/// Weights that start from 1 and see no gradient, after each of ten steps: ∏ (1 − s).
fn closed_form<T: Element>(unit: &str) -> Vec<T> {
    let weight = |x: &mut f64, step| {
        *x *= 1.0 - share(unit, PEAK * 0.9_f64.powi(step));
        Some(T::near(*x))
    };
    (0..10).scan(1.0, weight).collect()
}

fn without_gradient<T: Element>(row: &Row, decay: Decay) -> Vec<T> {
    let decay = decay.schedule(Schedule::linear(SCALE, SCALE, 1));
    let mut optimizer = row.build(&Setup { lr: PEAK, schedule: learning_rates(), ..row.setup(decay) });
    let (mut weight, gradient) = ([T::near(1.0)], [T::near(0.0)]);
    let step = |_| {
        optimizer.step(&mut [Param::new("w", &mut weight, &gradient).shape(&[1, 1])]).unwrap();
        weight[0]
    };
    (0..10).map(step).collect()
}

/// Each unit follows its own closed form and none of the other four.
fn every_unit_is_told_from_every_other<T: Element>() {
    for (unit, decay) in UNITS {
        for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
            let place = format!("{} ({})", row.name, T::NAME);
            let weights = without_gradient::<T>(row, decay(NUMBER));
            for (other, _) in UNITS {
                let judged = Near::Within(5.0 * T::EPS).judge(&weights, &closed_form(other));
                assert_eq!(judged.is_ok(), unit == other, "{unit} as {other}: {judged:?} in {place}");
            }
        }
    }
}

#[test]
fn every_unit_is_told_from_every_other_f32() {
    every_unit_is_told_from_every_other::<f32>();
}

#[test]
fn every_unit_is_told_from_every_other_f64() {
    every_unit_is_told_from_every_other::<f64>();
}
