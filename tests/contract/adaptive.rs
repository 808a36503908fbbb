//! Adaptive weight decay: λ̄ ← 0.1·λ̄ + 0.9·λ·‖g‖/‖d‖, one average for each group.

use wane::{Anchor, Clip, Decay, NonFinite, Optimizer, Param, Sgd};

const LAMBDA: f64 = 0.25;
const LR: f64 = 0.1;

/// SGD with adaptive decay over one group, in a few plain lines.
#[derive(Default)]
struct Plain {
    average: f64,
}

impl Plain {
    /// One step on the tensors of the group, pulled towards `anchor`.
    fn step(&mut self, tensors: &mut [(&mut [f64], &[f64])], factor: f64, anchor: f64) {
        let norm = |squares: f64| squares.sqrt();
        let gradient = norm(tensors.iter().flat_map(|(_, g)| g.iter()).map(|g| g * g).sum()) * factor;
        let distance = norm(tensors.iter().flat_map(|(w, _)| w.iter()).map(|w| (w - anchor) * (w - anchor)).sum());
        let ratio = if distance == 0.0 { 0.0 } else { LAMBDA * gradient / distance };
        self.average = 0.1 * self.average + 0.9 * ratio;
        for (w, g) in tensors {
            for (w, g) in w.iter_mut().zip(*g) {
                *w -= LR * (g * factor + self.average * (*w - anchor));
            }
        }
    }
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * b.abs()), "{a:?}, {b:?}");
}

#[test]
fn each_group_has_its_own_average() {
    let mut opt = Sgd::new(LR)
        .weight_decay(Decay::adaptive(LAMBDA))
        .group("other", |s| s)
        .group("off", |s| s.frozen(true))
        .build::<f64>()
        .unwrap();
    let (mut a, mut b, mut c) = ([1.0, -2.0], [0.5], [3.0, 4.0]);
    let (mut x, mut y, mut z) = (a, b, c);
    let (mut first, mut second) = (Plain::default(), Plain::default());
    for k in 1..=4 {
        let k = f64::from(k);
        let (ga, gb, gc) = ([k, 0.5], [-k], [0.25, k * k]);
        // What has no gradient, is frozen or undecayed is in no norm.
        let mut idle = [[1e9]; 4];
        let [d, e, f, g] = &mut idle;
        opt.step(&mut [
            Param::new("a", &mut a, &ga),
            Param::new("d", d, &[1e9]).frozen(true),
            Param::new("b", &mut b, &gb),
            Param::new("e", e, &[1e9]).in_group("off"),
            Param::without_grad("f", f),
            Param::new("g", g, &[1e9]).no_decay(),
            Param::new("c", &mut c, &gc).in_group("other"),
        ])
        .unwrap();
        first.step(&mut [(&mut x, &ga), (&mut y, &gb)], 1.0, 0.0);
        second.step(&mut [(&mut z, &gc)], 1.0, 0.0);
    }
    assert_close(&a, &x);
    assert_close(&b, &y);
    assert_close(&c, &z);
}

/// The norm is that of the gradients after factor and clipping by norm, and before clipping by value.
#[test]
fn the_norm_is_taken_after_factor_and_clipping() {
    for (clip, factor, seen) in [
        (Clip::Off, 0.5, 0.5),
        (Clip::OptaxGlobalNorm(1.0), 0.5, 0.2),
        (Clip::OptaxGlobalNorm(1.0), 4.0, 0.2),
        (Clip::Value(100.0), 2.0, 2.0),
    ] {
        let mut opt = Sgd::new(LR).weight_decay(Decay::adaptive(LAMBDA)).clip(clip).build::<f64>().unwrap();
        let (mut plain, mut v, mut w) = (Plain::default(), [1.0, -2.0], [1.0, -2.0]);
        for _ in 0..3 {
            opt.step_scaled(&mut [Param::new("w", &mut w, &[3.0, 4.0])], factor).unwrap();
            plain.step(&mut [(&mut v, &[3.0, 4.0])], seen, 0.0);
        }
        assert_close(&w, &v);
    }
    // λ̄ = 0.9·0.25·5/1 from the norm 5, and then the gradient is cut to 1.
    let mut opt = Sgd::new(LR).weight_decay(Decay::adaptive(LAMBDA)).clip(Clip::Value(1.0)).build::<f64>().unwrap();
    let mut w = [1.0];
    opt.step_slice(&mut w, &[5.0]).unwrap();
    assert_close(&w, &[1.0 - LR * (1.0 + 0.9 * 0.25 * 5.0)]);
}

/// Towards an anchor, ‖d‖ is the distance from it; where it is 0, there is nothing to decay.
#[test]
fn the_distance_is_from_the_anchor() {
    let decay = || Decay::adaptive(LAMBDA).towards(Anchor::Given);
    let mut lent = Sgd::new(LR).weight_decay(decay()).build::<f64>().unwrap();
    let mut start = Sgd::new(LR).weight_decay(decay().towards(Anchor::Start)).build::<f64>().unwrap();
    let (mut far, mut near) = (Plain::default(), Plain::default());
    let (mut u, mut v, mut w, mut x) = ([1.0, -2.0], [1.0, -2.0], [0.5, 0.5], [0.5, 0.5]);
    for _ in 0..4 {
        lent.step(&mut [Param::new("w", &mut u, &[3.0, 4.0]).anchor(&[5.0, 5.0])]).unwrap();
        far.step(&mut [(&mut v, &[3.0, 4.0])], 1.0, 5.0);
        start.step(&mut [Param::new("w", &mut w, &[3.0, 4.0])]).unwrap();
        near.step(&mut [(&mut x, &[3.0, 4.0])], 1.0, 0.5);
    }
    assert_close(&u, &v);
    assert_close(&w, &x);
}

/// A step that nobody of the group is in, or that is skipped or refused, leaves the average alone.
#[test]
fn the_average_moves_with_the_group() {
    for policy in [NonFinite::Skip, NonFinite::Error] {
        let mut opt = Sgd::new(LR).weight_decay(Decay::adaptive(LAMBDA)).non_finite(policy).build::<f64>().unwrap();
        let (mut plain, mut v, mut w) = (Plain::default(), [1.0, -2.0], [1.0, -2.0]);
        for _ in 0..3 {
            opt.step(&mut [Param::new("w", &mut w, &[3.0, 4.0])]).unwrap();
            plain.step(&mut [(&mut v, &[3.0, 4.0])], 1.0, 0.0);
            opt.step(&mut []).unwrap();
            opt.step(&mut [Param::new("other", &mut [1e9], &[1.0]).no_decay()]).unwrap();
            let _ = opt.step(&mut [Param::new("w", &mut w, &[1e6, f64::NAN])]);
        }
        assert_close(&w, &v);
    }
}

/// A NaN that was let through does not stay in the average.
#[test]
fn the_average_forgets_what_is_not_finite() {
    let settings = || Sgd::new(LR).weight_decay(Decay::adaptive(LAMBDA)).non_finite(NonFinite::Propagate);
    let (mut hurt, mut well) = (settings().build::<f64>().unwrap(), settings().build::<f64>().unwrap());
    hurt.step(&mut [Param::new("w", &mut [1.0], &[f64::NAN])]).unwrap();
    hurt.forget("w");
    let (mut v, mut w) = ([1.0, -2.0], [1.0, -2.0]);
    hurt.step(&mut [Param::new("w", &mut v, &[3.0, 4.0])]).unwrap();
    well.step(&mut [Param::new("w", &mut w, &[3.0, 4.0])]).unwrap();
    assert_eq!(v, w);
}

/// The table shows the average so far: 0.9·0.25·10/5 after the first step.
#[test]
fn the_average_can_be_read() {
    let mut opt = Sgd::new(LR).weight_decay(Decay::adaptive(LAMBDA)).build::<f64>().unwrap();
    opt.step(&mut [Param::new("w", &mut [3.0, 4.0], &[6.0, 8.0])]).unwrap();
    assert_eq!(opt.describe().groups()[0].strength(), "λ = 0.45");
}
