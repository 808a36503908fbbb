//! Scalars that the weights' type does not have: a positive number that is 0 there, a number that is infinite there, a share that is 1 there.

use wane::{
    Adagrad, Adam, AdamW, Clip, Decay, Error, Float, Muon, Optimizer, Param, Penalty, Place, Schedule, Selector, Settings, Sgd,
    Strength,
};

use super::scene::{Scene, assert_error};
use crate::common::{OPTIMIZERS, Range, Setup};

/// Refused for f32, and a number for f64.
macro_rules! refused_in_f32 {
    ($($settings:expr => $name:literal),+ $(,)?) => {$(
        let error = $settings.build::<f32>().unwrap_err();
        let Error::OutOfRange { setting, allowed, .. } = innermost(&error) else { panic!("{error:?}") };
        assert_eq!(*setting, $name, "{error}");
        assert!(allowed.contains("the weights' type"), "{error}");
        $settings.build::<f64>().unwrap_or_else(|error| panic!("{error}"));
    )+};
}

fn innermost(error: &Error) -> &Error {
    if let Error::InGroup { error, .. } = error { innermost(error) } else { error }
}

fn fixed(penalty: Penalty, place: Place, amount: f64) -> Decay {
    Decay::new(penalty, place, Strength::Fixed(amount))
}

#[test]
fn positive_numbers_that_are_0_in_f32() {
    let group = |s: Settings<Sgd>| s.group("slow", |s| s.lr_factor(1e-46)).assign("slow", Selector::name_starts_with("w"));
    refused_in_f32! {
        group(Sgd::new(0.1)) => "learning rate",
        Sgd::new(0.1).clip(Clip::Value(1e-46)) => "clipping bound",
        Sgd::new(0.1).weight_decay(Decay::coupled_l2(1e-46)) => "weight decay",
        Adam::new(0.1).weight_decay(Decay::coupled_l1(1e-46)) => "weight decay",
        Adam::new(0.1).weight_decay(Decay::coupled_elastic_net(1e-45, 0.01)) => "weight decay",
        Sgd::new(0.1).weight_decay(Decay::l1(1e-45)) => "weight decay",
        Sgd::new(0.1).weight_decay(fixed(Penalty::L2, Place::Proximal, 1e-46)) => "weight decay",
        Sgd::new(0.1).weight_decay(fixed(Penalty::L1, Place::Decoupled, 1e-46)) => "weight decay",
    }
}

#[test]
fn numbers_that_are_infinite_in_f32() {
    refused_in_f32! {
        Adam::new(1e38) => "learning rate, corrected for bias,",
        Sgd::new(1e30).group("fast", |s| s.lr_factor(1e30)) => "learning rate",
        Sgd::new(0.1).momentum(0.9).dampening(-1e39) => "1 - dampening",
        Muon::new(0.1).ns_coefficients(1.0, -1e39, 1.0) => "ns_coefficients",
        Sgd::new(0.1).clip(Clip::Value(1e39)) => "clipping bound",
        Sgd::new(0.1).weight_decay(Decay::coupled_l2(1e39)) => "weight decay",
        Sgd::new(0.1).weight_decay(fixed(Penalty::L2, Place::Proximal, 1e39)) => "weight decay",
        // What schedules will reach.
        Sgd::new(1e30).lr_schedule(Schedule::linear(0.0, 1e10, 1000)) => "learning rate",
        Sgd::new(0.1).weight_decay(Decay::coupled_l2(1e30).schedule(Schedule::linear(0.0, 1e10, 1000))) => "weight decay",
    }
}

/// Of every optimizer; an average whose share is 1 never forgets.
#[test]
fn numbers_that_f32_does_not_have() {
    for row in OPTIMIZERS {
        let usual = || row.setup(Decay::none());
        let rates = [1e-46, 1e39].map(|lr| ("learning rate", Setup { lr, ..usual() })).into_iter();
        let rounded = row.numbers.iter().enumerate().filter(|(_, number)| number.rounded);
        let numbers = rounded.flat_map(|(i, number)| {
            let bad: &[f64] = match number.range {
                Range::AtLeast0 => &[1e-46, 1e39],
                Range::Share => &[1.0 - 1e-9],
                _ => &[],
            };
            bad.iter().map(move |x| {
                let mut setup = usual();
                setup.numbers[i] = *x;
                (number.name, setup)
            })
        });
        for (name, setup) in rates.chain(numbers) {
            let error = row.try_build::<f32>(&setup).unwrap_err();
            let Error::OutOfRange { setting, allowed, .. } = &error else { panic!("{error:?}") };
            assert!(*setting == name && allowed.contains("the weights' type"), "{} with {setup:?}: {error}", row.name);
            row.build::<f64>(&setup);
        }
    }
}

#[test]
fn a_rate_by_hand_that_is_0_in_f32() {
    for (lr, place) in [(1e-46, ""), (1e-39, "in group `slow`: ")] {
        let settings = Adam::new(0.1).group("slow", |s| s.lr_factor(1e-7));
        let mut scene = Scene::<f32>::new(settings.build().unwrap());
        let error = scene.unchanged_by(|scene| scene.opt.set_learning_rate(lr));
        assert!(error.to_string().starts_with(&format!("{place}learning rate = ")), "{error}");
    }
    let mut scene = Scene::<f32>::new(Adam::new(0.1).build().unwrap());
    scene.opt.set_learning_rate(0.0).unwrap();
    let error = scene.unchanged_by(|scene| scene.opt.set_learning_rate(1e39));
    assert_error!(
        error,
        Error::OutOfRange { setting: "learning rate", .. },
        "learning rate = 1e39 is out of range: it must be 0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32"
    );
}

/// Every fading schedule comes to numbers that are 0 in the weights' type; there it ends, and is no error.
#[test]
fn a_schedule_may_fade_to_0() {
    fn check<T: Float + PartialEq>(one: T) {
        let fading = || Schedule::exponential(1e-30);
        for decay in [Decay::none(), Decay::coupled_l2(0.5).schedule(fading()), Decay::l1(0.5), Decay::decoupled(0.5)] {
            let settings = Adam::new(0.1).lr_schedule(fading()).weight_decay(decay.clone());
            let mut opt = settings.build::<T>().unwrap();
            let mut w = [one];
            let mut before = w;
            for _ in 0..15 {
                before = w;
                opt.step(&mut [Param::new("w", &mut w, &[one])]).unwrap_or_else(|error| panic!("{decay}: {error}"));
            }
            assert_eq!((w, opt.learning_rate()), (before, 0.1 * 1e-30_f64.powf(15.0)), "{decay}");
        }
    }
    check(1.0_f32);
    check(1.0_f64);
}

/// The same where an optimizer's own decay of the rate takes the last step there.
#[test]
fn a_rate_may_fade_to_0_by_its_own_decay() {
    let settings = Adagrad::new(0.1).lr_decay(10.0).lr_schedule(Schedule::exponential(1e-22));
    let mut opt = settings.build::<f32>().unwrap();
    let mut w = [1.0];
    for _ in 0..4 {
        opt.step_slice(&mut w, &[0.5]).unwrap();
    }
    assert_eq!(w, [0.9]);
}

/// A rate of 0 that was meant is 0.
#[test]
fn zero_is_a_number_of_every_type() {
    let mut opt = AdamW::new(0.0).eps(1e-8).weight_decay(Decay::coupled_l2(0.0)).build::<f32>().unwrap();
    let mut w = [1.0];
    opt.step_slice(&mut w, &[1.0]).unwrap();
    assert_eq!(w, [1.0]);
}
