//! A tensor of 19 elements: 16 in whole vectors, where this crate has PyTorch's bits, and a tail of three, which PyTorch's fused
//! kernels send through a scalar path. Their vectors hold 8 f32 or 4 f64; the tail is three with vectors of 16 too.

use wane::Level;

use super::build::How;
use super::fixture::{Case, Run, TORCH, cases};
use super::judge::{Near, as_it_is, judge};
use super::play::Absent;
use super::torch::play_torch;
use crate::common::Element;

/// Elements in whole vectors.
const WHOLE: usize = 16;

fn fused<T: Element>() -> impl Iterator<Item = (Case, Run)> {
    cases(&TORCH["tail"]).map(|case| (case, case.run::<T>("fused").unwrap()))
}

/// In these PyTorch's scalar path rounds elsewhere than its vectors; without momentum SGD's two paths are one.
fn paths_differ(case: Case) -> bool {
    case.optimizer() != "SGD" || case.options().number("momentum") != 0.0
}

/// Bits on whole vectors. In the tail bits where PyTorch's two paths are one, elsewhere not everywhere: at most 0.6 epsilons of the
/// largest weight were measured, and 3.0 of the largest number in a state column (Adam's v in f32).
fn this_crate<T: Element>() {
    for (level, (case, run)) in Level::all().flat_map(|level| fused::<T>().map(move |run| (level, run))) {
        let trajectory = play_torch::<T>(case, How { level, ..How::default() }, Absent::WithoutGradient).unwrap();
        let judged = |near| judge(case, run, &trajectory, near, as_it_is);
        let place = format!("({}, {level})", T::NAME);
        assert_eq!(judged(Near::FirstBits(WHOLE)), Ok(()), "{place}");
        assert_eq!(judged(Near::Within(4.0 * T::EPS)), Ok(()), "{place}");
        assert_eq!(judged(Near::Bits).is_err(), paths_differ(case), "{} {place}", case.name());
    }
}

#[test]
fn bits_on_whole_vectors_and_near_in_the_tail_f32() {
    this_crate::<f32>();
}

#[test]
fn bits_on_whole_vectors_and_near_in_the_tail_f64() {
    this_crate::<f64>();
}
