//! The learning rate: what it is, how it is set, and how schedules move it and the strength of a decay.

use wane::{Adam, Decay, Optimizer, Param, Schedule, Sgd};

use super::every::{every, step};

#[test]
fn a_rate_can_be_read_set_and_given_back() {
    let mut opt = Adam::new(0.5).lr_schedule(Schedule::linear(1.0, 0.0, 4)).build::<f64>().unwrap();
    let mut w = [1.0, 2.0, 3.0];
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (0.5, 0.5));
    step(&mut opt, "w", &mut w, 0);
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (0.375, 0.5));
    opt.set_learning_rate(2.0).unwrap();
    step(&mut opt, "w", &mut w, 1);
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (2.0, 0.5));
    opt.set_learning_rate(0.0).unwrap();
    assert_eq!(opt.learning_rate(), 0.0);
    // The schedule has counted on in the meantime.
    opt.resume_schedule();
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (0.25, 0.5));
    opt.set_learning_rate(3.0).unwrap();
    opt.reset();
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate(), opt.completed_steps()), (0.5, 0.5, 0));
}

/// SGD with gradient 1: a weight falls by the rate. The first step takes m(0).
#[test]
fn a_step_takes_the_rate_of_the_steps_completed_before_it() {
    for schedule in [
        Schedule::linear(0.25, 1.0, 3),
        Schedule::cosine(4, 0.125),
        Schedule::warmup_cosine(2, 6, 0.0),
        Schedule::step(2, 0.5),
        Schedule::polynomial(5, 2.0, 0.0),
        Schedule::exponential(0.75),
        Schedule::cosine_restarts(2, 2, 0.25),
        Schedule::restart_steps(2, 4),
        Schedule::inverse_time(3.0),
        Schedule::warmup_stable_decay(1, 2, 3, 0.5),
        Schedule::constant().then(3, Schedule::exponential(0.5)),
    ] {
        let mut opt = Sgd::new(2.0).lr_schedule(schedule.clone()).group("half", |s| s.lr_factor(0.5)).build::<f64>().unwrap();
        for k in 0..8 {
            let (mut w, mut half) = ([0.0], [0.0]);
            assert_eq!((opt.completed_steps(), opt.learning_rate()), (k, 2.0 * schedule.multiplier(k)));
            opt.step(&mut [Param::new("w", &mut w, &[-1.0]), Param::new("half", &mut half, &[-1.0]).in_group("half")]).unwrap();
            assert_eq!((w, half), ([2.0 * schedule.multiplier(k)], [schedule.multiplier(k)]), "{schedule} at step {k}");
        }
    }
}

/// k is the optimizer's count, not the parameter's.
#[test]
fn a_parameter_that_joins_late_gets_the_present_rate() {
    let mut opt = Sgd::new(1.0).lr_schedule(Schedule::exponential(0.5)).build::<f64>().unwrap();
    for _ in 0..3 {
        opt.step(&mut []).unwrap();
    }
    let mut w = [0.0];
    opt.step(&mut [Param::new("w", &mut w, &[-1.0])]).unwrap();
    assert_eq!(w, [0.125]);
}

#[test]
fn a_rate_by_hand_moves_every_optimizer() {
    for (mut opt, _) in every() {
        let mut w = [1.0, -2.0, 0.5];
        opt.set_learning_rate(0.0).unwrap();
        step(&mut *opt, "w", &mut w, 0);
        assert_eq!(w, [1.0, -2.0, 0.5], "{}", opt.describe());
        opt.set_learning_rate(0.25).unwrap();
        step(&mut *opt, "w", &mut w, 1);
        assert!(w[0] < 1.0 && w[1] > -2.0 && w[2] < 0.5, "{w:?}, {}", opt.describe());
    }
}

/// Without a gradient a weight falls by the share, and the share follows its own schedule and the one of its units.
#[test]
fn a_decay_follows_its_schedule_and_its_units() {
    let rate = || Schedule::linear(1.0, 0.5, 2); // 1, 0.75, 0.5
    let own = || Schedule::step(1, 0.5); // 1, 0.5, 0.25
    let (rates, owns) = ([1.0, 0.75, 0.5], [1.0, 0.5, 0.25]);
    for (decay, share) in [
        (Decay::fixed(0.25), 0.25),
        (Decay::half_life(1.0), 0.5),
        (Decay::decoupled(0.5), 0.25),
        (Decay::independent(0.25), 0.25),
        (Decay::timescale(4.0), 0.25),
    ] {
        let follows = !decay.to_string().starts_with("fixed") && !decay.to_string().starts_with("half");
        let settings = Sgd::new(0.5).lr_schedule(rate());
        let mut alone = settings.clone().weight_decay(decay.clone()).build::<f64>().unwrap();
        let mut scheduled = settings.weight_decay(decay.clone().schedule(own())).build::<f64>().unwrap();
        for k in 0..3 {
            let (mut v, mut w) = ([1.0], [1.0]);
            alone.step_slice(&mut v, &[0.0]).unwrap();
            scheduled.step_slice(&mut w, &[0.0]).unwrap();
            let share = if follows { share * rates[k] } else { share };
            assert_eq!((v, w), ([1.0 - share], [1.0 - share * owns[k]]), "{decay} at step {k}");
        }
    }
}

#[test]
fn coupled_strengths_follow_their_schedule() {
    let decay = Decay::coupled_l2(0.5).schedule(Schedule::linear(1.0, 0.0, 2));
    let mut opt = Sgd::new(0.25).weight_decay(decay).build::<f64>().unwrap();
    for share in [0.125, 0.0625, 0.0, 0.0] {
        let mut w = [1.0];
        opt.step_slice(&mut w, &[0.0]).unwrap();
        assert_eq!(w, [1.0 - share]);
    }
}

/// A rate by hand against the peak that was built with: independent decay is a share of the peak.
#[test]
fn a_rate_by_hand_is_measured_against_the_peak() {
    for (decay, share) in [(Decay::independent(0.5), 0.25), (Decay::decoupled(0.5), 0.125), (Decay::fixed(0.5), 0.5)] {
        let mut opt = Sgd::new(0.5).weight_decay(decay.clone()).build::<f64>().unwrap();
        opt.set_learning_rate(0.25).unwrap();
        let mut w = [1.0];
        opt.step_slice(&mut w, &[0.0]).unwrap();
        assert_eq!(w, [1.0 - share], "{decay}");
    }
}

/// A multiplier is a number for every schedule that can be written down, checked or not.
#[test]
fn schedules_that_no_optimizer_takes_have_multipliers() {
    for (schedule, at, multiplier) in [
        (Schedule::step(0, 0.5), 3, 1.0),
        (Schedule::cosine(0, 0.5), 0, 0.5),
        (Schedule::warmup_cosine(100, 50, 0.25), 120, 0.25),
        (Schedule::linear(0.0, 1.0, 0), 0, 1.0),
        (Schedule::constant().then(0, Schedule::polynomial(0, 1.0, 0.5)), 7, 0.5),
        (Schedule::warmup_stable_decay(0, 0, 0, 0.5), 1, 0.5),
        (Schedule::warmup_stable_decay(u64::MAX, u64::MAX, 1, 0.5), u64::MAX, 1.0),
    ] {
        assert_eq!(schedule.multiplier(at), multiplier, "{schedule} at {at}");
    }
}

/// At its end a schedule is at what it was told to end at, to the bit, also where a difference of 1 and a small number is lost.
#[test]
fn schedules_end_where_they_were_told() {
    for end in [1e-17, 0.1, 0.3, 1.0 / 3.0, 0.0, 7.3] {
        for (schedule, k) in [
            (Schedule::linear(1.0, end, 10), 10),
            (Schedule::linear(0.7, end, 3), 3),
            (Schedule::warmup_stable_decay(2, 3, 5, end), 10),
            (Schedule::cosine(10, end), 10),
            (Schedule::warmup_cosine(5, 12, end), 12),
            (Schedule::polynomial(10, 2.0, end), 10),
        ] {
            for k in [k, k + 1, u64::MAX] {
                assert_eq!(schedule.multiplier(k).to_bits(), f64::to_bits(end), "{schedule} at {k}");
            }
        }
    }
}

/// A length of 0, as a configuration may have it, needs no branch.
#[test]
fn parts_of_no_steps_are_passed_over() {
    let all = |schedule: &Schedule| [0, 1, 2, 9, 10, 11, 100].map(|k| schedule.multiplier(k));
    let cosine = Schedule::cosine(10, 0.1);
    assert_eq!(Schedule::linear(0.5, 1.0, 7).then(0, cosine.clone()), cosine);
    assert_eq!(all(&Schedule::warmup_cosine(0, 10, 0.1)), all(&cosine));
    assert_eq!(all(&Schedule::warmup_cosine(0, 10, 0.1).warmup_start(0.5)), all(&cosine));
    let (a, b, c) = (Schedule::constant(), Schedule::exponential(0.5), Schedule::linear(0.25, 0.5, 4));
    assert_eq!(a.clone().then(5, b.clone()).then(5, c.clone()), a.clone().then(5, c.clone()));
    assert_eq!(a.clone().then(5, b.clone().then(0, c.clone())), a.then(5, c));
    assert_eq!(all(&Schedule::linear(0.5, 0.25, 0)), [0.25; 7]);
    assert_eq!(all(&Schedule::cosine(0, 0.25)), [0.25; 7]);
    assert_eq!(Schedule::warmup_cosine(3, 3, 0.25).multiplier(3), 0.25);
    assert_eq!([0, 1, 2].map(|k| Schedule::warmup_stable_decay(1, 1, 0, 0.25).multiplier(k)), [0.0, 1.0, 0.25]);
    for text in ["linear:0.5,1,0", "cosine:0,0.1", "warmup-cosine:3,3,0", "polynomial:0,1,0", "warmup-stable-decay:0,0,0,0.5"] {
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.to_string(), text);
        Sgd::new(0.1).lr_schedule(schedule).build::<f32>().unwrap();
    }
}

/// Part i begins at step 3·i, and is i.
#[test]
fn a_schedule_may_have_many_parts() {
    let part = |i: u32| Schedule::linear(i.into(), i.into(), 0);
    let schedule = (1..20_000).fold(part(0), |before, i| before.then(3 * u64::from(i), part(i)));
    for k in 0..60_000_u32 {
        assert_eq!(schedule.multiplier(k.into()), f64::from(k / 3), "step {k}");
    }
    // `build` looks at all of them.
    Sgd::new(0.1).lr_schedule(schedule).build::<f32>().unwrap();
}

/// (k + 1)/(W + 1): the first step of a warm-up is not lost.
#[test]
fn a_warm_up_may_start_above_0() {
    for schedule in [Schedule::warmup_cosine(4, 20, 0.0), Schedule::warmup_stable_decay(4, 4, 4, 0.0)] {
        let schedule = schedule.warmup_start(0.2);
        for k in 0..=4_u32 {
            let expected = f64::from(k + 1) / 5.0;
            assert!((schedule.multiplier(k.into()) - expected).abs() < 1e-15, "{schedule} at {k}");
        }
        assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
    }
    let (text, plain) = ("warmup-cosine:4,20,0,0.2", "warmup-cosine:4,20,0");
    assert_eq!(text.parse::<Schedule>().unwrap(), Schedule::warmup_cosine(4, 20, 0.0).warmup_start(0.2));
    assert_eq!(plain.parse::<Schedule>().unwrap().to_string(), plain);
    assert_eq!(Schedule::constant().warmup_start(0.5), Schedule::constant());
}

/// A step that is given nothing, or no gradient, is completed, and the schedule moves on with it.
#[test]
fn empty_steps_move_the_schedule() {
    let mut opt = Sgd::new(1.0).lr_schedule(Schedule::exponential(0.5)).build::<f32>().unwrap();
    opt.step(&mut []).unwrap();
    opt.step(&mut [Param::without_grad("w", &mut [1.0])]).unwrap();
    opt.step(&mut [Param::new("w", &mut [1.0], &[1.0]).frozen(true)]).unwrap();
    assert_eq!((opt.completed_steps(), opt.learning_rate(), opt.steps_of("w")), (3, 0.125, Some(0)));
}

/// AdamWR at the numbers of its authors' README (learning rate 1e-3, λ 0.025, first restart after 100 epochs, cycles twice as long each
/// time) and four batches in an epoch, from the paper's equations: hᵢ = ½ + ½·cos(π·k/Tᵢ), λᵢ = λ·√(b/(B·Tᵢ)).
#[test]
fn adamwr_is_two_lines() {
    // 100 epochs of four batches.
    let steps = 400;
    let mut opt = wane::AdamW::new(1e-3)
        .lr_schedule(Schedule::cosine_restarts(steps, 2, 0.0))
        .weight_decay(Decay::normalized_restarts(0.025, steps, 2))
        .build::<f64>()
        .unwrap();
    let (mut w, mut expected) = ([1.0], 1.0);
    for cycle in [400.0_f64, 800.0, 1600.0] {
        let share = 0.025 / cycle.sqrt();
        for k in (0..).map(f64::from).take_while(|k| *k < cycle) {
            let h = 0.5 + 0.5 * (std::f64::consts::PI * k / cycle).cos();
            assert!((opt.learning_rate() - 1e-3 * h).abs() < 1e-18, "{} for {h}", opt.learning_rate());
            expected *= 1.0 - h * share;
            opt.step_slice(&mut w, &[0.0]).unwrap();
            assert!((w[0] - expected).abs() < 1e-13, "{} for {expected} in step {k} of {cycle}", w[0]);
        }
    }
}

/// ADANA's λ in its two forms, for t = 1, 2, ...: ω/t of the README, and λ/(1 + t/T) of the code. Both are taken off a weight of 1.
#[test]
fn log_time_decay_is_that_of_adana() {
    let lost = |decay: Decay| {
        let mut opt = Sgd::new(0.5).weight_decay(decay).build::<f64>().unwrap();
        [(); 50].map(|()| {
            let mut w = [1.0];
            opt.step_slice(&mut w, &[0.0]).unwrap();
            1.0 - w[0]
        })
    };
    let (omega, ts) = (0.75, 10.0);
    let (readme, code) = (lost(Decay::log_time(omega, 1.0)), lost(Decay::log_time(omega, ts + 1.0)));
    for (k, (readme, code)) in readme.into_iter().zip(code).enumerate() {
        let t = k as f64 + 1.0;
        assert!((readme - omega / t).abs() < 1e-15, "{readme} at {t}");
        assert!((code - omega / ts / (1.0 + t / ts)).abs() < 1e-15, "{code} at {t}");
    }
}
