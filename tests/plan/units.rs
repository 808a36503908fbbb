use wane::plan::{Units, in_units, share_at_peak};
use wane::{Anchor, Decay, Optimizer, Penalty, Place, Schedule, Sgd, Strength};

use super::{conflict, out_of_range};
use crate::common::data::noise;

const PEAK: f64 = 0.2;
const UNITS: [Units; 7] = [
    Units::LrScaled,
    Units::Independent,
    Units::Corrected,
    Units::Fixed,
    Units::Timescale,
    Units::HalfLife,
    Units::Normalized { steps: 400 },
];

/// The share 1/8 in every unit, by hand.
fn eighths() -> [Decay; 7] {
    let half_life = -(2.0_f64.ln()) / 0.875_f64.ln();
    [
        Decay::exact(0.625),
        Decay::independent(0.125),
        Decay::corrected(0.625),
        Decay::fixed(0.125),
        Decay::timescale(8.0),
        Decay::half_life(half_life),
        Decay::normalized(2.5, 400),
    ]
}

fn run(lr_schedule: &Schedule, decay: &Decay) -> Vec<f64> {
    let settings = Sgd::new(PEAK).lr_schedule(lr_schedule.clone()).weight_decay(decay.clone());
    let mut opt = settings.build().expect("an optimizer");
    let mut w: Vec<_> = (0..9).map(|i| noise([1, 0, 0, i])).collect();
    for k in 0..30 {
        let gradient: Vec<_> = (0..9).map(|i| noise([2, 0, k, i])).collect();
        opt.step_slice(&mut w, &gradient).expect("a step");
    }
    w
}

/// Asserts that runs with both leave the same weights. A share is off by a few units of its last place, in each of 30
/// steps, on weights below 4.
#[track_caller]
fn same_runs(lr_schedule: &Schedule, decay: &Decay, other: &Decay) {
    for (x, y) in run(lr_schedule, decay).into_iter().zip(run(lr_schedule, other)) {
        assert!(x.abs() < 4.0 && (x - y).abs() < 30.0 * 4.0 * 8.0 * f64::EPSILON, "{decay} and {other}: {x}, {y}");
    }
}

#[test]
fn all_pairs_at_a_constant_rate() {
    let constant = Schedule::constant();
    let own = Schedule::linear(0.5, 1.0, 20);
    for decay in eighths() {
        let share = share_at_peak(&decay, PEAK).expect("a share");
        assert!((share - 0.125).abs() < f64::EPSILON, "{decay}: {share}");
        for (units, expected) in UNITS.into_iter().zip(eighths()) {
            for schedule in [&constant, &own] {
                let decay = decay.clone().schedule(schedule.clone());
                let found = in_units(&decay, units, PEAK, &constant).expect("a decay");
                let kind = |decay: &Decay| decay.to_string().split(':').next().map(str::to_owned);
                assert_eq!(kind(&found), kind(&expected), "{decay} in {units} units");
                same_runs(&constant, &decay, &found);
            }
        }
    }
}

/// A schedule m of the rate acts on units with a power: 0 for fixed ones and half-lives, 2 for corrected ones, else 1. The decay's own
/// schedule, 1 or m, makes up for one power; what would take a root, a square or a quotient is refused.
#[test]
fn under_a_schedule_of_the_rate() {
    let lr = Schedule::warmup_cosine(5, 30, 0.1);
    let [lr_scaled, _, corrected, fixed, timescale, half_life, normalized] = eighths();
    let along = |decay: &Decay| decay.clone().schedule(lr.clone());
    let other = |decay: &Decay| decay.clone().schedule(Schedule::linear(0.5, 1.0, 20));
    let cases: [(Decay, &[u8]); 11] = [
        (along(&lr_scaled), &[1, 2]),
        (along(&fixed), &[0, 1]),
        (along(&half_life), &[0, 1]),
        (along(&corrected), &[2]),
        (other(&lr_scaled), &[1]),
        (other(&fixed), &[0]),
        (fixed, &[0]),
        (corrected, &[1, 2]),
        (lr_scaled, &[0, 1]),
        (timescale, &[0, 1]),
        (normalized, &[0, 1]),
    ];
    for (units, power) in UNITS.into_iter().zip([1, 1, 2, 0, 1, 0, 1]) {
        for (decay, powers) in &cases {
            match in_units(decay, units, PEAK, &lr) {
                Ok(found) => {
                    assert!(powers.contains(&power), "{decay} in {units} units is {found}");
                    same_runs(&lr, decay, &found);
                }
                found => {
                    assert!(!powers.contains(&power), "{decay} in {units} units");
                    conflict(found, "change of units");
                }
            }
        }
    }
}

#[test]
fn what_stays() {
    let constant = Schedule::constant();
    let anchored = Decay::exact(0.625).towards(Anchor::Start);
    assert_eq!(in_units(&anchored, Units::Timescale, PEAK, &constant), Ok(Decay::timescale(8.0).towards(Anchor::Start)));
    for units in UNITS {
        assert_eq!(in_units(&Decay::none(), units, PEAK, &constant), Ok(Decay::none()));
    }
    // The order of operations is the decay's.
    let found = in_units(&Decay::decoupled(0.625), Units::Timescale, PEAK, &constant);
    assert_eq!(found, Ok(Decay::new(Penalty::L2, Place::Decoupled, Strength::Timescale(8.0))));
    // λ grows with the root of the steps.
    let found = in_units(&Decay::normalized(0.5, 100), Units::Normalized { steps: 400 }, PEAK, &constant);
    assert_eq!(found, Ok(Decay::normalized(1.0, 400)));
    // No digit is lost on the way to the same units.
    let half_life = Decay::half_life(500.0);
    assert_eq!(in_units(&half_life, Units::HalfLife, PEAK, &constant), Ok(half_life));
    // A small share keeps its digits: h = ln 2/s − ln 2/2 + …
    let found = in_units(&Decay::fixed(1e-12), Units::HalfLife, PEAK, &constant).map(|decay| decay.to_string());
    let hand = 2.0_f64.ln() * 1e12 - 2.0_f64.ln() / 2.0;
    let said: f64 = found.expect("a decay").trim_start_matches("half-life:").parse().expect("a number");
    assert!((said / hand - 1.0).abs() < 4.0 * f64::EPSILON, "{said}, {hand}");
}

#[test]
fn what_has_no_equal_is_an_error() {
    let constant = Schedule::constant();
    let of = |decay: Decay, units| in_units(&decay, units, PEAK, &constant);
    for decay in [Decay::coupled_l2(0.1), Decay::l1(0.1), Decay::cautious(0.1), Decay::adaptive(0.1), Decay::group_lasso(0.1)] {
        conflict(of(decay, Units::Fixed), "share of a weight");
    }
    out_of_range(of(Decay::fixed(0.0), Units::Timescale), "timescale");
    out_of_range(of(Decay::fixed(0.0), Units::HalfLife), "half-life");
    out_of_range(of(Decay::fixed(0.1), Units::Normalized { steps: 0 }), "steps of normalized decay");
    assert_eq!(of(Decay::fixed(0.0), Units::LrScaled), Ok(Decay::exact(0.0)));
    out_of_range(of(Decay::decoupled(5.0), Units::Fixed), "share of a weight");
    out_of_range(of(Decay::decoupled(f64::NAN), Units::Fixed), "weight decay");
    for peak in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        out_of_range(in_units(&Decay::fixed(0.1), Units::Timescale, peak, &constant), "peak learning rate");
        out_of_range(share_at_peak(&Decay::fixed(0.1), peak), "peak learning rate");
    }
    out_of_range(in_units(&Decay::fixed(0.5), Units::LrScaled, 1e-310, &constant), "weight decay");
    assert!(in_units(&Decay::fixed(0.1), Units::HalfLife, PEAK, &Schedule::exponential(f64::NAN)).is_err());
}

/// Of e^(−x) the share is 1 − e^(−x), and units say x, also above 1.
#[test]
fn exponential_decay_has_units_of_its_own() {
    let constant = Schedule::constant();
    let of = |strength| Decay::new(Penalty::L2, Place::Exponential, strength);
    let share = share_at_peak(&of(Strength::Fixed(2.0)), PEAK).expect("a share");
    assert!((share - (1.0 - (-2.0_f64).exp())).abs() < f64::EPSILON, "{share}");
    let found = |decay: &Decay, units| in_units(decay, units, PEAK, &constant);
    let lr_scaled = Decay::exponential(10.0);
    assert_eq!(found(&lr_scaled, Units::Independent), Ok(of(Strength::Independent(2.0))));
    assert_eq!(found(&lr_scaled, Units::HalfLife), Ok(of(Strength::HalfLife(2.0_f64.ln() / 2.0))));
    same_runs(&constant, &lr_scaled, &found(&lr_scaled, Units::HalfLife).expect("a decay"));
}
