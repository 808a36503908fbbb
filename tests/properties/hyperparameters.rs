//! Random settings: what is in range builds and stays finite, what is not is a typed error that names the setting and the value.

use proptest::prelude::*;
use wane::{
    Adam, Algorithm, Anchor, Clip, Decay, Error, Kappa, Optimizer, Penalty, Place, Result, Schedule, Selector, Settings, Sgd,
    Strength, Tuning,
};

use crate::common::data::{Tensor, step_on, step_slice};
use crate::common::{Element, OPTIMIZERS, Row, Setup, cells, for_f32_and_f64};

for_f32_and_f64!(settings_in_range_stay_finite, a_share_outside_its_range_changes_nothing);

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A row of the table with numbers that are usual and not its own, and any settings that all optimizers share.
fn optimizers() -> impl Strategy<Value = (&'static Row, Setup)> {
    let unit = || prop_oneof![Just(0.0), 0.0..1.0_f64];
    let most = OPTIMIZERS.iter().map(|row| row.numbers.len()).max().expect("a row");
    (0..OPTIMIZERS.len(), proptest::collection::vec(unit(), most), shared()).prop_map(|(row, units, shared)| {
        let row = &OPTIMIZERS[row];
        let numbers = row.numbers.iter().zip(units).map(|(number, unit)| (number.usual)(unit)).collect();
        (row, Setup { numbers, ..shared })
    })
}

/// Settings without numbers of an optimizer.
fn shared() -> impl Strategy<Value = Setup> {
    let decay = (any::<proptest::sample::Index>(), 0.0..0.9_f64, 0.0..=1.0_f64).prop_map(|(index, number, ratio)| {
        let cells = cells::all();
        let cell = &cells[index.index(cells.len())];
        // AdaDecay may double its share.
        let part = if cell.place == cells::ADA { 0.5 } else { 1.0 };
        let number = part * number;
        let number = match cell.strength {
            Strength::Timescale(_) => 1.5 / part + 1000.0 * number,
            Strength::HalfLife(_) => 0.6 / part + 1000.0 * number,
            _ => number,
        };
        let strength = cells::with_number(cell.strength, number);
        let penalty = match cell.penalty {
            Penalty::ElasticNet { .. } => Penalty::ElasticNet { ratio },
            Penalty::Huber { .. } => Penalty::Huber { delta: 0.1 + ratio },
            Penalty::PNorm { .. } => Penalty::PNorm { p: 1.0 + ratio },
            Penalty::Norm { .. } => Penalty::Norm { radius: ratio },
            Penalty::StartNorm { .. } => Penalty::StartNorm { ratio },
            Penalty::Box { .. } => Penalty::Box { bound: ratio },
            Penalty::FanBox { .. } => Penalty::FanBox { factor: ratio },
            Penalty::Spectral { .. } => Penalty::Spectral { bound: ratio },
            other => other,
        };
        cells::Cell { strength, penalty, ..cell.clone() }.decay()
    });
    let clip = prop_oneof![
        Just(Clip::Off),
        (1e-3..10.0_f64).prop_map(Clip::Value),
        (1e-3..10.0_f64).prop_map(Clip::GlobalNorm),
        (1e-3..10.0_f64).prop_map(Clip::OptaxGlobalNorm)
    ];
    let schedule = prop_oneof![
        Just(Schedule::constant()),
        (0.0..1.0_f64, 0.0..1.0_f64, 1..30_u64).prop_map(|(from, to, steps)| Schedule::linear(from, to, steps)),
        (1..30_u64, 0.0..1.0_f64).prop_map(|(steps, floor)| Schedule::cosine(steps, floor)),
        (0..9_u64, 10..30_u64, 0.0..1.0_f64).prop_map(|(warmup, steps, floor)| Schedule::warmup_cosine(warmup, steps, floor)),
    ];
    let lr =
        prop_oneof![0.0..1.0_f64, (-6.0..0.0_f64).prop_map(|e| 10.0_f64.powf(e))].prop_filter("a peak above 0", |lr| *lr > 0.0);
    (lr, decay, clip, schedule).prop_map(|(lr, decay, clip, schedule)| Setup { lr, clip, schedule, ..Setup::new(decay) })
}

/// 20 steps on gradients of a random size; each of the tensors, of random length, counts its own steps.
fn settings_in_range_stay_finite<T: Element>() {
    let lengths = proptest::collection::vec(0..40_usize, 1..5);
    proptest!(config(256), |((row, setup) in optimizers(), lengths in lengths, size in -4.0..4.0_f64, seed in 0..1000_u64)| {
        let mut opt = row.build::<T>(&setup);
        let mut tensors: Vec<_> = (seed..).zip(&lengths).map(|(seed, &len)| Tensor::<T>::new(seed, len)).collect();
        for (i, tensor) in tensors.iter_mut().enumerate() {
            tensor.name = format!("tensor {i}");
        }
        for k in 0..20 {
            let size = T::near(10.0_f64.powf(size));
            let report = step_on(&mut *opt, &mut tensors, 1.0, |tensor| tensor.gradient(k).into_iter().map(|g| g * size).collect());
            prop_assert_eq!(report.updated(), lengths.len());
        }
        for tensor in &tensors {
            prop_assert_eq!(opt.steps_of(&tensor.name), Some(20));
            prop_assert!(tensor.value.iter().all(|x| x.is_finite()), "{:?}", tensor.value);
        }
    });
}

/// A number that a user may set beside those of the table: what it is called in an error, and what is allowed.
struct Knob {
    name: &'static str,
    allowed: fn(f64) -> bool,
    turn: fn(f64) -> Result<()>,
}

fn is_built<A: Algorithm>(settings: Settings<A>) -> Result<()> {
    settings.build::<f32>().map(drop)
}

fn decayed(decay: Decay) -> Result<()> {
    is_built(Sgd::new(0.1).weight_decay(decay))
}

/// AdaDecay that is this steep.
fn ada_decay(alpha: f64) -> Decay {
    Decay::new(Penalty::L2, Place::AdaDecay { alpha }, Strength::Fixed(0.1))
}

fn scheduled(schedule: Schedule) -> Result<()> {
    let by_decay = is_built(Sgd::new(0.1).weight_decay(Decay::decoupled(0.1).schedule(schedule.clone())));
    let by_rate = is_built(Sgd::new(0.1).lr_schedule(schedule));
    if !matches!(by_decay, Err(Error::ShrinkOutOfRange { .. })) {
        // As text: the value may be a NaN.
        assert_eq!(format!("{by_decay:?}"), format!("{by_rate:?}"));
    }
    by_rate
}

const AT_LEAST_0: fn(f64) -> bool = |x| x >= 0.0;
const ABOVE_0: fn(f64) -> bool = |x| x > 0.0;

#[rustfmt::skip]
const KNOBS: &[Knob] = &[
    Knob { name: "learning rate", allowed: AT_LEAST_0, turn: |x| is_built(Sgd::new(x)) },
    Knob { name: "learning rate", allowed: AT_LEAST_0, turn: |x| Sgd::new(0.1).build::<f64>()?.set_learning_rate(x) },
    Knob { name: "gradient factor", allowed: ABOVE_0, turn: |x| Sgd::new(0.1).build::<f64>()?.step_scaled(&mut [], x).map(drop) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::coupled_l2(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::coupled_l1(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::coupled_elastic_net(x, 0.5)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::decoupled(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::independent(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::fixed(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::exponential(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::l1(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::elastic_net(x, 0.5)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::cautious(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::adaptive(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::ada_decay(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::metric_l1(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::group_lasso(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::p_norm(x, 0.5)) },
    Knob { name: "p of the p-norm", allowed: ABOVE_0, turn: |x| decayed(Decay::p_norm(0.1, x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::column_lasso(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::tensor_lasso(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::norm(x, 0.5)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::spectral(x)) },
    Knob { name: "radius of the norm", allowed: AT_LEAST_0, turn: |x| decayed(Decay::norm(0.1, x)) },
    Knob { name: "ratio of the norm", allowed: AT_LEAST_0, turn: |x| decayed(Decay::start_norm(0.1, x)) },
    Knob { name: "bound of the weights", allowed: AT_LEAST_0, turn: |x| decayed(Decay::clip(x)) },
    Knob { name: "factor of the bound", allowed: AT_LEAST_0, turn: |x| decayed(Decay::clip_to_start(x)) },
    Knob { name: "bound of the singular values", allowed: AT_LEAST_0, turn: |x| decayed(Decay::spectral_cap(x)) },
    Knob { name: "beta of the running average", allowed: |x| (0.0..1.0).contains(&x), turn: |x| decayed(Decay::fixed(0.1).towards(Anchor::Average { beta: x })) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::selective(x)) },
    Knob { name: "alpha of AdaDecay", allowed: AT_LEAST_0, turn: |x| decayed(ada_decay(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::new(Penalty::L2, Place::Proximal, Strength::LrScaled(x))) },
    Knob { name: "ratio of the elastic net", allowed: |x| (0.0..=1.0).contains(&x), turn: |x| decayed(Decay::elastic_net(0.1, x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::normalized(x, 9)) },
    Knob { name: "schedule's floor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::cosine_restarts(5, 2, x)) },
    Knob { name: "schedule's scale", allowed: ABOVE_0, turn: |x| scheduled(Schedule::inverse_time(x)) },
    Knob { name: "timescale", allowed: |x| x > 1.0, turn: |x| decayed(Decay::timescale(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::stable(x)) },
    Knob { name: "weight decay", allowed: AT_LEAST_0, turn: |x| decayed(Decay::tuned(x, Tuning::Log(1.0))) },
    Knob { name: "rate of tuning", allowed: AT_LEAST_0, turn: |x| decayed(Decay::tuned(0.1, Tuning::Linear(x))) },
    Knob { name: "kappa", allowed: AT_LEAST_0, turn: |x| decayed(Decay::cpr(Kappa::Constant(x))) },
    Knob { name: "kappa's factor", allowed: AT_LEAST_0, turn: |x| decayed(Decay::cpr(Kappa::Initial { times: x })) },
    Knob { name: "half-life", allowed: ABOVE_0, turn: |x| decayed(Decay::half_life(x)) },
    Knob { name: "clipping bound", allowed: ABOVE_0, turn: |x| is_built(Sgd::new(0.1).clip(Clip::Value(x))) },
    Knob { name: "clipping bound", allowed: ABOVE_0, turn: |x| is_built(Sgd::new(0.1).clip(Clip::GlobalNorm(x))) },
    Knob { name: "clipping bound", allowed: ABOVE_0, turn: |x| is_built(Sgd::new(0.1).clip(Clip::OptaxGlobalNorm(x))) },
    Knob { name: "schedule's from", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::linear(x, 1.0, 10)) },
    Knob { name: "schedule's to", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::linear(1.0, x, 10)) },
    Knob { name: "schedule's floor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::cosine(10, x)) },
    Knob { name: "schedule's floor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::warmup_cosine(5, 10, x)) },
    Knob { name: "schedule's floor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::polynomial(10, 1.0, x)) },
    Knob { name: "schedule's power", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::polynomial(10, x, 0.0)) },
    Knob { name: "schedule's factor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::step(10, x)) },
    Knob { name: "schedule's factor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::exponential(x)) },
    Knob { name: "schedule's factor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::constant().then(5, Schedule::exponential(x))) },
    Knob { name: "schedule's floor", allowed: AT_LEAST_0, turn: |x| scheduled(Schedule::warmup_stable_decay(5, 5, 5, x)) },
];

/// Numbers at which something may go wrong; each is always tried.
#[rustfmt::skip]
const EDGES: [f64; 10] = [
    f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, 1.0 - f64::EPSILON, 1.0 + f64::EPSILON, f64::MAX, -f64::MIN_POSITIVE,
];

/// Numbers of every kind, good and bad.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-2.0..2.0_f64, any::<f64>()]
}

fn judge(name: &str, allowed: bool, x: f64, outcome: Result<()>) {
    let allowed = allowed && x.is_finite();
    match outcome {
        Ok(()) => assert!(allowed, "{name} = {x} was taken"),
        Err(error) => {
            // A number in its range may still lead to one that is not: a share of 1, a rate that the weights' type does not have; and 0 may be
            // no momentum for Nesterov.
            match &error {
                Error::ShrinkOutOfRange { .. } if allowed => return,
                Error::OutOfRange { allowed: range, .. } if allowed && range.contains("weights' type") => return,
                Error::Conflict { .. } if x == 0.0 => return,
                _ => {}
            }
            assert!(!allowed, "{name} = {x}: {error}");
            let Error::OutOfRange { setting, value, .. } = error else { panic!("{name} = {x}: {error:?}") };
            assert_eq!((setting, value.to_bits()), (name, x.to_bits()));
        }
    }
}

/// Every number of every row of the table.
fn turn_optimizers(x: f64) {
    for row in OPTIMIZERS {
        for (i, number) in row.numbers.iter().enumerate() {
            let mut setup = row.setup(Decay::none());
            setup.numbers[i] = x;
            judge(number.name, number.range.has(x), x, row.try_build::<f32>(&setup).map(drop));
        }
    }
}

#[test]
fn every_number_is_taken_or_refused_by_name() {
    let turn_all = |x: f64| {
        turn_optimizers(x);
        KNOBS.iter().for_each(|knob| judge(knob.name, (knob.allowed)(x), x, (knob.turn)(x)));
    };
    EDGES.into_iter().for_each(turn_all);
    proptest!(config(64), |(x in number())| turn_all(x));
}

#[test]
fn a_group_is_checked_as_the_whole_is() {
    let group = |x: f64| {
        let settings = Adam::new(0.1).group("head", move |s| s.lr_factor(x)).assign("head", Selector::rank_below(2));
        match settings.build::<f64>() {
            Err(Error::InGroup { group, error: source }) if group == "head" => Err(*source),
            other => other.map(drop),
        }
    };
    let turn = |x: f64| judge("lr_factor", x >= 0.0, x, group(x));
    EDGES.into_iter().for_each(turn);
    proptest!(config(64), |(x in number())| turn(x));
}

/// A decay that would take a share outside [0, 1) is an error when the optimizer is built, and of the step where only that can know; then no
/// bit has changed.
fn a_share_outside_its_range_changes_nothing<T: Element>() {
    proptest!(config(32), |(share in prop_oneof![Just(1.0), 1.0..1e6_f64])| {
        for row in OPTIMIZERS {
            // AdaDecay may take twice its share.
            for (place, share) in [(Place::Decoupled, share), (Place::Exact, share), (Place::Cautious, share), (cells::ADA, 0.5 * share)] {
                let most = if place == cells::ADA { 2.0 } else { 1.0 };
                for strength in [Strength::Fixed(share), Strength::Independent(share), Strength::LrScaled(1.001 * share / row.lr)] {
                    let decay = Decay::new(Penalty::L2, place, strength);
                    let error = row.try_build::<T>(&row.setup(decay)).unwrap_err();
                    let Error::ShrinkOutOfRange { share: found, step: 0, .. } = error else { panic!("{error:?}") };
                    prop_assert!(found >= most * share);
                }
                // A schedule without end is not looked at ahead of time.
                let growing = Decay::new(Penalty::L2, place, Strength::Fixed(1e-9)).schedule(Schedule::exponential(1e9 * share));
                let mut opt = row.build::<T>(&row.setup(growing));
                let mut weights = [T::one()];
                step_slice(&mut *opt, &mut weights, &[T::zero()]).unwrap();
                let before = weights;
                let error = step_slice(&mut *opt, &mut weights, &[T::one()]).unwrap_err();
                let Error::ShrinkOutOfRange { step: 1, .. } = error else { panic!("{error:?}") };
                prop_assert!(weights == before && opt.completed_steps() == 1);
            }
        }
    });
}
