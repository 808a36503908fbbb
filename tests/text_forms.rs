//! Text forms: what is printed parses back to an equal value, and what is no text form is refused.

mod common;

use std::fmt::Debug;
use std::str::FromStr;

use common::cells::{self, Cell};
use common::text_returns;
use proptest::prelude::*;
use wane::{
    AdjustLr, Anchor, Clip, Decay, Error, Kappa, Level, NonFinite, Penalty, Place, Schedule, Strength, TrustRatio, Tuning,
    Untouched,
};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// Finite numbers of all sizes, at least 0.
fn number() -> impl Strategy<Value = f64> {
    let any_size = any::<f64>().prop_map(f64::abs).prop_filter("finite", |x| x.is_finite());
    prop_oneof![Just(0.0), Just(1.0), Just(f64::MAX), Just(f64::MIN_POSITIVE), 0.0..10.0_f64, any_size]
}

fn steps() -> impl Strategy<Value = u64> {
    prop_oneof![1..10_000_u64, 1..=u64::MAX]
}

// Boxed, as without optimisation a test's stack is too small for all forms.
fn one_schedule() -> BoxedStrategy<Schedule> {
    let warmup = steps().prop_flat_map(|steps| (0..steps, Just(steps)));
    prop_oneof![
        Just(Schedule::constant()),
        (number(), number(), steps()).prop_map(|(from, to, steps)| Schedule::linear(from, to, steps)),
        (steps(), number()).prop_map(|(steps, floor)| Schedule::cosine(steps, floor)),
        (warmup, number()).prop_map(|((warmup, steps), floor)| Schedule::warmup_cosine(warmup, steps, floor)),
        (steps(), number()).prop_map(|(every, factor)| Schedule::step(every, factor)),
        (steps(), number(), number()).prop_map(|(steps, power, floor)| Schedule::polynomial(steps, power, floor)),
        number().prop_map(Schedule::exponential),
        (steps(), steps(), number()).prop_map(|(steps, growth, floor)| Schedule::cosine_restarts(steps, growth, floor)),
        prop_oneof![
            (steps(), steps()).prop_map(|(steps, growth)| Schedule::restart_steps(steps, growth)),
            number().prop_map(|scale| Schedule::inverse_time(scale.max(f64::MIN_POSITIVE))),
        ],
        (0..=u64::MAX, 0..=u64::MAX, steps(), number())
            .prop_map(|(warmup, stable, decay, floor)| Schedule::warmup_stable_decay(warmup, stable, decay, floor)),
    ]
    .boxed()
}

/// Up to four schedules, one after another.
fn schedule() -> impl Strategy<Value = Schedule> {
    let later = proptest::collection::vec((1..1000_u64, one_schedule()), 0..4);
    (one_schedule(), later).prop_map(|(first, later)| {
        let mut at = 0;
        later.into_iter().fold(first, |schedule, (length, next)| {
            at += length;
            schedule.then(at, next)
        })
    })
}

/// Every cell of the table, with any number.
fn decay() -> impl Strategy<Value = Decay> {
    let cell = proptest::sample::select(cells::plain());
    let anchor = any::<proptest::sample::Index>();
    let ratio = prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64];
    let rows = proptest::sample::select(&[Untouched::Decay, Untouched::Stay, Untouched::CatchUp]);
    (cell, anchor, number(), number(), ratio, rows, schedule()).prop_map(
        |(cell, anchor, number, alpha, ratio, rows, schedule)| {
            let least = match cell.strength {
                Strength::Timescale(_) => 1.001,
                Strength::HalfLife(_) => f64::MIN_POSITIVE,
                _ => 0.0,
            };
            let strength = cells::with_number(cell.strength, number.max(least));
            let penalty = match cell.penalty {
                Penalty::ElasticNet { .. } => Penalty::ElasticNet { ratio },
                Penalty::Huber { .. } => Penalty::Huber { delta: alpha.max(f64::MIN_POSITIVE) },
                Penalty::PNorm { .. } if cell.place == Place::Coupled => Penalty::PNorm { p: 1.0 + ratio },
                Penalty::PNorm { .. } => Penalty::PNorm { p: alpha.max(f64::MIN_POSITIVE) },
                Penalty::Norm { .. } => Penalty::Norm { radius: alpha },
                Penalty::StartNorm { .. } => Penalty::StartNorm { ratio: alpha },
                Penalty::Box { .. } => Penalty::Box { bound: alpha },
                Penalty::FanBox { .. } => Penalty::FanBox { factor: alpha },
                Penalty::Spectral { .. } => Penalty::Spectral { bound: alpha },
                other => other,
            };
            let place = if let Place::AdaDecay { .. } = cell.place { Place::AdaDecay { alpha } } else { cell.place };
            let anchor = *anchor.get(&cell.anchors().collect::<Vec<_>>());
            let waits = penalty == Penalty::L2 && matches!(place, Place::Decoupled | Place::Exact) && anchor != cells::AVERAGE;
            let untouched = if waits { rows } else { Untouched::Decay };
            Cell { penalty, place, strength, untouched, ..cell }.decay().towards(anchor).schedule(schedule)
        },
    )
}

fn clip() -> impl Strategy<Value = Clip> {
    let bound = || number().prop_filter("above 0", |x| *x > 0.0);
    prop_oneof![
        Just(Clip::Off),
        bound().prop_map(Clip::Value),
        bound().prop_map(Clip::GlobalNorm),
        bound().prop_map(Clip::OptaxGlobalNorm)
    ]
}

#[test]
fn a_schedule_returns() {
    proptest!(config(), |(schedule in schedule())| text_returns(&schedule));
}

#[test]
fn a_decay_with_a_strength_returns() {
    let strong = decay().prop_filter("with a strength", |decay| decay.to_string() != "none");
    proptest!(config(), |(decay in strong)| text_returns(&decay));
}

/// Strengths that find themselves, with any numbers.
fn found() -> impl Strategy<Value = Decay> {
    let kappa = prop_oneof![
        number().prop_map(Kappa::Constant),
        number().prop_map(|times| Kappa::Initial { times }),
        (0..=1_u64 << 22).prop_map(|steps| Kappa::WarmStart { steps }),
        (1..=1_u64 << 22).prop_map(|every| Kappa::Inflection { every }),
    ];
    let tuning = prop_oneof![number().prop_map(Tuning::Log), number().prop_map(Tuning::Linear)];
    let place = prop_oneof![Just(Place::Decoupled), Just(Place::Exact)];
    // Boxed, as the strategies in one would be too large for the stack.
    let strength = prop_oneof![
        (number(), kappa.clone()).prop_map(|(mu, kappa)| Strength::Cpr { mu, kappa }).boxed(),
        (number(), kappa).prop_map(|(mu, kappa)| Strength::AdaCpr { mu, kappa }).boxed(),
        number().prop_map(Strength::Stable).boxed(),
        (number(), tuning).prop_map(|(lambda, by)| Strength::Tuned { lambda, by }).boxed(),
    ];
    (strength, place, schedule().boxed()).prop_map(|(strength, place, schedule)| match strength {
        Strength::Cpr { .. } | Strength::AdaCpr { .. } => Decay::new(Penalty::L2, Place::Exact, strength),
        _ => Decay::new(Penalty::L2, place, strength).schedule(schedule),
    })
}

#[test]
fn a_decay_that_finds_its_strength_returns() {
    proptest!(config(), |(decay in found())| text_returns(&decay));
}

/// Whatever else was said about it.
#[test]
fn no_decay_returns() {
    for anchor in cells::ANCHORS.into_iter().chain([cells::AVERAGE]) {
        text_returns(&Decay::none().towards(anchor));
    }
    text_returns(&Decay::none().untouched(Untouched::Stay));
    text_returns(&Decay::none().schedule(Schedule::cosine(10, 0.0)));
    text_returns(&Decay::new(Penalty::L1, Place::Proximal, Strength::None));
}

#[test]
fn clipping_returns() {
    proptest!(config(), |(clip in clip())| text_returns(&clip));
}

#[test]
fn choices_return() {
    [NonFinite::Error, NonFinite::Skip, NonFinite::Propagate].iter().for_each(text_returns);
    [TrustRatio::Off, TrustRatio::Lamb].iter().for_each(text_returns);
    [AdjustLr::Original, AdjustLr::MatchRmsAdamw, AdjustLr::SpectralUnclamped].iter().for_each(text_returns);
    Level::all().for_each(|level| text_returns(&level));
}

/// Spaces around numbers do not matter, and one value may have several texts.
#[test]
fn other_texts_of_the_same_value() {
    for (text, decay) in [
        (" decoupled: 0.1 ", Decay::decoupled(0.1)),
        ("decoupled-l2:0.1", Decay::decoupled(0.1)),
        ("l2:0.1", Decay::decoupled(0.1)),
        ("independent-exact-l2:0.1", Decay::independent(0.1)),
        ("independent-decoupled:0.1", Decay::new(Penalty::L2, Place::Decoupled, Strength::Independent(0.1))),
        ("independent-l1:0.1", Decay::new(Penalty::L1, Place::Decoupled, Strength::Independent(0.1))),
        ("decoupled-l1:0.1", Decay::l1(0.1)),
        ("normalized-exact-l2:0.1,30", Decay::normalized(0.1, 30)),
        ("adaptive-coupled-l2:0.1", Decay::adaptive(0.1)),
        ("decoupled:1e-1@start", Decay::decoupled(0.1).towards(Anchor::Start)),
        ("decoupled:0.1@average:9e-1", Decay::decoupled(0.1).towards(Anchor::Average { beta: 0.9 })),
        ("decoupled:0.1*constant", Decay::decoupled(0.1)),
        ("exact:0.1~stay", Decay::exact(0.1).untouched(Untouched::Stay)),
        ("decoupled:0.1@start ~ catch-up*constant", Decay::decoupled(0.1).towards(Anchor::Start).untouched(Untouched::CatchUp)),
        ("cpr-exact-l2: 1, constant, 0.5", Decay::cpr(Kappa::Constant(0.5))),
        ("stable-exact:0.1", Decay::stable(0.1)),
    ] {
        assert_eq!(text.parse(), Ok(decay), "`{text}`");
    }
}

#[track_caller]
fn refused<V: FromStr<Err = Error> + Debug>(texts: &[&str]) {
    for text in texts {
        let error = text.parse::<V>().expect_err(text);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn what_is_no_decay_is_refused() {
    refused::<Decay>(&[
        "",
        ":",
        ":0.1",
        "0.1",
        "decoupled",
        "decoupled:",
        "decoupled:x",
        "decoupled:0.1,0.2",
        "decoupled 0.1",
        "Decoupled:0.1",
        "decoupledx:0.1",
        "weight-decay:0.1",
        "l1-decoupled:0.1",
        "decoupled-decoupled:0.1",
        "decoupled-coupled:0.1",
        "l2-l1:0.1",
        "-decoupled:0.1",
        "decoupled--l2:0.1",
        "none:1",
        "none-l1",
        "decoupled:0.1:0.2",
        "decoupled:0.1;",
        "decoupled:0,1",
        "cpr:1",
        "cpr:1,0.5",
        "cpr:1,constant",
        "cpr:1,warm-start,2.5",
        "cpr:1,inflection,2,",
        "ada-cpr",
        "ada:1,constant,1",
        "tuned:1",
        "tuned:1,square,1",
        "stable:1,log,1",
    ]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    refused::<Decay>(&[
        "decoupled:-0.1",
        "decoupled:nan",
        "decoupled:inf",
        "decoupled:1e400",
        "coupled-l2:-1",
        "timescale:1",
        "timescale:-5",
        "half-life:0",
        "half-life:inf",
        "elastic-net:0.1",
        "elastic-net:0.1,1.5",
        "elastic-net:0.1,-0.5",
        "elastic-net:0.1,nan",
        "elastic-net:0.1,0.5,0.5",
        "adaptive:-1",
        "cpr:-1,constant,1",
        "cpr:1,constant,-1",
        "cpr:1,warm-start,4194305",
        "cpr:1,inflection,0",
        "ada-cpr:1,initial,inf",
        "stable:-1",
        "tuned:-1,log,1",
        "tuned:1,linear,-1",
    ]);
    for (text, setting) in
        [("decoupled:-0.1", "weight decay"), ("timescale:1", "timescale"), ("elastic-net:0.1,2", "ratio of the elastic net")]
    {
        assert!(matches!(text.parse::<Decay>(), Err(Error::OutOfRange { setting: found, .. }) if found == setting), "{text}");
    }
}

#[test]
fn anchors_and_schedules_that_do_not_exist_are_refused() {
    refused::<Decay>(&[
        "decoupled:0.1@",
        "decoupled:0.1@end",
        "decoupled:0.1@start@given",
        "decoupled:0.1~",
        "decoupled:0.1~decay",
        "decoupled:0.1~stay~stay",
        "decoupled:0.1~stay@start",
        "decoupled:0.1@average:0.9~stay",
        "coupled-l2:0.1~stay",
        "l1:0.1~catch-up",
        "@start",
        "decoupled:0.1*",
        "decoupled:0.1*cosine",
        "decoupled:0.1**constant",
        "decoupled:0.1*constant@start",
        "*constant",
    ]);
}

/// A dash joins two words.
#[test]
fn a_dash_that_joins_nothing_is_refused() {
    refused::<Decay>(&["decoupled-:0.1", "fixed-:0.1", "fixed-decoupled-:0.1", "l1-:0.1", "coupled-l2-:0.1"]);
}

#[test]
fn what_is_no_schedule_is_refused() {
    refused::<Schedule>(&[
        "",
        "const",
        "constant:1",
        "Constant",
        "linear",
        "linear:1,2",
        "linear:1,2,3,4",
        "linear:-1,2,3",
        "linear:1,inf,3",
        "linear:1,2,3.5",
        "cosine:10",
        "cosine:-1,0",
        "cosine:1e3,0",
        "cosine:10,-0.1",
        "cosine:10,nan",
        "warmup-cosine:10,5,0",
        "warmup-cosine:1,5,0,",
        "warmup-cosine:1,5,0,-1",
        "warmup-cosine:1,5,0,1,1",
        "step:0,0.5",
        "step:5,-1",
        "polynomial:10,-1,0",
        "exponential:",
        "exponential:-0.5",
        "exponential:inf",
        "warmup-stable-decay:1,1,1",
        "constant then",
        "constant then@",
        "constant then@5",
        "constant then@x constant",
        "constant then@5 then@6 constant",
        "constant then@6 constant then@5 constant",
        "constant then@5 exponential:-1",
        "then@5 constant",
        " then@5 constant",
        "constant,constant",
        "constant 5",
    ]);
}

#[test]
fn what_is_no_clipping_is_refused() {
    refused::<Clip>(&[
        "",
        "on",
        "Off",
        "off:1",
        "value",
        "value:",
        "value:x",
        "value:0",
        "value:-1",
        "value:inf",
        "value:nan",
        "value:1,2",
        "global-norm:0",
        "global-norm",
        "norm:1",
        "optax-global-norm:-1",
        "global_norm:1",
    ]);
}

#[test]
fn what_is_no_choice_is_refused() {
    refused::<NonFinite>(&["", "Error", "ignore", "let through", "skip:1"]);
    refused::<AdjustLr>(&["", "Original", "match_rms_adamw", "original:1"]);
    refused::<TrustRatio>(&[
        "",
        "Lamb",
        "on",
        "lars",
        "clamped",
        "clamped:1",
        "clamped:2,1",
        "clamped:-1,1",
        "clamped:0,inf",
        "clamped:0,1,2",
    ]);
    refused::<Level>(&["", "best", "AVX2", "sse2", "avx-512"]);
}

/// Blanks between the parts of a decay or a schedule mean nothing.
#[test]
fn blanks_between_parts_are_allowed() {
    let decay: Decay = "decoupled:0.1@start*cosine:5,0".parse().unwrap();
    for text in ["decoupled:0.1@start *cosine:5,0", " decoupled:0.1 @start* cosine:5,0 ", "decoupled:0.1 @ start * cosine:5, 0"] {
        assert_eq!(text.parse::<Decay>().as_ref(), Ok(&decay), "{text}");
    }
    let schedule: Schedule = "linear:0,1,5 then@5 constant".parse().unwrap();
    for text in ["linear:0, 1, 5 then@5 constant", " linear:0,1,5  then@5  constant ", "linear:0,1,5 then@ 5 constant"] {
        assert_eq!(text.parse::<Schedule>().as_ref(), Ok(&schedule), "{text}");
    }
}
