//! Decays where an equation is easily missed: signs without a rate, small shares under a norm, schedules over averages.

use wane::{
    Adam, AdamW, Anchor, Clip, Decay, Lamb, NonFinite, Optimizer, Param, Penalty, Place, Schedule, Settings, Sgd, Strength,
};

use crate::common::{OPTIMIZERS, Reach, Setup};

fn slice(opt: impl Into<Box<dyn Optimizer<f32>>>, x: f32, g: f32) -> f32 {
    let mut w = [x];
    opt.into().step_slice(&mut w, &[g]).unwrap();
    w[0]
}

fn cautious(strength: Strength) -> Decay {
    Decay::new(Penalty::L2, Place::Cautious, strength)
}

/// The update would lead away from 0, so nothing decays, though the rate makes no update of it: the first step of a warm-up, a factor of 0, a
/// product that underflows.
#[test]
fn cautious_decay_asks_the_direction_and_not_the_step() {
    let fixed = cautious(Strength::Fixed(0.125));
    let warmup = || Schedule::warmup_cosine(10, 100, 0.0);
    for (away, towards) in [(-1.0, 1.0), (-1e-30, 1e-30)] {
        for (g, expected) in [(away, 1.0), (towards, 0.875), (0.0, 0.875)] {
            for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
                let setup = Setup { schedule: warmup(), ..row.setup(fixed.clone()) };
                assert_eq!(slice(row.build(&setup), 1.0, g), expected, "{} at {g}", row.name);
            }
            assert_eq!(slice(Adam::new(1e-44).weight_decay(fixed.clone()).build().unwrap(), 1.0, g), expected, "{g}");
        }
        let still = Adam::new(0.1).weight_decay(fixed.clone()).group("still", |s| s.lr_factor(0.0));
        let mut opt = still.build::<f32>().unwrap();
        let mut w = [1.0];
        opt.step(&mut [Param::new("w", &mut w, &[away]).in_group("still")]).unwrap();
        assert_eq!(w, [1.0]);
    }
}

/// Without a gradient the decay is the whole displacement, and the trust ratio makes it η·‖x‖ long, however small the share.
#[test]
fn lamb_sees_small_proximal_shares() {
    for share in [1e-3, 1e-6, 1e-9, 1e-12] {
        for decay in [Decay::new(Penalty::L2, Place::Proximal, Strength::LrScaled(share)), Decay::decoupled(share)] {
            let w = slice(Lamb::new(0.01).weight_decay(decay.clone()).build().unwrap(), 1.0, 0.0);
            assert!((w - 0.99).abs() < 1.1e-4, "{decay}: {w}");
        }
    }
}

/// In a step in which its schedule is 0 an adaptive decay changes no bit, whatever its average is by then.
#[test]
fn a_schedule_switches_an_adaptive_decay_off() {
    let off_from_2 = Schedule::constant().then(2, Schedule::linear(0.0, 0.0, 1));
    let sgd = |decay| Sgd::new(0.1).momentum(0.9).weight_decay(decay).build::<f32>().unwrap();
    let (mut with, mut without) = (sgd(Decay::adaptive(0.25).schedule(off_from_2)), sgd(Decay::adaptive(0.25)));
    let (mut v, mut w) = ([1.0, -2.0], [1.0, -2.0]);
    for k in 0..4 {
        if k == 2 {
            without.assign("(slice)", "undecayed").unwrap();
        }
        with.step_slice(&mut v, &[0.5, 0.25]).unwrap();
        without.step_slice(&mut w, &[0.5, 0.25]).unwrap();
        assert_eq!(v.map(f32::to_bits), w.map(f32::to_bits), "step {k}");
    }
}

/// The schedule multiplies the strength and not what the average is made of: with m = 0 in step 0 and 1 in step 1, the strength of step 1 has
/// both ratios in it.
#[test]
fn the_average_does_not_see_the_schedule() {
    let decay = Decay::adaptive(0.5).schedule(Schedule::linear(0.0, 1.0, 1));
    let mut opt = Sgd::new(0.5).weight_decay(decay).build::<f64>().unwrap();
    let mut w = [8.0];
    opt.step_slice(&mut w, &[8.0]).unwrap();
    assert_eq!(w, [4.0]);
    opt.step_slice(&mut w, &[4.0]).unwrap();
    let average = 0.1 * (0.9 * 0.5) + 0.9 * 0.5;
    assert!((w[0] - (4.0 - 0.5 * (4.0 + average * 4.0))).abs() < 1e-14, "{w:?}");
}

/// The group `default` has worked out its new average when something later in the same step ends it: that average must not stay.
#[test]
fn a_step_that_is_skipped_late_leaves_the_average_alone() {
    let adaptive = || Decay::adaptive(0.25);
    let base = || Lamb::new(0.1).trust_ratio(wane::TrustRatio::Off).weight_decay(adaptive()).non_finite(NonFinite::Skip);
    // The phase, the settings of the group that is late, and the weights and gradients of its parameter.
    let late = [
        ("plan", base().group("late", |s| s.weight_decay(Decay::adaptive(0.5))), [1.5e308; 2], [1.0; 2]),
        (
            "measure",
            base().group("late", |s| s.weight_decay(Decay::none()).trust_ratio(wane::TrustRatio::Lamb)),
            [1.5e308; 2],
            [1.0; 2],
        ),
        ("foresee", base().group("late", |s| s.weight_decay(Decay::none())), [1.0; 2], [1.5e308; 2]),
    ];
    for (phase, settings, weights, grads) in late {
        let (mut skipped, mut straight) = (settings.clone().build::<f64>().unwrap(), settings.build::<f64>().unwrap());
        let (mut v, mut w) = ([1.0, -2.0], [1.0, -2.0]);
        for k in 0..3 {
            let g = [3.0, 4.0 + f64::from(k)];
            let mut bad = weights;
            let report =
                skipped.step(&mut [Param::new("w", &mut v, &[9.0, 9.0]), Param::new("bad", &mut bad, &grads).in_group("late")]);
            assert!(report.unwrap().skipped(), "{phase}");
            skipped.step(&mut [Param::new("w", &mut v, &g)]).unwrap();
            straight.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
            assert_eq!(v.map(f64::to_bits), w.map(f64::to_bits), "{phase}, step {k}");
        }
    }
}

/// SGD walks away from weights of 0, and LAMB's steps are as short as its weights, unless the ratio has a least value.
#[test]
fn bounds_of_the_trust_ratio() {
    use wane::TrustRatio;
    let moved = |ratio: TrustRatio, x: f64| {
        let mut w = [x];
        Lamb::new(0.125).eps(0.0).trust_ratio(ratio).build().unwrap().step_slice(&mut w, &[1.0]).unwrap();
        (x - w[0]) / 0.125
    };
    // r = 1, so φ = |x|.
    for (x, plain) in [(2.0, 2.0), (0.5, 0.5), (0.0, 1.0)] {
        assert_eq!(moved(TrustRatio::Lamb, x), plain);
        assert_eq!(moved(TrustRatio::clamped(0.75, 1.5), x), plain.clamp(0.75, 1.5));
        assert_eq!(moved(TrustRatio::clamped(0.0, f64::MAX), x), plain);
    }
    assert_eq!("clamped:0.75,1.5".parse::<TrustRatio>().unwrap(), TrustRatio::clamped(0.75, 1.5));
    assert_eq!(TrustRatio::clamped(0.75, 1.5).to_string(), "clamped:0.75,1.5");
}

/// Denormal numbers are flushed from the state, and from nothing else; everything that is normal has the same bits.
#[test]
fn denormals_are_flushed_from_the_state() {
    fn run(settings: Settings<Sgd>, level: wane::Level) -> (Vec<u32>, Vec<u32>) {
        let mut opt = settings.level(level).build::<f32>().unwrap();
        let (mut w, first) = ([1e-40, 1.0, 2.0].repeat(700), [1.0, -1.0, 1e-3].repeat(700));
        opt.step_slice(&mut w, &first).unwrap();
        let zero = vec![0.0; w.len()];
        for _ in 0..1100 {
            opt.step_slice(&mut w, &zero).unwrap();
        }
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect();
        (bits(&w), bits(opt.state("(slice)", "momentum_buffer").unwrap()))
    }
    let settings = || Sgd::new(1e-3).momentum(0.9);
    for level in wane::Level::all() {
        let (kept, stuck) = run(settings(), level);
        let (flushed, zeros) = run(settings().flush_denormals(true), level);
        // 4 of the smallest numbers, for good: 0.9·4 rounds to 4.
        assert_eq!(stuck[..3], [4, 0x8000_0004, 4], "{level}");
        assert!(zeros.iter().all(|&x| f32::from_bits(x) == 0.0), "{level}");
        assert_eq!(kept, flushed, "{level}");
    }
    let mut opt = AdamW::new(0.1).flush_denormals(true).build::<f64>().unwrap();
    opt.step_slice(&mut [1.0, 1.0], &[1e-300, f64::MIN_POSITIVE * 20.0]).unwrap();
    assert_eq!(opt.state("(slice)", "exp_avg_sq").unwrap(), [0.0, 0.0]);
    assert_eq!(opt.state("(slice)", "exp_avg").unwrap()[0], 1e-300 * (1.0 - 0.9));
    assert!(opt.state("(slice)", "exp_avg").unwrap()[1] > 0.0);
}

/// Clipped to a norm, an adaptive decay under a schedule, in f64: one more run of the equation by hand.
#[test]
fn an_adaptive_decay_under_a_schedule_follows_its_equation() {
    let decay = Decay::adaptive(0.25).schedule(Schedule::linear(0.5, 1.0, 2));
    let mut opt = Sgd::new(0.1).clip(Clip::OptaxGlobalNorm(1.0)).weight_decay(decay).build::<f64>().unwrap();
    let (mut w, mut x, mut average) = ([2.0], 2.0, 0.0);
    for m in [0.5, 0.75, 1.0, 1.0] {
        opt.step_slice(&mut w, &[4.0]).unwrap();
        average = 0.1 * average + 0.9 * 0.25 * 1.0 / x;
        x -= 0.1 * (1.0 + m * average * x);
        assert!((w[0] - x).abs() < 1e-14, "{w:?} for {x}");
    }
}

/// e starts from the weights; a half of the way to it, then e goes half of the way to the new weight.
#[test]
fn a_running_average_pulls_and_follows() {
    let decay = Decay::fixed(0.5).towards(Anchor::Average { beta: 0.5 });
    let mut opt = Sgd::new(1.0).weight_decay(decay).build::<f64>().unwrap();
    let mut w = [8.0, -4.0];
    let average = |opt: &dyn Optimizer<f64>| opt.state("w", "running_average").map(<[f64]>::to_vec);
    assert_eq!(average(&opt), None);
    opt.step(&mut [Param::new("w", &mut w, &[4.0, 0.0])]).unwrap();
    assert_eq!((w, average(&opt)), ([4.0, -4.0], Some(vec![6.0, -4.0])), "nothing pulls at first");
    opt.step(&mut [Param::new("w", &mut w, &[0.0, 2.0])]).unwrap();
    assert_eq!((w, average(&opt)), ([5.0, -6.0], Some(vec![5.5, -5.0])));
    assert_eq!(opt.columns("w"), Some(vec!["running_average"]));
    opt.restore_state("w", "running_average", &[1.0, -6.0]).unwrap();
    opt.step(&mut [Param::new("w", &mut w, &[0.0, 0.0])]).unwrap();
    assert_eq!((w, average(&opt)), ([3.0, -6.0], Some(vec![2.0, -6.0])));
    // Refused before anything is written, and by whom the pull is not there.
    opt.step(&mut [Param::new("w", &mut w, &[f64::NAN, 0.0])]).unwrap_err();
    assert_eq!((w, average(&opt)), ([3.0, -6.0], Some(vec![2.0, -6.0])));
    for decay in [Decay::coupled_l2(0.1), Decay::l1(0.1), Decay::cautious(0.1)] {
        let decay = decay.towards(Anchor::Average { beta: 0.5 });
        assert!(decay.to_string().ends_with("@average:0.5"));
        assert!(matches!(Sgd::new(1.0).weight_decay(decay).build::<f64>(), Err(wane::Error::NoSuchDecay { .. })));
    }
    assert_eq!("decoupled:0.1@average:0.999".parse(), Ok(Decay::decoupled(0.1).towards(Anchor::Average { beta: 0.999 })));
    "decoupled:0.1@average:1".parse::<Decay>().unwrap_err();
}

/// Every cut and every level, over more than a tile and more than a chunk: the average of each weight is its own.
#[test]
fn a_running_average_has_the_same_bits_on_every_thread() {
    let run = |threads, level| {
        let decay = Decay::decoupled(0.5).towards(Anchor::Average { beta: 0.9 });
        let pool = wane::Pool::new(4).unwrap();
        let settings = AdamW::new(0.1).weight_decay(decay).threads(threads).pool(&pool).level(level);
        let mut opt = settings.build::<f32>().unwrap();
        let mut w: Vec<f32> = (0..40_007_u16).map(|i| f32::from(i % 97) - 48.0).collect();
        for k in 1..4_u8 {
            let g: Vec<f32> = (0..40_007_u16).map(|i| f32::from(i % 89) * f32::from(k) - 60.0).collect();
            opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
        }
        let average = opt.state("w", "running_average").unwrap().to_vec();
        [w, average].map(|numbers| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let expected = run(1, wane::Level::baseline());
    for level in wane::Level::all() {
        for threads in 2..5 {
            assert!(run(threads, level) == expected, "{threads} threads, {level}");
        }
    }
}
