use wane::plan::{Contributions, contributions};
use wane::{Anchor, Decay, Optimizer, Schedule, Sgd};

use super::{conflict, out_of_range};

const PEAK: f64 = 0.3;
const STEPS: u64 = 40;
const WEIGHTS: usize = 41;

/// The coefficients as SGD itself has them: the first weight starts from 1 and is never pushed, each other one starts
/// from 0 and is pushed by −1 in one step.
fn of_a_run(lr_schedule: &Schedule, decay: &Decay) -> Contributions {
    let settings = Sgd::new(PEAK).lr_schedule(lr_schedule.clone()).weight_decay(decay.clone());
    let mut opt = settings.build().expect("an optimizer");
    let mut w = [0.0_f64; WEIGHTS];
    w[0] = 1.0;
    for k in 1..WEIGHTS {
        let mut gradient = [0.0; WEIGHTS];
        gradient[k] = -1.0;
        opt.step_slice(&mut w, &gradient).expect("a step");
    }
    Contributions { start: w[0], updates: w[1..].to_vec() }
}

/// Each of at most 40 products is rounded once in either, and so is the factor in it.
#[test]
fn they_are_those_of_a_run() {
    let schedules = [Schedule::constant(), Schedule::warmup_cosine(5, STEPS, 0.1), Schedule::linear(1.0, 0.0, STEPS)];
    let decays = [
        Decay::none(),
        Decay::decoupled(0.4),
        Decay::independent(0.1),
        Decay::fixed(0.1),
        Decay::timescale(7.0),
        Decay::half_life(5.0),
        Decay::exponential(0.9),
        Decay::normalized_restarts(0.5, 9, 2),
        Decay::fixed(0.2).schedule(Schedule::linear(0.0, 1.0, STEPS)),
    ];
    for (lr_schedule, decay) in schedules.iter().flat_map(|schedule| decays.iter().map(move |decay| (schedule, decay))) {
        let found = contributions(PEAK, lr_schedule, decay, STEPS).expect("coefficients");
        let expected = of_a_run(lr_schedule, decay);
        let pairs = found.updates.iter().zip(&expected.updates).chain([(&found.start, &expected.start)]);
        assert_eq!(found.updates.len(), expected.updates.len());
        for (found, expected) in pairs {
            let tolerance = 4.0 * STEPS as f64 * f64::EPSILON * expected;
            assert!((found - expected).abs() <= tolerance, "{lr_schedule} and {decay}: {found}, {expected}");
        }
    }
}

/// At a constant rate a geometric series: with the start, what decay has taken is what updates have put in.
#[test]
fn all_of_them_are_a_weighted_average() {
    let made_of = contributions(0.25, &Schedule::constant(), &Decay::decoupled(0.5), 100).expect("coefficients");
    let sum = made_of.updates.iter().sum::<f64>() * 0.5 + made_of.start;
    assert!((sum - 1.0).abs() < 100.0 * f64::EPSILON, "{sum}");
    let none = contributions(0.25, &Schedule::constant(), &Decay::none(), 0);
    assert_eq!(none, Ok(Contributions { start: 1.0, updates: vec![] }));
}

#[test]
fn what_has_none_is_an_error() {
    let constant = Schedule::constant();
    let of = |decay: Decay| contributions(0.1, &constant, &decay, 10);
    for decay in [Decay::coupled_l2(0.1), Decay::l1(0.1), Decay::cautious(0.1), Decay::ada_decay(0.1), Decay::adaptive(0.1)] {
        conflict(of(decay), "share of a weight");
    }
    conflict(of(Decay::fixed(0.1).towards(Anchor::Average { beta: 0.9 })), "contributions");
    assert!(of(Decay::fixed(0.1).towards(Anchor::Start)).is_ok());
    out_of_range(of(Decay::fixed(-0.1)), "weight decay");
    out_of_range(of(Decay::fixed(0.5).schedule(Schedule::linear(1.0, 2.0, 9))), "share of a weight");
    for peak in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        out_of_range(contributions(peak, &constant, &Decay::none(), 10), "peak learning rate");
    }
    out_of_range(contributions(1e308, &Schedule::linear(1.0, 10.0, 5), &Decay::none(), 10), "learning rate");
    out_of_range(contributions(0.1, &constant, &Decay::none(), u64::MAX), "steps");
    assert!(contributions(0.1, &Schedule::exponential(-1.0), &Decay::none(), 10).is_err());
}
