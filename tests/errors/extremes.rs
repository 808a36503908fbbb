//! No input makes the library panic: shapes and counts at the ends of their types, empty slices, names without end, and orders of calls that
//! nobody thinks of.

use wane::{
    Adafactor, Adagrad, Adam, AdamW, Anchor, Clip, Decay, Error, Lamb, Muon, NAdam, Optimizer, Param, Penalty, Place, Schedule,
    Selector, Sgd, Strength,
};

use crate::common::{OPTIMIZERS, Reach, cells};

const MAX: usize = usize::MAX;

/// A table pads its cells, and a format string refuses to pad beyond 65,535.
#[test]
fn a_name_longer_than_a_format_string_pads() {
    let name = "w".repeat(70_000);
    let mut opt = AdamW::new(0.1).build::<f32>().unwrap();
    opt.step(&mut [Param::new(&name, &mut [1.0], &[0.5]), Param::new("b", &mut [1.0], &[0.5])]).unwrap();
    let table = opt.describe().to_string();
    let row = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap();
    assert_eq!(row("b ").find("1 weights"), row("www").find("1 weights"));
}

/// The numbers of rows come from another shape, and the decay that makes them anew is at 0 or gone.
#[test]
fn rows_that_are_gone_when_their_numbers_are_read() {
    let lasso = || Decay::group_lasso(0.1).schedule(Schedule::step(1, 0.0));
    for shape in [[1, 1], [5, 1], [3, 7], [1, 0]] {
        let n = shape[0] * shape[1];
        let mut opt = Adagrad::new(0.1).weight_decay(lasso()).build::<f32>().unwrap();
        opt.step(&mut [Param::new("w", &mut [1.0; 4], &[0.5; 4]).shape(&[2, 2])]).unwrap();
        let (mut w, g) = (vec![1.0; n], vec![0.5; n]);
        opt.resize(&Param::without_grad("w", &mut w).shape(&shape)).unwrap();
        opt.step(&mut [Param::new("w", &mut w, &g).shape(&shape)]).unwrap();
        assert!(w.iter().all(|x| (0.8..1.0).contains(x)), "{w:?}");
        let mut moved = Adagrad::new(0.1).weight_decay(Decay::group_lasso(0.1)).build::<f32>().unwrap();
        moved.step(&mut [Param::new("w", &mut [1.0; 4], &[0.5; 4]).shape(&[2, 2])]).unwrap();
        moved.assign("w", "undecayed").unwrap();
        moved.resize(&Param::without_grad("w", &mut w).shape(&shape)).unwrap();
        moved.step(&mut [Param::new("w", &mut w, &g).shape(&shape)]).unwrap();
    }
}

/// A shape with a 0 in it has no weights, however long its other axes are.
#[test]
fn axes_whose_product_does_not_fit() {
    let pulled = || Sgd::new(0.1).momentum(0.9).weight_decay(Decay::fixed(0.1).towards(Anchor::Start)).build::<f32>().unwrap();
    for shape in [[0, MAX, MAX], [MAX, 0, MAX], [MAX, MAX, 0], [2, MAX, 0]] {
        let mut opt = pulled();
        opt.step(&mut [Param::new("w", &mut [1.0; 8], &[0.5; 8]).shape(&[2, 2, 2])]).unwrap();
        opt.resize(&Param::without_grad("w", &mut []).shape(&shape)).unwrap();
        opt.step(&mut [Param::new("w", &mut [], &[]).shape(&shape)]).unwrap();
        opt.resize(&Param::without_grad("w", &mut [1.0; 8]).shape(&[2, 2, 2])).unwrap();
        for row in OPTIMIZERS {
            let mut opt = row.build::<f64>(&row.setup(Decay::coupled_l2(0.01)));
            let step = opt.step(&mut [Param::new("w", &mut [], &[]).shape(&shape)]);
            assert_eq!(step.is_ok(), row.reach != Reach::Matrix, "{}: {step:?}", row.name);
        }
    }
    for shape in [&[MAX, 2][..], &[MAX, MAX, MAX], &[1 << 32, 1 << 32], &[1; 9], &[0; 9], &[MAX; 64]] {
        for row in OPTIMIZERS {
            let mut opt = row.build::<f64>(&row.setup(Decay::none()));
            let error = opt.step(&mut [Param::new("w", &mut [], &[]).shape(shape)]).unwrap_err();
            assert!(matches!(error, Error::ShapeLength { .. } | Error::RankTooHigh { .. }), "{}: {error}", row.name);
            assert!(opt.names().is_empty());
        }
    }
}

/// With every optimizer and every decay: no weights at all, alone and beside others.
#[test]
fn empty_slices() {
    for cell in cells::plain() {
        for (row, anchor) in OPTIMIZERS.iter().flat_map(|row| cell.anchors().map(move |anchor| (row, anchor))) {
            let mut opt = row.build::<f32>(&row.setup(cell.towards(anchor).decay()));
            for _ in 0..3 {
                let [mut none, mut some] = [vec![], vec![1.0; 6]];
                opt.step(&mut [
                    Param::new("none", &mut none, &[]).shape(&[0, 3]).anchor(&[]),
                    Param::new("some", &mut some, &[0.5; 6]).shape(&[2, 3]).anchor(&[0.0; 6]),
                ])
                .unwrap();
                opt.step(&mut [Param::new("none", &mut none, &[]).shape(&[0, 3]).anchor(&[])]).unwrap();
                opt.step(&mut []).unwrap();
            }
            for column in opt.columns("none").unwrap() {
                let numbers = opt.state("none", column).unwrap_or_default().to_vec();
                opt.restore_state("none", column, &numbers).unwrap();
                opt.restore_state("none", column, &[f32::NAN; 3]).unwrap_err();
            }
            opt.step(&mut [Param::new("none", &mut [], &[]).shape(&[0, 3]).anchor(&[])]).unwrap();
        }
    }
}

/// Schedules at counts that no run reaches.
#[test]
fn schedules_at_the_end_of_counting() {
    const END: u64 = u64::MAX;
    let all = [
        Schedule::constant(),
        Schedule::linear(0.0, 1.0, END),
        Schedule::cosine(END, 0.0),
        Schedule::warmup_cosine(END, END, 0.5),
        Schedule::warmup_cosine(0, END, 0.5).warmup_start(0.1),
        Schedule::cosine_restarts(1, 1, 0.0),
        Schedule::cosine_restarts(END, END, 0.5),
        Schedule::cosine_restarts(3, 2, 0.5),
        Schedule::restart_steps(1, END),
        Schedule::inverse_time(f64::MIN_POSITIVE),
        Schedule::inverse_time(f64::MAX),
        Schedule::step(END, 0.5),
        Schedule::step(1, 0.0),
        Schedule::polynomial(END, 1e300, 0.0),
        Schedule::exponential(0.0),
        Schedule::warmup_stable_decay(END, END, END, 0.0),
        Schedule::warmup_stable_decay(1, END, END, 0.0),
        Schedule::warmup_stable_decay(0, 0, END, 0.0),
    ];
    for first in &all {
        for second in &all {
            for at in [0, 1, END - 1, END] {
                let joined = first.clone().then(at, second.clone()).then(END, first.clone());
                for k in [0, 1, END / 2, END - 1, END] {
                    assert!((0.0..=1.0).contains(&joined.multiplier(k)), "{joined} at {k}");
                }
                let text = joined.to_string();
                assert_eq!(text.parse::<Schedule>().unwrap(), joined, "{text}");
                AdamW::new(0.1).lr_schedule(joined.clone()).build::<f32>().unwrap();
            }
        }
    }
    let many = (1..5_000).fold(Schedule::constant(), |all, at| all.then(at, Schedule::exponential(0.5)));
    assert_eq!((many.multiplier(4_999), many.multiplier(5_000)), (1.0, 0.5));
    AdamW::new(0.1).lr_schedule(many.clone()).weight_decay(Decay::decoupled(0.1).schedule(many)).build::<f32>().unwrap();
}

/// The largest and the least numbers that a range allows: refused or taken, at once or in a step.
#[test]
fn numbers_at_the_ends_of_their_ranges() {
    let extremes = [0.0, -0.0, 5e-324, f64::MIN_POSITIVE, 1e-45, 0.5, 1.0 - f64::EPSILON / 2.0, 1.0, 1e39, f64::MAX, f64::MIN];
    for row in OPTIMIZERS {
        for (i, extreme) in (0..row.numbers.len()).flat_map(|i| extremes.map(|extreme| (i, extreme))) {
            let mut setup = row.setup(Decay::coupled_l2(0.01));
            setup.numbers[i] = extreme;
            for lr in [row.lr, 0.0, 1e-300, f64::MAX] {
                setup.lr = lr;
                let Ok(mut opt) = row.try_build::<f32>(&setup) else { continue };
                let mut w = [1.0, -1e-40, 3e38, 0.0];
                for g in [[0.5, 0.0, -1e-30, 1e30], [0.0; 4], [f32::MAX, f32::MIN, 1e-45, -0.0]] {
                    let _ = opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 2])]);
                    assert!(w.iter().all(|x| x.is_finite()), "{} {setup:?}: {w:?}", row.name);
                }
            }
        }
    }
}

/// State that no run has left: refused by name, or rehearsed.
#[test]
fn state_that_no_run_has_left() {
    for row in OPTIMIZERS {
        for number in [0.0, -1.0, 1.0, f64::MAX, f64::MIN, 5e-324] {
            let mut opt = row.build::<f64>(&row.setup(Decay::none()));
            let mut w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            opt.register(&[Param::without_grad("w", &mut w).shape(&[2, 3])]).unwrap();
            for column in opt.columns("w").unwrap() {
                let len = (1..=6).find(|&len| opt.restore_state("w", column, &vec![number; len]).is_ok());
                assert!(len.is_some(), "{} {column}", row.name);
            }
            let _ = opt.step(&mut [Param::new("w", &mut w, &[0.5; 6]).shape(&[2, 3])]);
            assert!(w.iter().all(|x| x.is_finite()), "{} {number:e}: {w:?}", row.name);
        }
    }
}

/// Numbers of columns that come back after the parameter was resized to nothing.
#[test]
fn state_of_a_parameter_that_was_resized() {
    for row in OPTIMIZERS {
        let mut opt = row.build::<f32>(&row.setup(Decay::none()));
        let lengths = [[2, 3], [0, 3], [3, 0], [0, 0], [1, 1], [4, 2]];
        opt.step(&mut [Param::new("w", &mut [1.0; 6], &[0.5; 6]).shape(&[2, 3])]).unwrap();
        for shape in lengths {
            let n = shape[0] * shape[1];
            let (mut w, g) = (vec![1.0; n], vec![0.5; n]);
            opt.resize(&Param::without_grad("w", &mut w).shape(&shape)).unwrap();
            opt.step(&mut [Param::new("w", &mut w, &g).shape(&shape)]).unwrap();
            assert!(w.iter().all(|&x| x.is_finite() && x != 1.0), "{} {shape:?}: {w:?}", row.name);
        }
    }
}

/// Clipping, factors and strengths that leave nothing of a step, or nothing but a step.
#[test]
fn factors_at_the_ends_of_their_ranges() {
    for clip in [Clip::GlobalNorm(5e-324), Clip::OptaxGlobalNorm(f64::MAX), Clip::Value(f64::MAX), Clip::GlobalNorm(f64::MAX)] {
        for factor in [5e-324, f64::MIN_POSITIVE, f64::MAX] {
            let mut opt = Lamb::new(0.1).clip(clip).build::<f64>().unwrap();
            let mut w = [1.0, 2.0];
            for g in [[0.0; 2], [1.0, -1.0], [f64::MAX; 2]] {
                let _ = opt.step_scaled(&mut [Param::new("w", &mut w, &g)], factor);
                assert!(w.iter().all(|x| x.is_finite()), "{clip} {factor:e}: {w:?}");
            }
        }
    }
    for strength in [5e-324, 1e-300, f64::MAX] {
        for decay in [Decay::half_life(strength), Decay::adaptive(strength), Decay::group_lasso(strength), Decay::l1(strength)] {
            let settings = NAdam::new(0.1).weight_decay(decay.clone());
            let Ok(mut opt) = settings.build::<f64>() else { continue };
            let mut w = [1.0, 2.0];
            for _ in 0..2 {
                let _ = opt.step(&mut [Param::new("w", &mut w, &[0.5, -0.5]).shape(&[1, 2])]);
            }
            assert!(w.iter().all(|x| x.is_finite()), "{decay}: {w:?}");
        }
    }
}

/// Groups and selectors at the ends of their numbers.
#[test]
fn selectors_without_bounds() {
    let mut opt = Muon::new(0.1)
        .threads(MAX)
        .ns_steps(0)
        .group("all", |s| s.lr_factor(0.0))
        .assign("all", Selector::rank_below(MAX))
        .assign("all", Selector::rank_below(0))
        .build::<f32>()
        .unwrap();
    opt.step(&mut [Param::new("ln", &mut [1.0; 4], &[0.5; 4]).shape(&[2, 2])]).unwrap();
    let all = vec!["all"; 2_000].join(" + ");
    opt.assign("ln", &all).unwrap();
    assert_eq!(opt.describe().params()[0].group(), "all");
    let error = Adam::new(0.1).build::<f32>().unwrap().assign("", "").unwrap_err();
    assert!(matches!(error, Error::UnknownParameter { .. }));
}

/// Text forms of any length and any letters.
#[test]
fn texts_without_sense() {
    let pieces = [
        "",
        ":",
        ",",
        "@",
        "*",
        "-",
        "then@",
        " ",
        "é",
        "∞",
        "NaN",
        "1e999",
        "-0",
        "l1",
        "cosine",
        "decoupled",
        "\u{0}",
        "18446744073709551616",
    ];
    for a in pieces {
        for b in pieces {
            for text in
                [format!("{a}{b}"), format!("cosine:{a},{b}"), format!("decoupled:{a}@{b}"), format!("{a}:{b}").repeat(500)]
            {
                let (decay, schedule, clip) = (text.parse::<Decay>(), text.parse::<Schedule>(), text.parse::<Clip>());
                for error in [decay.err(), schedule.err(), clip.err()].into_iter().flatten() {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}

#[test]
fn adafactor_of_axes_of_one() {
    for shape in [&[1, 1][..], &[1, 1, 1, 1, 1, 1, 1, 1], &[8, 1], &[1, 8], &[]] {
        let n = shape.iter().product();
        let (mut w, g) = (vec![1.0_f32; n], vec![0.0; n]);
        let decay = Decay::new(Penalty::L2, Place::AdaDecay { alpha: f64::MAX }, Strength::Fixed(0.1));
        let mut opt = Adafactor::new(0.1).eps1(0.0).eps2(0.0).weight_decay(decay).build().unwrap();
        let _ = opt.step(&mut [Param::new("w", &mut w, &g).shape(shape)]);
        assert!(w.iter().all(|x| x.is_finite()), "{w:?}");
    }
}
