use wane::plan::really_removed;
use wane::{Decay, Optimizer, Schedule, Sgd};

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

/// Along a schedule, shares of 1e-6, 1e-7 and 1e-8: 16.78, 1.678 and 0.1678 times the distance below 1.
#[test]
fn a_share_is_lost_where_it_is_off_by_a_percent() {
    let decay = Decay::decoupled(0.1);
    let lr = Schedule::exponential(0.1);
    let lost = |decay: &Decay| [0, 1, 2].map(|step| decay.is_lost_in::<f32>(1e-5, &lr, step).expect("a share"));
    assert_eq!(lost(&decay), [true, true, true]);
    assert_eq!(lost(&decay.clone().schedule(Schedule::linear(1000.0, 1000.0, 1))), [false, false, false]);
    assert_eq!(lost(&Decay::fixed(1e-6)), [false; 3]);
    // As `f32` has no such number.
    assert_eq!(Decay::fixed(1e-46).is_lost_in::<f32>(1.0, &lr, 0), Ok(true));
    assert_eq!(decay.is_lost_in::<f64>(1e-5, &lr, 2), Ok(false));
    for kept in [Decay::none(), Decay::l1(1e-9), Decay::coupled_l2(1e-9), Decay::adaptive(1e-9), Decay::decoupled(0.0)] {
        assert_eq!(kept.is_lost_in::<f32>(1.0, &lr, 0), Ok(false), "{kept}");
    }
}

#[test]
fn what_cannot_be_lost_is_an_error() {
    let constant = Schedule::constant();
    out_of_range(Decay::decoupled(-1.0).is_lost_in::<f32>(0.1, &constant, 0), "weight decay");
    out_of_range(Decay::decoupled(10.0).is_lost_in::<f32>(0.1, &constant, 0), "share of a weight");
    out_of_range(Decay::decoupled(1.0).is_lost_in::<f32>(0.0, &constant, 0), "peak learning rate");
    out_of_range(Decay::decoupled(1.0).is_lost_in::<f32>(0.1, &Schedule::exponential(-1.0), 0), "schedule's factor");
}
