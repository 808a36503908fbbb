//! What `NonFinite::Propagate` lets through, as the table at `NonFinite` says it: gradients (bad, 1) in the first step, (1, 1) in the second.

use wane::{Adam, Clip, Decay, Lamb, Lion, NonFinite, Optimizer, Schedule, Sgd};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The kinds of number that a weight or a state may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Finite,
    NaN,
    Up,
    Down,
}

use Kind::{Down, Finite, NaN, Up};

fn kind(x: f64) -> Kind {
    match x {
        _ if x.is_nan() => NaN,
        INF => Up,
        _ if x == -INF => Down,
        _ => Finite,
    }
}

/// After each of both steps: both weights, and the first element of the first column of the state.
fn after(opt: impl Into<Box<dyn Optimizer<f64>>>, bad: f64) -> [(Kind, Kind, Option<Kind>); 2] {
    let (mut opt, mut w) = (opt.into(), [1.0, 1.0]);
    [bad, 1.0].map(|g| {
        opt.step_slice(&mut w, &[g, 1.0]).unwrap();
        let column = opt.columns("(slice)").unwrap().into_iter().next();
        let state = column.map(|column| kind(opt.state("(slice)", column).unwrap()[0]));
        (kind(w[0]), kind(w[1]), state)
    })
}

#[test]
fn without_a_norm_a_bad_gradient_reaches_its_own_weight_only() {
    let sgd = || Sgd::new(0.1).non_finite(NonFinite::Propagate);
    let momentum = || Sgd::new(0.1).momentum(0.9).non_finite(NonFinite::Propagate);
    let adam = || Adam::new(0.1).non_finite(NonFinite::Propagate);
    let lion = || Lion::new(0.1).non_finite(NonFinite::Propagate);
    // A NaN stays for good, in the weight and in the state.
    assert_eq!(after(sgd().build().unwrap(), NAN), [(NaN, Finite, None); 2]);
    assert_eq!(after(momentum().build().unwrap(), NAN), [(NaN, Finite, Some(NaN)); 2]);
    assert_eq!(after(adam().build().unwrap(), NAN), [(NaN, Finite, Some(NaN)); 2]);
    assert_eq!(after(lion().build().unwrap(), NAN), [(NaN, Finite, Some(NaN)); 2]);
    // An infinity: SGD walks to the other one, Adam divides it by itself, Lion takes its sign and keeps it.
    assert_eq!(after(sgd().build().unwrap(), INF), [(Down, Finite, None); 2]);
    assert_eq!(after(sgd().build().unwrap(), -INF), [(Up, Finite, None); 2]);
    assert_eq!(after(momentum().build().unwrap(), INF), [(Down, Finite, Some(Up)); 2]);
    assert_eq!(after(adam().build().unwrap(), INF), [(NaN, Finite, Some(Up)), (NaN, Finite, Some(NaN))]);
    assert_eq!(after(lion().build().unwrap(), INF), [(Finite, Finite, Some(Up)); 2]);
    // A coupled decay takes the infinite weight into the next gradient.
    let decay = Decay::coupled_l2(0.1);
    assert_eq!(after(sgd().weight_decay(decay).build().unwrap(), INF), [(Down, Finite, None), (NaN, Finite, None)]);
    // Clipped by value an infinity is the bound, and a NaN a NaN.
    assert_eq!(after(sgd().clip(Clip::Value(1.0)).build().unwrap(), INF), [(Finite, Finite, None); 2]);
    assert_eq!(after(sgd().clip(Clip::Value(1.0)).build().unwrap(), NAN), [(NaN, Finite, None); 2]);
}

#[test]
fn a_norm_carries_a_nan_to_all_and_an_infinity_as_zeros() {
    for clip in [Clip::GlobalNorm(1.0), Clip::OptaxGlobalNorm(1.0)] {
        let sgd = || Sgd::new(0.1).clip(clip).non_finite(NonFinite::Propagate);
        assert_eq!(after(sgd().build().unwrap(), NAN), [(NaN, NaN, None); 2]);
        // The factor is 1/∞ = 0: 0·∞ is NaN, and all others stay as they are.
        assert_eq!(after(sgd().build().unwrap(), INF), [(NaN, Finite, None); 2]);
        let mut w = [1.0, 1.0];
        sgd().build().unwrap().step_slice(&mut w, &[INF, 1.0]).unwrap();
        assert_eq!(w[1], 1.0, "{clip:?}");
    }
    for bad in [NAN, INF] {
        let lamb = Lamb::new(0.1).non_finite(NonFinite::Propagate).build().unwrap();
        assert_eq!(after(lamb, bad)[0].1, NaN);
        let adaptive = Sgd::new(0.1).weight_decay(Decay::adaptive(0.1)).non_finite(NonFinite::Propagate).build().unwrap();
        let [(own, other, _), _] = after(adaptive, bad);
        assert!(own != Finite && other != Finite, "{own:?} {other:?}");
    }
}

#[test]
fn an_adaptive_decay_of_0_carries_no_nan() {
    for decay in [Decay::adaptive(0.0), Decay::adaptive(0.1).schedule(Schedule::linear(0.0, 0.0, 1))] {
        let sgd = Sgd::new(0.1).weight_decay(decay).non_finite(NonFinite::Propagate).build().unwrap();
        assert_eq!(after(sgd, NAN), [(NaN, Finite, None); 2]);
    }
}
