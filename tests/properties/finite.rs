//! No step makes an infinity or a NaN out of finite numbers: it is refused before anything is written, whatever the optimizer, the type and
//! the decay.

use proptest::prelude::*;
use wane::{Adagrad, Adam, AdamW, Anchor, Clip, Decay, Error, Lamb, NAdam, NonFinite, Optimizer, Param, Result, Sgd};

use crate::common::cells::{self, Cell};
use crate::common::data::{kept, matrix, patterns};
use crate::common::{Element, OPTIMIZERS, Setup, for_f32_and_f64};

for_f32_and_f64!(
    finite_numbers_stay_finite_or_the_step_is_refused,
    gradients_that_fit_are_not_refused,
    a_square_that_is_lost_is_foreseen,
    a_skipped_step_leaves_everything_finite_too,
);

/// Weights, state and what the step returned.
fn step<T: Element>(opt: &mut dyn Optimizer<T>, w: &mut [T], g: &[T], anchor: &[T]) -> Result<()> {
    opt.step(&mut [Param::new("w", w, g).shape(&matrix(g.len())).anchor(anchor)]).map(|report| assert!(!report.skipped()))
}

fn all_bits<T: Element>(opt: &dyn Optimizer<T>, w: &[T]) -> Vec<Vec<u64>> {
    kept(opt, "w", w).into_iter().map(patterns).collect()
}

fn all_finite<T: Element>(opt: &dyn Optimizer<T>, w: &[T]) -> bool {
    kept(opt, "w", w).into_iter().flatten().all(|x| x.is_finite())
}

/// Two finite numbers of any size, of which every other one is of the largest there are.
fn sizes<T: Element>() -> impl Strategy<Value = [f64; 2]> {
    let exponent = T::HUGE.log2();
    let number = move || {
        let power = prop_oneof![Just(0.0), 0.45..1.0_f64, -1.0..1.0_f64];
        (power, any::<bool>()).prop_map(move |(power, minus)| (power * exponent).exp2() * if minus { -1.0 } else { 1.0 })
    };
    [number(), number()]
}

fn finite_numbers_stay_finite_or_the_step_is_refused<T: Element>() {
    let cells = cells::all();
    proptest!(ProptestConfig::with_cases(64), |(steps in prop::collection::vec(sizes::<T>(), 1..5), weight in sizes::<T>(), pick in 0..1000_usize)| {
        for row in OPTIMIZERS {
            for cell in cells.iter().skip(pick % 7).step_by(7) {
                let mut opt = row.build::<T>(&row.setup(cell.decay()));
                let mut w = weight.map(T::near);
                for g in &steps {
                    let (g, before) = (g.map(T::near), all_bits(&*opt, &w));
                    let ended = step(&mut *opt, &mut w, &g, &[T::near(0.25), T::near(weight[0])]);
                    let label = format!("{} with {}, weights {weight:?}, gradients {steps:?}: {ended:?}", row.name, cell.decay());
                    prop_assert!(all_finite(&*opt, &w), "{label}: {w:?}");
                    if ended.is_err() {
                        prop_assert_eq!(all_bits(&*opt, &w), before, "{}", label);
                    }
                }
            }
        }
    });
}

/// A gradient whose square is 0 in its type, over the smallest ε that there is: what is left of it may be infinite.
fn a_square_that_is_lost_is_foreseen<T: Element>() {
    for row in OPTIMIZERS {
        let mut setup = Setup { lr: T::HUGE.powf(0.45), ..row.setup(Decay::none()) };
        for (at, number) in setup.numbers.iter_mut().zip(row.numbers).filter(|(_, number)| number.name.starts_with("eps")) {
            assert!(number.range.has(T::TINY));
            *at = T::TINY;
        }
        let (mut opt, mut w) = (row.build::<T>(&setup), [T::one()]);
        let ended = step(&mut *opt, &mut w, &[T::near(0.5 * T::TINY.sqrt())], &[T::one()]);
        assert!(if ended.is_ok() { all_finite(&*opt, &w) } else { w == [T::one()] }, "{}: {w:?}, {ended:?}", row.name);
    }
}

/// The bounds are not so narrow that they refuse what would go well: everything up to 1e15 does.
fn gradients_that_fit_are_not_refused<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::loops().into_iter().filter(|cell| !cell.joins_parameters()) {
            let mut opt = row.build::<T>(&row.setup(cell.decay()));
            let mut w = vec![T::near(0.5); 100];
            for size in [1e15, 1e-15, 0.0, -1e15, 1.0] {
                let g = vec![T::near(size); 100];
                step(&mut *opt, &mut w, &g, &g).unwrap_or_else(|error| panic!("{} with {}: {error}", row.name, cell.decay()));
            }
        }
    }
}

fn a_skipped_step_leaves_everything_finite_too<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.state.len() > 1) {
        let plain = Cell::new(wane::Penalty::L2, wane::Place::Decoupled, wane::Strength::None);
        let mut opt = row.build::<T>(&Setup { non_finite: NonFinite::Skip, ..row.setup(plain.decay()) });
        let (mut w, huge) = ([T::one()], [T::near(0.9 * T::HUGE)]);
        let report = opt.step(&mut [Param::new("w", &mut w, &huge).shape(&[1, 1])]).unwrap();
        assert!(report.skipped() && opt.completed_steps() == 0 && w == [T::one()], "{}", row.name);
    }
}

#[test]
fn what_would_overflow_is_named() {
    let refused = |mut opt: Box<dyn Optimizer<f32>>, g: [f32; 2]| {
        let mut w = [1.0, 1.0];
        let error = opt.step_slice(&mut w, &g).unwrap_err();
        assert_eq!((w, opt.steps_of("(slice)")), ([1.0, 1.0], None));
        let Error::Overflow { what, index, gradient, .. } = error else { panic!("{error:?}") };
        (what, index, gradient)
    };
    // The square of 6e20 times 0.001 is 3.6e38.
    let large = f64::from(6e20_f32);
    assert_eq!(refused(Adam::new(0.1).build().unwrap().into(), [1.0, 6e20]), ("exp_avg_sq", 1, large));
    assert_eq!(refused(Adam::new(0.1).amsgrad(true).build().unwrap().into(), [6e20, 1.0]), ("exp_avg_sq", 0, large));
    assert_eq!(refused(Lamb::new(0.1).build().unwrap().into(), [6e20, 1.0]).0, "exp_avg_sq");
    assert_eq!(refused(Sgd::new(10.0).build().unwrap().into(), [0.0, -1e38]), ("weight", 1, f64::from(-1e38_f32)));
    // 5e20 is no less finite than 1, and its square times 0.001 is a number.
    let mut opt = Adam::new(0.1).build::<f32>().unwrap();
    opt.step_slice(&mut [1.0, 1.0], &[1.0, 5e20]).unwrap();
    // Again and again it is not: v grows towards 2.5e41.
    let ended = (0..2000).find_map(|_| opt.step_slice(&mut [1.0, 1.0], &[1.0, 5e20]).err());
    assert!(matches!(ended, Some(Error::Overflow { what: "exp_avg_sq", index: 1, .. })), "{ended:?}");
}

/// The gradient factor is rounded to the weights' type before it multiplies: by 1 + 2⁻²⁴ + 2⁻⁵² a number just below the largest is one in f64, and
/// infinite in f32.
#[test]
fn a_gradient_that_its_rounded_factor_makes_infinite() {
    let mut opt = Sgd::new(1e-38).build::<f32>().unwrap();
    let mut w = [1.0];
    let g = [f32::from_bits(0x7f7f_fffe)];
    let factor = 1.0 + 2.0_f64.powi(-24) + 2.0_f64.powi(-52);
    let error = opt.step_scaled(&mut [Param::new("w", &mut w, &g)], factor).unwrap_err();
    assert_eq!(w, [1.0]);
    assert!(matches!(error, Error::Overflow { .. } | Error::NonFiniteGradient { .. }), "{error:?}");
}

/// With ε = 0 a gradient of 0, or one whose square is 0, divides by 0.
#[test]
fn a_division_by_0_is_refused() {
    for g in [0.0_f32, 1e-30] {
        let mut opt = AdamW::new(0.1).eps(0.0).build::<f32>().unwrap();
        let mut w = [1.0];
        let error = opt.step_slice(&mut w, &[g]).unwrap_err();
        assert!(matches!(error, Error::Overflow { what: "weight", .. }), "{error:?}");
        assert_eq!(w, [1.0]);
        // PyTorch's way.
        let mut opt = AdamW::new(0.1).eps(0.0).non_finite(NonFinite::Propagate).build::<f32>().unwrap();
        opt.step_slice(&mut w, &[g]).unwrap();
        assert!(!w[0].is_finite());
    }
}

/// The decay makes a gradient of the weight, and Adam squares it.
#[test]
fn a_coupled_decay_may_be_what_overflows() {
    let mut opt = Adam::new(0.1).weight_decay(Decay::coupled_l2(1.0)).build::<f32>().unwrap();
    let mut w = [1e21];
    let error = opt.step_slice(&mut w, &[0.0]).unwrap_err();
    assert!(matches!(error, Error::Overflow { what: "exp_avg_sq", gradient: 0.0, .. }), "{error:?}");
    assert_eq!(w, [1e21]);
}

/// A column given in the step is looked at like a gradient.
#[test]
fn a_lent_anchor_must_be_finite() {
    for (policy, bad) in [(NonFinite::Error, f32::NAN), (NonFinite::Error, f32::INFINITY), (NonFinite::Skip, f32::NAN)] {
        let decay = Decay::decoupled(0.1).towards(Anchor::Given);
        let mut opt = Sgd::new(0.1).weight_decay(decay).non_finite(policy).build::<f32>().unwrap();
        let mut w = [1.0, 2.0];
        let ended = opt.step(&mut [Param::new("w", &mut w, &[0.5, 0.5]).anchor(&[0.0, bad])]);
        assert_eq!(w, [1.0, 2.0]);
        match ended {
            Ok(report) => assert!(report.skipped() && policy == NonFinite::Skip),
            Err(error) => assert!(matches!(error, Error::NonFiniteAnchor { index: 1, .. }), "{error:?}"),
        }
    }
}

/// What is not finite already is none of the step's doing: other weights go on.
#[test]
fn a_weight_that_is_nan_already_does_not_stop_the_others() {
    for decay in [Decay::none(), Decay::decoupled(0.1), Decay::coupled_l2(0.1)] {
        let mut opt = Adam::new(0.1).weight_decay(decay).build::<f32>().unwrap();
        let mut w = [f32::NAN, f32::INFINITY, 1.0];
        opt.step_slice(&mut w, &[1.0, 1.0, 1.0]).unwrap();
        assert!(w[2] < 1.0, "{w:?}");
    }
}

/// In f64 squares overflow from 1.3e154 on: the norm does not, and clipping works there.
#[test]
fn huge_gradients_of_f64_are_clipped() {
    for (clip, size) in [(Clip::OptaxGlobalNorm(1.0), 3e200), (Clip::GlobalNorm(1.0), 3e-200), (Clip::GlobalNorm(1.0), 3e300)] {
        let mut opt = Sgd::new(1.0).clip(clip).build::<f64>().unwrap();
        let (mut a, mut b) = ([0.0], [0.0]);
        let (ga, gb) = ([size], [size / 3.0 * 4.0]);
        let report = opt.step(&mut [Param::new("a", &mut a, &ga), Param::new("b", &mut b, &gb)]).unwrap();
        let norm = report.grad_norm().unwrap();
        assert!((norm / (size / 3.0 * 5.0) - 1.0).abs() < 1e-14, "{norm:e}");
        if size > 1.0 {
            assert!((a[0] + 0.6).abs() < 1e-14 && (b[0] + 0.8).abs() < 1e-14, "{a:?} {b:?}");
        } else {
            assert_eq!((a[0], b[0]), (-ga[0], -gb[0]));
        }
    }
}

/// Found by a reader: products on the way, a schedule on a norm, an anchor that was lent before.
#[test]
fn infinities_on_the_way_are_foreseen() {
    // step·m overflows where ε is as large.
    let mut w = [1.0];
    Adam::new(1e25).eps(1e10).build::<f32>().unwrap().step_slice(&mut w, &[1e14]).unwrap_err();
    assert_eq!(w, [1.0]);
    // The average is a number of f32, and ten times it is none.
    let decay = Decay::adaptive(0.1).schedule(wane::Schedule::linear(10.0, 10.0, 1));
    let mut w = [1e-30];
    Sgd::new(0.1).weight_decay(decay).build::<f32>().unwrap().step_slice(&mut w, &[1e9]).unwrap_err();
    assert_eq!(w, [1e-30]);
    // The weight has gone to where an anchor pulled it.
    let mut opt = Adam::new(0.1)
        .weight_decay(Decay::fixed(0.9).towards(Anchor::Given))
        .group("c", |s| s.weight_decay(Decay::coupled_l2(0.1)))
        .build::<f32>()
        .unwrap();
    let mut w = [0.0];
    for anchor in [2e37, 0.0] {
        opt.step(&mut [Param::new("w", &mut w, &[0.0]).anchor(&[anchor])]).unwrap();
    }
    opt.assign("w", "c").unwrap();
    let before = w;
    opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap_err();
    assert_eq!(w, before);
}

/// An ε of 0 may be written −0: what it divides is infinite, and foreseen as such.
#[test]
fn a_zero_is_one_of_either_sign() {
    for eps in [0.0, -0.0] {
        let all: [Box<dyn Optimizer<f32>>; 4] = [
            Adam::new(0.1).eps(eps).build().unwrap().into(),
            Adam::new(0.1).epsilon_hat(eps).build().unwrap().into(),
            NAdam::new(0.1).eps(eps).build().unwrap().into(),
            Adagrad::new(0.1).eps(eps).build().unwrap().into(),
        ];
        for mut opt in all {
            // The square of the gradient is 0 in f32.
            let mut w = [1.0];
            opt.step_slice(&mut w, &[1e-30]).unwrap_err();
            assert_eq!(w, [1.0], "{opt:?}");
        }
    }
}

/// Numbers that a law works with beside its share may be larger than those of the weights' type.
#[test]
fn what_stands_beside_a_share_is_finite() {
    // α/σ is, where gradients are the smallest numbers; θ is between 0 and 2 all the same.
    let mut opt = Sgd::new(0.5).weight_decay(Decay::ada_decay(0.5)).build::<f32>().unwrap();
    let mut w = [1.0; 3];
    opt.step_slice(&mut w, &[1e-45, 0.0, 3e-45]).unwrap();
    assert!(w.iter().all(|w| (0.5..=1.0).contains(w)), "{w:?}");
    // dw/dλ is, of a share that is none.
    let schedule = wane::Schedule::linear(1e139, 1e139, 1);
    let decay = Decay::tuned(1e-200, wane::Tuning::Linear(1.0)).schedule(schedule);
    let error = Sgd::new(0.5).weight_decay(decay).build::<f32>().unwrap_err();
    assert!(matches!(error, Error::OutOfRange { setting: "weight decay", .. }), "{error}");
    // The strength is, where a schedule near the largest number is rounded to less than 0.
    let decay = Decay::adaptive(0.3).schedule(wane::Schedule::cosine(102, f64::MAX));
    let mut opt = Adam::new(0.1).betas(0.0, 0.0).weight_decay(decay).build::<f32>().unwrap();
    let mut w = [0.125];
    opt.step_slice(&mut w, &[1e16]).unwrap_err();
    assert_eq!(w, [0.125]);
}
