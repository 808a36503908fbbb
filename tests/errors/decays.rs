//! Numbers of decays and schedules out of their range, and decays that do not exist.

use wane::{Adam, Anchor, Decay, Error, Kappa, Lamb, Penalty, Place, Schedule, Sgd, Strength, Tuning, Untouched};

use super::scene::assert_error;
use super::settings::{assert_range, assert_whole, below_0, not_above_0};

#[test]
fn numbers_of_decays() {
    for decay in [
        Decay::coupled_l2,
        Decay::coupled_l1,
        Decay::decoupled,
        Decay::independent,
        Decay::fixed,
        Decay::l1,
        Decay::cautious,
        Decay::adaptive,
        Decay::ada_decay,
        Decay::metric_l1,
        Decay::group_lasso,
        Decay::column_lasso,
        Decay::tensor_lasso,
        Decay::corrected,
        Decay::selective,
        Decay::exact,
        Decay::exponential,
        Decay::stable,
        |v| Decay::tuned(v, Tuning::Log(1.0)),
        Decay::spectral,
        |v| Decay::norm(v, 0.5),
        |v| Decay::start_norm(v, 0.5),
        |v| Decay::huber(v, 0.5),
        |v| Decay::p_norm(v, 0.5),
        |v| Decay::coupled_elastic_net(v, 0.5),
        |v| Decay::elastic_net(v, 0.5),
    ] as [fn(f64) -> Decay; 26]
    {
        let allowed = below_0();
        assert_range!(Sgd::new(0.1), |s, v| s.weight_decay(decay(v)), "weight decay", allowed, "a finite number, at least 0");
    }
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::normalized(v, 5)),
        "weight decay",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::timescale(v)),
        "timescale",
        not_above_0().chain([1.0]),
        "a finite number of steps above 1"
    );
    assert_range!(
        Lamb::new(0.1),
        |s, v| s.weight_decay(Decay::half_life(v)),
        "half-life",
        not_above_0(),
        "a finite number of steps above 0"
    );
    assert_range!(
        Adam::new(0.1),
        |s, v| s.weight_decay(Decay::huber(0.1, v)),
        "delta of Huber decay",
        not_above_0(),
        "a finite number above 0"
    );
    assert_range!(
        Adam::new(0.1),
        |s, v| s.weight_decay(Decay::p_norm(0.1, v)),
        "p of the p-norm",
        not_above_0(),
        "a finite number above 0"
    );
    for decay in [Decay::elastic_net, Decay::coupled_elastic_net] {
        let bad = below_0().chain([1.0 + f64::EPSILON]);
        assert_range!(Adam::new(0.1), |s, v| s.weight_decay(decay(0.1, v)), "ratio of the elastic net", bad, "in [0, 1]");
    }
}

#[test]
fn numbers_of_sets() {
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::norm(0.1, v)),
        "radius of the norm",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::start_norm(0.1, v)),
        "ratio of the norm",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::clip(v)),
        "bound of the weights",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::clip_to_start(v)),
        "factor of the bound",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(Decay::spectral_cap(v)),
        "bound of the singular values",
        below_0(),
        "a finite number, at least 0"
    );
}

/// The whole way to a set is allowed, and no more.
#[test]
fn a_share_of_the_way_to_a_set() {
    for penalty in [
        Penalty::Norm { radius: 1.0 },
        Penalty::StartNorm { ratio: 1.0 },
        Penalty::Box { bound: 1.0 },
        Penalty::Spectral { bound: 1.0 },
    ] {
        let decay = |share| Decay::new(penalty, Place::Decoupled, Strength::Fixed(share));
        Sgd::new(0.1).weight_decay(decay(1.0)).build::<f32>().unwrap();
        let error = Sgd::new(0.1).weight_decay(decay(1.25)).build::<f32>().unwrap_err();
        assert_error!(
            error,
            Error::ShrinkOutOfRange { share: 1.25, allowed: "[0, 1]", .. },
            format!(
                "the decay `{}` of group `default` would remove the share 1.25 of each weight in step 0: it must be in [0, 1]",
                decay(1.25)
            )
        );
    }
}

/// A number of a set that the weights' type does not have.
#[test]
fn a_set_beyond_f32() {
    for decay in
        [Decay::norm(0.1, 1e39), Decay::clip(1e39), Decay::clip(1e-50), Decay::spectral_cap(1e39), Decay::clip_to_start(1e-50)]
    {
        let error = Sgd::new(0.1).weight_decay(decay.clone()).build::<f32>().unwrap_err();
        assert!(matches!(error, Error::OutOfRange { setting: "weight decay", .. }), "{decay}: {error}");
        Sgd::new(0.1).weight_decay(decay).build::<f64>().unwrap();
    }
}

#[test]
fn the_hyperball_is_around_0() {
    for anchor in [Anchor::Start, Anchor::Given] {
        let error = Sgd::new(0.1).weight_decay(Decay::hyperball().towards(anchor)).build::<f32>().unwrap_err();
        assert!(matches!(error, Error::NoSuchDecay { reason: "the hyperball is around 0", .. }), "{error}");
    }
}

#[test]
fn the_steepness_of_ada_decay() {
    let decay = |alpha| Decay::new(Penalty::L2, Place::AdaDecay { alpha }, Strength::Fixed(0.1));
    let bad = below_0();
    assert_range!(Adam::new(0.1), |s, v| s.weight_decay(decay(v)), "alpha of AdaDecay", bad, "a finite number, at least 0");
}

#[test]
fn numbers_of_strengths_that_find_themselves() {
    let cpr = |mu, kappa| Decay::new(Penalty::L2, Place::Exact, Strength::Cpr { mu, kappa });
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(cpr(v, Kappa::Constant(1.0))),
        "mu of CPR",
        below_0(),
        "a finite number, at least 0"
    );
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(cpr(1.0, Kappa::Constant(v))),
        "kappa",
        below_0(),
        "a finite number, at least 0"
    );
    let initial = |v| Kappa::Initial { times: v };
    assert_range!(
        Sgd::new(0.1),
        |s, v| s.weight_decay(cpr(1.0, initial(v))),
        "kappa's factor",
        below_0(),
        "a finite number, at least 0"
    );
    for by in [Tuning::Log, Tuning::Linear] {
        assert_range!(
            Sgd::new(0.1),
            |s, v| s.weight_decay(Decay::tuned(0.1, by(v))),
            "rate of tuning",
            below_0(),
            "a finite number, at least 0"
        );
    }
    for (kappa, text) in [
        (Kappa::WarmStart { steps: 4_194_305 }, "kappa's steps = 4194305 is out of range: it must be at most 4194304"),
        (Kappa::Inflection { every: 4_194_305 }, "kappa's interval = 4194305 is out of range: it must be from 1 to 4194304"),
        (Kappa::Inflection { every: 0 }, "kappa's interval = 0 is out of range: it must be from 1 to 4194304"),
    ] {
        let error = Sgd::new(0.1).weight_decay(cpr(1.0, kappa)).build::<f32>().unwrap_err();
        assert_error!(error, Error::OutOfRange { .. }, text);
    }
    for kappa in [Kappa::WarmStart { steps: 4_194_304 }, Kappa::Inflection { every: 4_194_304 }] {
        Sgd::new(0.1).weight_decay(cpr(1.0, kappa)).build::<f32>().unwrap();
    }
}

#[test]
fn the_share_of_the_running_average() {
    let decay = |beta| Decay::fixed(0.1).towards(Anchor::Average { beta });
    let bad = below_0().chain([1.0, 2.0]);
    assert_range!(Adam::new(0.1), |s, v| s.weight_decay(decay(v)), "beta of the running average", bad, "in [0, 1)");
    for beta in [0.0, 1.0 - f64::EPSILON / 2.0] {
        Adam::new(0.1).weight_decay(decay(beta)).build::<f32>().unwrap();
    }
}

/// Where the strength at 0 is infinite, no weight would ever leave its start.
#[test]
fn a_p_norm_from_the_start() {
    let towards = |p: f64, place| Decay::new(Penalty::PNorm { p }, place, Strength::LrScaled(0.1)).towards(Anchor::Start);
    for place in [Place::Decoupled, Place::Proximal] {
        let decay = towards(2.0 - f64::EPSILON, place);
        assert_error!(
            Adam::new(0.1).weight_decay(decay.clone()).build::<f64>().unwrap_err(),
            Error::NoSuchDecay { .. },
            format!("the decay `{decay}` does not exist: a p-norm with p below 2 would hold every weight where it starts")
        );
        Adam::new(0.1).weight_decay(towards(2.0, place)).build::<f64>().unwrap();
    }
    Adam::new(0.1).weight_decay(towards(1.5, Place::Coupled)).build::<f64>().unwrap();
}

/// It may double its share: one half is too much.
#[test]
fn a_share_of_ada_decay() {
    let decay = |share| Decay::new(Penalty::L2, Place::AdaDecay { alpha: 1.0 }, Strength::Fixed(share));
    Sgd::new(0.1).weight_decay(decay(0.49)).build::<f32>().unwrap();
    assert_error!(
        Sgd::new(0.1).weight_decay(decay(0.5)).build::<f32>().unwrap_err(),
        Error::ShrinkOutOfRange { share: 1.0, .. },
        "the decay `fixed-ada-decay:0.5,1` of group `default` would remove the share 1 of each weight in step 0: it must be in [0, 1)"
    );
}

/// A schedule is checked wherever it stands: over the learning rate, in a decay, in a later part.
macro_rules! assert_schedule {
    (|$v:ident| $schedule:expr, $setting:literal, $bad:expr, $allowed:literal) => {
        assert_whole!(Adam::new(0.1), |s, $v| s.lr_schedule($schedule), $setting, $bad, $allowed);
        assert_whole!(Adam::new(0.1), |s, $v| s.lr_schedule(Schedule::constant().then(3, $schedule)), $setting, $bad, $allowed);
        assert_range!(Sgd::new(0.1), |s, $v| s.weight_decay(Decay::l1(0.1).schedule($schedule)), $setting, $bad, $allowed);
    };
}

#[test]
fn numbers_of_schedules() {
    assert_schedule!(|v| Schedule::linear(v, 1.0, 5), "schedule's from", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::linear(1.0, v, 5), "schedule's to", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::cosine(5, v), "schedule's floor", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::warmup_cosine(2, 5, v), "schedule's floor", below_0(), "a finite number, at least 0");
    assert_schedule!(
        |v| Schedule::warmup_cosine(2, 5, 0.0).warmup_start(v),
        "schedule's start",
        below_0(),
        "a finite number, at least 0"
    );
    assert_schedule!(
        |v| Schedule::warmup_stable_decay(2, 5, 5, 0.0).warmup_start(v),
        "schedule's start",
        below_0(),
        "a finite number, at least 0"
    );
    assert_schedule!(|v| Schedule::cosine_restarts(5, 2, v), "schedule's floor", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::inverse_time(v), "schedule's scale", not_above_0(), "a finite number above 0");
    assert_schedule!(|v| Schedule::step(5, v), "schedule's factor", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::polynomial(5, v, 0.0), "schedule's power", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::polynomial(5, 1.0, v), "schedule's floor", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::exponential(v), "schedule's factor", below_0(), "a finite number, at least 0");
    assert_schedule!(|v| Schedule::warmup_stable_decay(1, 1, 5, v), "schedule's floor", below_0(), "a finite number, at least 0");
}

#[test]
fn a_step_after_every_0_steps() {
    assert_error!(
        Sgd::new(0.1).lr_schedule(Schedule::step(0, 0.5)).build::<f32>().unwrap_err(),
        Error::OutOfRange { value: 0.0, allowed: "at least 1", .. },
        "schedule's every = 0 is out of range: it must be at least 1"
    );
}

#[test]
fn restarts_of_no_steps() {
    for (schedule, setting) in [
        (Schedule::cosine_restarts(0, 2, 0.0), "steps"),
        (Schedule::cosine_restarts(5, 0, 0.0), "growth"),
        (Schedule::restart_steps(0, 2), "steps"),
        (Schedule::restart_steps(5, 0), "growth"),
    ] {
        assert_error!(
            Sgd::new(0.1).lr_schedule(schedule).build::<f32>().unwrap_err(),
            Error::OutOfRange { value: 0.0, allowed: "at least 1", .. },
            format!("schedule's {setting} = 0 is out of range: it must be at least 1")
        );
    }
    assert_error!(
        Sgd::new(0.1).weight_decay(Decay::normalized(0.1, 0)).build::<f32>().unwrap_err(),
        Error::OutOfRange { value: 0.0, .. },
        "steps of normalized decay = 0 is out of range: it must be at least 1"
    );
}

#[test]
fn schedules_at_odds_with_themselves() {
    assert_error!(
        Sgd::new(0.1).lr_schedule(Schedule::warmup_cosine(10, 9, 0.0)).build::<f32>().unwrap_err(),
        Error::Conflict { setting: "warmup-cosine", .. },
        "warmup-cosine needs at least as many steps as its warm-up has, and 9 steps with 10 of warm-up was given"
    );
    let backwards = Schedule::constant().then(5, Schedule::constant()).then(4, Schedule::exponential(0.5));
    assert_error!(
        Sgd::new(0.1).lr_schedule(backwards).build::<f32>().unwrap_err(),
        Error::Conflict { setting: "then", .. },
        "then needs a later step than the part before it, and step 4 was given"
    );
}

/// A share of the peak rate is no share where the peak is 0.
#[test]
fn a_decay_against_a_peak_of_0() {
    let text = "independent or timescale decay needs a peak learning rate above 0, and 0 was given";
    for decay in [Decay::independent(0.1), Decay::timescale(100.0), Decay::independent(0.0), Decay::normalized(0.1, 5)] {
        let error = Adam::new(0.0).weight_decay(decay.clone()).build::<f32>().unwrap_err();
        assert_error!(error, Error::Conflict { found, .. } if found == "0", text);
        let group = Adam::new(0.0).group("head", move |s| s.weight_decay(decay.clone()));
        assert_error!(group.build::<f32>().unwrap_err(), Error::InGroup { .. }, format!("in group `head`: {text}"));
    }
    for decay in [Decay::decoupled(0.1), Decay::fixed(0.1), Decay::coupled_l2(0.1), Decay::none()] {
        assert!(Adam::new(0.0).weight_decay(decay).build::<f32>().is_ok());
    }
}

#[test]
fn rows_that_neither_stay_nor_catch_up() {
    let coupled = "coupled decay is part of the gradient, which it leaves 0 in no row; use decoupled";
    let average = "the running average moves on with every row; let untouched rows decay";
    let other = "rows that stay or catch up do so with decoupled L2";
    for (decay, form, reason) in [
        (Decay::coupled_l2(0.1), "coupled-l2:0.1", coupled),
        (Decay::adaptive(0.1), "adaptive:0.1", coupled),
        (Decay::fixed(0.1).towards(Anchor::Average { beta: 0.5 }), "fixed:0.1@average:0.5", average),
        (Decay::l1(0.1), "l1:0.1", other),
        (Decay::cautious(0.1), "cautious:0.1", other),
        (Decay::new(Penalty::L2, Place::Proximal, Strength::Fixed(0.1)), "fixed-proximal:0.1", other),
        (Decay::group_lasso(0.1), "group-lasso:0.1", other),
    ] {
        for (untouched, word) in [(Untouched::Stay, "stay"), (Untouched::CatchUp, "catch-up")] {
            let error = Sgd::new(0.1).weight_decay(decay.clone().untouched(untouched)).build::<f32>().unwrap_err();
            assert_error!(error, Error::NoSuchDecay { .. }, format!("the decay `{form}~{word}` does not exist: {reason}"));
        }
        assert!(Sgd::new(0.1).weight_decay(decay.untouched(Untouched::Decay)).build::<f32>().is_ok());
    }
}

#[test]
fn decays_that_do_not_exist_are_named_in_their_text_form() {
    for (penalty, place, strength, form) in [
        (Penalty::L1, Place::Cautious, Strength::LrScaled(0.1), "cautious-l1:0.1"),
        (Penalty::L2, Place::Coupled, Strength::Independent(0.5), "independent-coupled:0.5"),
        (Penalty::L2, Place::Proximal, Strength::Adaptive(0.5), "adaptive-proximal:0.5"),
        (Penalty::ElasticNet { ratio: 0.25 }, Place::Proximal, Strength::HalfLife(5.0), "half-life-proximal-elastic-net:5,0.25"),
    ] {
        let decay = Decay::new(penalty, place, strength);
        let error = Sgd::new(0.1).group("head", move |s| s.weight_decay(decay.clone())).build::<f32>().unwrap_err();
        let Error::InGroup { group, error: source } = error else { panic!("{error}") };
        assert_eq!(group, "head");
        assert!(matches!(*source, Error::NoSuchDecay { decay, .. } if decay == form), "{form}");
    }
}
