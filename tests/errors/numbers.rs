//! Numbers that are bad only at the time of a step: the gradient factor, the learning rate, the share that a decay removes.

use wane::{Adam, AdamW, Decay, Error, Optimizer, Param, Penalty, Place, Schedule, Selector, Sgd, Strength};

use super::scene::{Scene, assert_error};

#[test]
fn a_gradient_factor_out_of_range() {
    for (factor, text) in
        [(0.0, "0"), (-0.0, "-0"), (-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")]
    {
        let mut scene = Scene::<f32>::new(Adam::new(0.1).build().unwrap());
        scene.factor = factor;
        assert_error!(
            scene.refuses_numbers(),
            Error::OutOfRange { setting: "gradient factor", .. },
            format!("gradient factor = {text} is out of range: it must be a finite number above 0")
        );
    }
}

#[test]
fn a_learning_rate_out_of_range() {
    for (lr, text) in [(-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let settings = Adam::new(0.1).lr_schedule(Schedule::cosine(10, 0.0));
        let mut scene = Scene::<f64>::new(settings.build().unwrap());
        let text = format!("learning rate = {text} is out of range: it must be a finite number, at least 0");
        let error = scene.unchanged_by(|scene| scene.opt.set_learning_rate(lr));
        assert_error!(error, Error::OutOfRange { setting: "learning rate", .. }, text);
        // A rate that was set by hand before stays set.
        scene.opt.set_learning_rate(0.75).unwrap();
        let error = scene.unchanged_by(|scene| scene.opt.set_learning_rate(lr));
        assert_error!(error, Error::OutOfRange { setting: "learning rate", .. }, text);
        assert_eq!(scene.opt.learning_rate(), 0.75);
    }
}

/// A schedule may leave the range that `set_learning_rate` keeps; infinity times a zero gradient is NaN.
#[test]
fn a_schedule_that_overflows_the_learning_rate() {
    let mut opt = Sgd::new(1.0).lr_schedule(Schedule::exponential(1e200)).build::<f64>().unwrap();
    let mut w = [1.0];
    for _ in 0..2 {
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    }
    let result = opt.step(&mut [Param::new("w", &mut w, &[0.0])]);
    assert_eq!(w, [1.0], "the rate is {}", opt.learning_rate());
    result.unwrap_err();
}

/// Numbers that are finite in f64 and infinite in f32: they may be refused, at once or in a step, and must not make a weight NaN.
#[test]
fn settings_beyond_the_range_of_f32() {
    for settings in [
        Sgd::new(1e39),
        Sgd::new(1e30).group("fast", |s| s.lr_factor(1e30)).assign("fast", Selector::name_starts_with("w")),
        Sgd::new(0.1).momentum(1e39),
        Sgd::new(0.1).weight_decay(Decay::coupled_l2(1e39)),
    ] {
        let mut w = [0.0];
        let steps = || {
            let mut opt = settings.build::<f32>()?;
            opt.step(&mut [Param::new("w", &mut w, &[0.0])])?;
            opt.step(&mut [Param::new("w", &mut w, &[0.0])])
        };
        let ended = steps();
        assert_eq!(w, [0.0], "{ended:?}");
    }
}

/// A rate that fits into f32 and does not any more once it is divided by 1 − β₁.
#[test]
fn a_rate_that_overflows_by_its_bias_correction() {
    let mut scene = Scene::<f32>::new(Adam::new(0.1).build().unwrap());
    scene.opt.set_learning_rate(3e38).unwrap();
    let error = scene.refuses(|w, g| Param::new("odd", w, g));
    assert!(matches!(error, Error::OutOfRange { value, .. } if value > 1e39), "{error}");
    assert!(
        error.to_string().ends_with("it must be 0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32"),
        "{error}"
    );
}

/// 0·∞ is NaN: a strength of 0 under a schedule that overflows is refused, not let through.
#[test]
fn a_schedule_that_overflows_beside_no_strength() {
    let overflow = || Schedule::exponential(1e200);
    for decay in [Decay::coupled_l2(0.0), Decay::new(Penalty::L2, Place::Proximal, Strength::Fixed(0.0)), Decay::decoupled(0.0)] {
        let mut opt = Sgd::new(1.0).weight_decay(decay.schedule(overflow())).build::<f64>().unwrap();
        let mut w = [1.0];
        for _ in 0..2 {
            opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
        }
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap_err();
        assert_eq!(w, [1.0]);
    }
}

#[test]
fn a_gradient_factor_that_is_0_in_f32() {
    let mut scene = Scene::<f32>::new(Adam::new(0.1).build().unwrap());
    scene.factor = 1e-60;
    assert_error!(
        scene.refuses_numbers(),
        Error::OutOfRange { setting: "gradient factor", .. },
        "gradient factor = 1e-60 is out of range: it must be 0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32"
    );
}

/// SGD at a rate of 0.5 whose decay doubles in every step from a half of its strength: in step 2 it is too strong, for which there is no schedule
/// that ends.
fn ramped(decay: Decay) -> Scene<f64> {
    let ramp = Schedule::exponential(2.0);
    Scene::new(Sgd::new(0.5).weight_decay(decay.schedule(ramp)).build().unwrap())
}

/// The strengths take the factors 1, 2 and 4; the first two are within bounds.
#[test]
fn a_decay_that_would_remove_everything() {
    let cautious = Decay::new(Penalty::L2, Place::Cautious, Strength::Fixed(0.25));
    for (decay, form, share) in [
        (Decay::fixed(0.25), "fixed:0.25", "1"),
        (Decay::decoupled(0.75), "decoupled:0.75", "1.5"),
        (Decay::independent(0.375), "independent:0.375", "1.5"),
        (Decay::timescale(4.0), "timescale:4", "1"),
        (cautious, "fixed-cautious:0.25", "1"),
        (Decay::elastic_net(1.5, 0.5), "elastic-net:1.5,0.5", "1.5"),
    ] {
        let mut scene = ramped(decay);
        let form = format!("{form}*exponential:2");
        let text = format!(
            "the decay `{form}` of group `default` would remove the share {share} of each weight in step 2: it must be in [0, 1)"
        );
        assert_error!(scene.refuses_numbers(), Error::ShrinkOutOfRange { step: 2, .. }, text);
    }
}

/// What peak, factor, schedules and strengths reach is known when the optimizer is built: the first step that goes too far is named.
#[test]
fn a_decay_that_schedules_will_bring_too_far() {
    let sgd = |decay, schedule| Sgd::new(2.0).weight_decay(decay).lr_schedule(schedule);
    let up = || Schedule::linear(0.0, 1.0, 1000);
    let late = || Schedule::constant().then(100, up());
    for (settings, step) in [
        (sgd(Decay::decoupled(0.6), up()), 834),
        (sgd(Decay::cautious(0.6), up()), 834),
        (sgd(Decay::elastic_net(1.2, 0.5), up()), 834),
        (sgd(Decay::decoupled(0.3).schedule(Schedule::linear(0.0, 4.0, 1000)), Schedule::constant()), 417),
        (sgd(Decay::fixed(0.5).schedule(Schedule::linear(0.0, 4.0, 1000)), Schedule::cosine(1000, 0.0)), 500),
        // 0.8·t·(4 − 3t) is 1 at t = 1/2, largest at 2/3, and 1 again at 5/6.
        (sgd(Decay::decoupled(0.4).schedule(Schedule::linear(4.0, 1.0, 1000)), up()), 500),
        (sgd(Decay::independent(1.5), Schedule::warmup_cosine(300, 1000, 0.0)), 200),
        (sgd(Decay::decoupled(0.45), Schedule::warmup_stable_decay(10, 10, 10, 4.0)), 21),
        (sgd(Decay::decoupled(0.3), late().then(200, Schedule::exponential(1.2)).then(300, Schedule::constant())), 203),
        // 0.58·(1 + k/97)·m(k), where m is 1 every 7 steps: 0.9985 at 70, and nearly 0 at 97.
        (sgd(Decay::decoupled(0.29).schedule(Schedule::linear(1.0, 2.0, 97)), Schedule::cosine_restarts(7, 1, 0.0)), 77),
        (sgd(Decay::half_life(0.018), Schedule::constant()), 0),
        // A warm-up with nothing behind it is highest in its last step.
        (sgd(Decay::decoupled(0.6), Schedule::warmup_cosine(10, 10, 0.0)), 9),
        (sgd(Decay::decoupled(0.6), Schedule::warmup_stable_decay(10, 0, 0, 0.0)), 9),
        (sgd(Decay::none(), up()).group("g", |s| s.weight_decay(Decay::decoupled(0.06)).lr_factor(10.0)), 834),
    ] {
        let text = format!("{settings:?}");
        let error = settings.clone().build::<f32>().unwrap_err();
        let Error::ShrinkOutOfRange { step: found, share, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*found, *share >= 1.0), (step, true), "{error}: {text}");
        assert_eq!(settings.build::<f64>().unwrap_err(), error);
    }
}

/// One too far from the other, but never in one step: what is refused is what will happen, not the product of two largest values.
#[test]
fn schedules_that_never_meet_are_taken() {
    let up = || Schedule::linear(0.0, 1.0, 1000);
    for settings in [
        Sgd::new(2.0).lr_schedule(up()).weight_decay(Decay::decoupled(1.9).schedule(Schedule::linear(1.0, 0.0, 1000))),
        Sgd::new(2.0).lr_schedule(up()).weight_decay(Decay::decoupled(0.499)),
        Sgd::new(2.0).lr_schedule(Schedule::step(10, 0.1)).weight_decay(Decay::decoupled(0.49)),
        // Grows without end: a rate finder stops in time.
        Sgd::new(1e-7).lr_schedule(Schedule::exponential(1.2)).weight_decay(Decay::decoupled(0.5)),
        Sgd::new(0.1).weight_decay(Decay::half_life(0.1)),
        // At two billion steps the search still ends.
        Sgd::new(2.0).lr_schedule(Schedule::cosine(2_000_000_000, 0.0)).weight_decay(Decay::decoupled(0.4999)),
    ] {
        settings.build::<f32>().unwrap();
    }
}

#[test]
fn a_rate_by_hand_that_makes_the_decay_remove_everything() {
    let mut scene = Scene::<f32>::new(AdamW::new(0.5).weight_decay(Decay::independent(0.25)).build().unwrap());
    let error = scene.unchanged_by(|scene| scene.opt.set_learning_rate(2.0));
    assert_error!(
        error,
        Error::ShrinkOutOfRange { share: 1.0, .. },
        "the decay `independent:0.25` of group `default` would remove the share 1 of each weight in step 2: it must be in [0, 1)"
    );
}

/// The default group comes first and keeps an average of its own, which must not move when a later group is refused.
#[test]
fn a_decay_of_a_group_that_would_remove_everything() {
    let heavy = Decay::decoupled(0.5).schedule(Schedule::exponential(2.0));
    let settings =
        Sgd::new(0.5).weight_decay(Decay::adaptive(0.5)).group("heavy", move |s| s.weight_decay(heavy.clone()).lr_factor(2.0));
    let mut scene = Scene::<f32>::new(settings.build().unwrap());
    scene.factor = 4.0;
    assert_error!(
        scene.refuses(|w, g| Param::new("odd", w, g).in_group("heavy")),
        Error::ShrinkOutOfRange { share: 2.0, .. },
        "the decay `decoupled:0.5*exponential:2` of group `heavy` would remove the share 2 of each weight in step 2: it must be in [0, 1)"
    );
}
