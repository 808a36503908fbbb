//! Counts and statuses: by name, after good steps, skipped steps, refused steps, `forget` and `reset`.

use wane::{Adam, AdamW, Anchor, Decay, NonFinite, Optimizer, Param, Schedule, Selector, Sgd, Status};

use super::every::{bits, every, every_with, grad, state_of, step};
use crate::common::data::{param, still};

#[test]
fn statuses_say_what_became_of_each_parameter() {
    let mut opt = Adam::new(0.1).non_finite(NonFinite::Skip).build::<f64>().unwrap();
    let (mut a, mut b, mut c, mut d) = ([1.0], [1.0], [1.0], [1.0]);
    assert_eq!(opt.status("a"), None);
    opt.register(&[Param::without_grad("a", &mut a), Param::new("d", &mut d, &[1.0])]).unwrap();
    let of = |opt: &dyn Optimizer<f64>| ["a", "b", "c", "d"].map(|name| opt.status(name));
    assert_eq!(of(&opt), [Some(Status::Registered), None, None, Some(Status::Registered)]);

    opt.step(&mut [
        Param::new("a", &mut a, &[1.0]),
        Param::without_grad("b", &mut b),
        Param::new("c", &mut c, &[1.0]).frozen(true),
    ])
    .unwrap();
    let expected = [Status::Updated, Status::NoGradient, Status::Frozen, Status::Registered].map(Some);
    assert_eq!(of(&opt), expected);

    // A refused step is no step.
    opt.step(&mut [Param::new("b", &mut b, &[])]).unwrap_err();
    assert_eq!(of(&opt), expected);

    opt.step(&mut [Param::new("c", &mut c, &[1.0]), Param::new("b", &mut b, &[1.0])]).unwrap();
    assert_eq!(of(&opt), [Status::Absent, Status::Updated, Status::Updated, Status::Registered].map(Some));

    let all = &mut [
        Param::new("a", &mut a, &[1.0]),
        Param::without_grad("b", &mut b),
        Param::new("c", &mut c, &[f64::NAN]),
        Param::new("d", &mut d, &[1.0]).frozen(true),
    ];
    opt.step(all).unwrap();
    assert_eq!(of(&opt), [Some(Status::Skipped); 4]);

    opt.step(&mut []).unwrap();
    assert_eq!(of(&opt), [Some(Status::Absent); 4]);
    opt.forget("b");
    assert_eq!(of(&opt), [Some(Status::Absent), None, Some(Status::Absent), Some(Status::Absent)]);
}

/// The last step was the skipped one, and this parameter was not in it.
#[test]
fn a_parameter_that_a_skipped_step_did_not_mention_is_absent() {
    let mut opt = Adam::new(0.1).non_finite(NonFinite::Skip).build::<f64>().unwrap();
    let (mut a, mut b) = ([1.0], [1.0]);
    opt.step(&mut [Param::new("a", &mut a, &[1.0]), Param::new("b", &mut b, &[1.0])]).unwrap();
    opt.step(&mut [Param::new("b", &mut b, &[f64::NAN])]).unwrap();
    assert_eq!((opt.status("a"), opt.status("b")), (Some(Status::Absent), Some(Status::Skipped)));
}

#[test]
fn each_parameter_counts_its_own_updates() {
    for (mut opt, _) in every() {
        let (mut early, mut late) = ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]);
        assert_eq!(opt.steps_of("early"), None);
        (0..3).for_each(|k| step(&mut *opt, "early", &mut early, k));
        for k in 0..2 {
            opt.step(&mut [param("late", &mut late, &grad(k)), param("early", &mut early, &grad(k))]).unwrap();
        }
        opt.step(&mut [still("early", &mut early)]).unwrap();
        assert_eq!((opt.completed_steps(), opt.steps_of("early"), opt.steps_of("late")), (6, Some(5), Some(2)));
        let updates: Vec<_> = opt.describe().params().iter().map(|row| (row.name().to_string(), row.updates())).collect();
        assert_eq!(updates, [("early".to_string(), 5), ("late".to_string(), 2)]);
    }
}

/// A parameter that joins late gets the bias correction of its own first update: Adam's first step is η·sign(g).
#[test]
fn a_parameter_that_joins_late_starts_from_1() {
    let mut opt = Adam::new(0.125).betas(0.9, 0.99).eps(0.0).build::<f64>().unwrap();
    let (mut early, mut late) = ([1.0], [1.0]);
    for _ in 0..7 {
        opt.step(&mut [Param::new("early", &mut early, &[0.5])]).unwrap();
    }
    opt.step(&mut [Param::new("early", &mut early, &[0.5]), Param::new("late", &mut late, &[-3.0])]).unwrap();
    assert!((late[0] - 1.125).abs() < 1e-14, "{late:?}");
}

#[test]
fn a_skipped_step_advances_nothing() {
    for (mut opt, _) in every_with(NonFinite::Skip) {
        let mut whole = opt.clone();
        let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
        for k in 0..3 {
            step(&mut *whole, "w", &mut v, k);
            step(&mut *opt, "w", &mut w, k);
            let (weights, state, done) = (bits(&w), state_of(&*opt, "w"), opt.completed_steps());
            let report = opt.step(&mut [param("w", &mut w, &[1.0, f64::INFINITY, 1.0])]).unwrap();
            assert!(report.skipped() && report.grad_norm().is_none());
            assert_eq!((report.updated(), report.left_alone(), report.clip_factor()), (0, 1, 1.0));
            assert_eq!((bits(&w), state_of(&*opt, "w"), opt.completed_steps()), (weights, state, done));
        }
        assert_eq!((bits(&v), state_of(&*whole, "w")), (bits(&w), state_of(&*opt, "w")), "{}", opt.describe());
    }
}

/// The count that schedules see does not move either; nor does the average of an adaptive decay.
#[test]
fn a_skipped_or_refused_step_moves_no_schedule() {
    for policy in [NonFinite::Skip, NonFinite::Error] {
        let settings = Sgd::new(1.0)
            .lr_schedule(Schedule::exponential(0.5))
            .weight_decay(Decay::fixed(0.5).schedule(Schedule::step(1, 0.5)));
        let mut opt = settings.non_finite(policy).build::<f64>().unwrap();
        let mut w = [8.0];
        for expected in [8.0 * 0.5 - 1.0, 3.0 * 0.75 - 0.5] {
            let _ = opt.step(&mut [Param::new("w", &mut w, &[f64::NAN])]);
            opt.step(&mut [Param::new("w", &mut w, &[1.0])]).unwrap();
            assert_eq!(w, [expected]);
        }
        assert_eq!((opt.completed_steps(), opt.learning_rate()), (2, 0.25));
    }
}

/// A new name in a skipped step is known afterwards, without state, and its group and anchor are chosen.
#[test]
fn a_name_that_a_skipped_step_brings_stays_known() {
    let mut opt =
        AdamW::new(0.1).non_finite(NonFinite::Skip).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build().unwrap();
    let mut w = [8.0_f64];
    assert!(opt.step(&mut [Param::new("w", &mut w, &[f64::NAN])]).unwrap().skipped());
    assert_eq!((opt.status("w"), opt.steps_of("w"), opt.state("w", "exp_avg")), (Some(Status::Skipped), Some(0), None));
    w = [4.0];
    opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    assert_eq!(w, [6.0]);
}

#[test]
fn registering_is_no_step() {
    for (mut opt, _) in every() {
        let mut plain = opt.clone();
        let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
        opt.register(&[still("w", &mut w)]).unwrap();
        opt.register(&[param("w", &mut w, &grad(0))]).unwrap();
        assert_eq!((opt.completed_steps(), opt.steps_of("w"), opt.status("w")), (0, Some(0), Some(Status::Registered)));
        assert!(state_of(&*opt, "w").1.iter().all(Option::is_none));
        assert_eq!(w, v);
        for k in 0..3 {
            step(&mut *plain, "w", &mut v, k);
            step(&mut *opt, "w", &mut w, k);
            opt.register(&[still("w", &mut w)]).unwrap();
            assert_eq!(opt.status("w"), Some(Status::Updated), "registering a known name again changes nothing");
        }
        assert_eq!((bits(&v), state_of(&*plain, "w")), (bits(&w), state_of(&*opt, "w")));
    }
}

#[test]
fn registering_chooses_the_group_and_captures_the_anchor() {
    let settings = Sgd::new(0.0).weight_decay(Decay::fixed(0.5).towards(Anchor::Start));
    let mut opt = settings.group("b", |s| s.weight_decay(Decay::none())).assign("b", Selector::rank_below(2)).build().unwrap();
    let (mut w, mut b) = ([8.0_f64; 2], [8.0; 2]);
    opt.register(&[Param::without_grad("w", &mut w).shape(&[1, 2]), Param::without_grad("b", &mut b).shape(&[2])]).unwrap();
    assert_eq!(opt.describe().params().iter().map(wane::ParamRow::group).collect::<Vec<_>>(), ["default", "b"]);
    (w, b) = ([4.0; 2], [4.0; 2]);
    // Half the way back, now and again: the anchor stays the registered one.
    for expected in [[6.0; 2], [7.0; 2]] {
        opt.step(&mut [Param::new("b", &mut b, &[0.0; 2]), Param::new("w", &mut w, &[0.0; 2])]).unwrap();
        assert_eq!((w, b), (expected, [4.0; 2]));
    }
}

#[test]
fn a_forgotten_name_starts_anew() {
    for (mut opt, _) in every() {
        let mut fresh = opt.clone();
        let (mut w, mut other) = ([1.0, -2.0, 0.5], [1.0, 1.0, 1.0]);
        assert!(!opt.forget("w"));
        opt.step(&mut [param("w", &mut w, &grad(0)), param("other", &mut other, &grad(0))]).unwrap();
        let kept = state_of(&*opt, "other");
        assert!(opt.forget("w") && !opt.forget("w"));
        assert_eq!((opt.status("w"), opt.steps_of("w")), (None, None));
        assert!(state_of(&*opt, "w").1.iter().all(Option::is_none));
        assert_eq!((state_of(&*opt, "other"), opt.describe().params().len()), (kept, 1));
        // Another length is fine now, and so is another shape.
        opt.step(&mut [Param::new("w", &mut [1.0; 4], &[1.0; 4]).shape(&[2, 2])]).unwrap();
        assert_eq!(opt.steps_of("w"), Some(1));

        // Adaptive decay keeps its average with the group; it is not the name's to lose.
        let adaptive = opt.describe().groups()[0].decay().starts_with("adaptive");
        opt.forget("w");
        let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
        step(&mut *fresh, "w", &mut v, 1);
        step(&mut *opt, "w", &mut w, 1);
        assert!(bits(&v) == bits(&w) || adaptive, "{}", opt.describe());
    }
}

#[test]
fn reset_is_the_moment_after_build() {
    for (mut opt, _) in every() {
        let mut fresh = opt.clone();
        let mut w = [1.0, -2.0, 0.5];
        (0..3).for_each(|k| step(&mut *opt, "w", &mut w, k));
        opt.set_learning_rate(0.5).unwrap();
        opt.reset();
        assert_eq!((opt.describe(), opt.describe().to_string()), (fresh.describe(), fresh.describe().to_string()));
        assert_eq!((opt.completed_steps(), opt.learning_rate(), opt.status("w")), (0, 0.1, None));
        let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
        for k in 0..3 {
            step(&mut *fresh, "w", &mut v, k);
            step(&mut *opt, "w", &mut w, k);
        }
        assert_eq!((bits(&v), state_of(&*fresh, "w")), (bits(&w), state_of(&*opt, "w")), "{}", opt.describe());
    }
}
