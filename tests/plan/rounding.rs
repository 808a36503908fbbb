use wane::plan::really_removed;
use wane::{Decay, Optimizer, Sgd};

use super::out_of_range;

/// Halves of the distance from 1 to the number below it decide; a half itself rounds to even, which is 1.
#[test]
fn shares_are_multiples_of_the_distance_below_1() {
    let [f32s, f64s] = [2.0_f64.powi(-24), 2.0_f64.powi(-53)];
    for (share, removed) in [(0.0, 0.0), (1e-8, 0.0), (0.5, 0.0), (0.51, 1.0), (1.0, 1.0), (1.49, 1.0), (1.51, 2.0), (3.2, 3.0)] {
        assert_eq!(really_removed::<f32>(share * f32s), Ok(removed * f32s), "{share}");
        assert_eq!(really_removed::<f64>(share * f64s), Ok(removed * f64s), "{share}");
    }
    assert_eq!(really_removed::<f32>(4e-8), Ok(f32s));
}

/// A weight that is a power of two shows 1 − s as it is.
#[test]
fn a_step_removes_just_that() {
    for share in [1e-9, 2.9e-8, 3.1e-8, 4e-8, 1e-7, 1e-4, 0.3, 0.999] {
        let mut opt = Sgd::new(1.0).weight_decay(Decay::decoupled(share)).build().expect("an optimizer");
        let mut w = [1.0_f32];
        opt.step_slice(&mut w, &[0.0]).expect("a step");
        assert_eq!(really_removed::<f32>(share), Ok(1.0 - f64::from(w[0])), "{share}");
    }
}

#[test]
fn a_share_is_in_its_range() {
    for share in [-1e-9, 1.0, f64::NAN, f64::INFINITY] {
        out_of_range(really_removed::<f32>(share), "share of a weight");
    }
}
