//! Special values under `NonFinite::Propagate`: −0, infinities, NaN, subnormals and gradients whose squares overflow, judged by the oracle
//! in f64, which rounds what is kept to the weights' type.

use wane::{Anchor, Clip, Decay, NonFinite, Optimizer, Param, Penalty, Place, Untouched};

use super::run::{Oracle, Plan};
use crate::common::cells::{self, ADA, Cell, Ramp};
use crate::common::data::{self, Tensor, agree, bits, exact, step_on};
use crate::common::{Element, Goal, Huge, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    special_values_go_the_way_of_the_oracle,
    special_values_under_norms_go_the_way_of_the_oracle,
    a_nan_gradient_leaves_a_nan_weight_and_no_other,
    a_nan_under_a_norm_reaches_all_that_the_norm_joins,
    a_square_that_overflows_does_what_the_row_says,
    signs_of_zero_are_kept,
    finite_gradients_have_a_finite_norm,
    the_norm_of_nothing_is_zero,
    a_ratio_of_norms_that_overflows_is_refused,
);

/// Every weight beside every gradient.
fn grid<T: Element>() -> Vec<[T; 2]> {
    let small = [0.0, -0.0, T::TINY, -T::TINY, 1e-30];
    let infinite = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    // 0.3 of the largest number: its square overflows, the sums of a momentum buffer do not.
    let weights = small.into_iter().chain([1.0, -1.5, 0.3 * T::HUGE]).chain(infinite);
    let grads = || small.into_iter().chain([0.4, -0.2, 0.3 * T::HUGE, -0.3 * T::HUGE]).chain(infinite);
    weights.flat_map(|w| grads().map(move |g| [T::near(w), T::near(g)])).collect()
}

fn let_through(row: &Row, cell: &Cell) -> Setup {
    Setup { non_finite: NonFinite::Propagate, ..row.setup(cell.decay()) }
}

/// A tensor of these weights; it lends an anchor of 0.25.
fn tensor<T: Element>(value: Vec<T>) -> Tensor<T> {
    let anchor = vec![T::near(0.25); value.len()];
    Tensor { name: "w".into(), seed: 0, value, anchor }
}

/// Two steps on these pairs of weight and gradient, against the oracle.
fn judge<T: Element>(row: &Row, cell: &Cell, clip: Clip, pairs: &[[T; 2]]) {
    let mut tensors = [tensor(pairs.iter().map(|[w, _]| *w).collect())];
    let grad: Vec<_> = pairs.iter().map(|[_, g]| *g).collect();
    let plan = Plan { lr: row.lr, ramp: Ramp::constant(), cell: cell.clone(), clip, goal: Goal::Descend };
    let mut opt = row.build::<T>(&Setup { clip, ..let_through(row, cell) });
    let mut oracle = Oracle::new(row, &plan, &tensors);
    for k in 0..2 {
        step_on(&mut *opt, &mut tensors, 1.0, |_| grad.clone());
        oracle.step(&[Some(exact(&grad))], 1.0);
        let twin = &oracle.twins[0];
        for (i, [weight, g]) in pairs.iter().enumerate() {
            let (found, expected) = (tensors[0].value[i], twin.x[i]);
            if k > 0 && is_amplified(row, cell, [*weight, *g]) {
                continue;
            }
            // A product below the smallest number is lost before it is divided by ε.
            let tolerance = 32.0 * T::EPS * twin.size[i] + 1e9 * T::TINY;
            assert!(
                agree(found.exact(), expected, tolerance),
                "{} with {} {clip:?}: weight {weight:e}, gradient {g:e}, step {k}: {found:e} for {expected:e}",
                row.name,
                cell.decay()
            );
        }
    }
}

/// Adagrad multiplies by its rate before it divides by √s + ε, in PyTorch's order, and NAdam divides the gradient itself beside a moment. What
/// underflows before the division is lost, and a coupled decay brings it back into the next gradient, times λ·η/ε, which is 10⁸.
fn is_amplified<T: Element>(row: &Row, cell: &Cell, pair: [T; 2]) -> bool {
    let divides = row.state == ["sum"] || row.state.contains(&"mu_product");
    divides && cell.place == Place::Coupled && pair.iter().any(|x| x.exact().abs() == T::TINY)
}

fn special_values_go_the_way_of_the_oracle<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        for cell in cells::loops().into_iter().filter(|cell| !cell.joins_weights()) {
            for cell in [cell.anchor, Anchor::Start].map(|anchor| cell.towards(anchor)) {
                if cell.anchors().all(|anchor| anchor != cell.anchor) {
                    continue;
                }
                // Some decays look at signs, and a direction that underflows has the sign of 0. Where v overflows, so does Adam's.
                let by_sign = cell.place == Place::Cautious || (cell.place == Place::Coupled && cell.penalty != Penalty::L2);
                let clear = |g: f64| !by_sign || g.abs() != T::TINY && g.abs() < 0.1 * T::HUGE;
                // A power that overflows is no number beside an infinite step.
                let powers = matches!(cell.penalty, Penalty::PNorm { .. });
                let held = |w: f64, g: f64| !powers || !(T::TINY..1e-20).contains(&w.abs()) || g.is_finite();
                let both = |[w, g]: &[T; 2]| clear(g.exact()) && held(w.exact(), g.exact());
                let pairs: Vec<_> = grid().into_iter().filter(both).collect();
                judge::<T>(row, &cell, Clip::Off, &pairs);
                judge::<T>(row, &cell, Clip::Value(0.25), &pairs);
            }
        }
    }
}

/// The trust ratio and adaptive decay join what is in one step, so every pair has an optimizer of its own. What is so large or small that
/// the ratio of two norms is no number of its type is left out.
fn special_values_under_norms_go_the_way_of_the_oracle<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::loops().into_iter().filter(|cell| row.reach != Reach::Element || cell.joins_weights()) {
            let usual = |w: f64| w == 0.0 || !w.is_finite() || (1e-3..1e3).contains(&w.abs());
            for pair in grid().into_iter().filter(|[w, g]: &[T; 2]| usual(w.exact()) && usual(g.exact())) {
                judge::<T>(row, &cell, Clip::Off, &[pair]);
            }
        }
    }
}

const NAN_AT: usize = 2;

/// A step on a gradient that is NaN in one place of the first tensor, then one on numbers; the same with a number in that place. Weights
/// and state, of the first tensor and of one beside it whose gradient is always a number.
fn with_and_without_nan<T: Element>(row: &Row, setup: &Setup) -> [[Vec<Vec<u64>>; 2]; 2] {
    [f64::NAN, 0.1].map(|special| {
        let mut tensors = [Tensor::new(0, 5), Tensor::new(1, 3)];
        let mut opt = row.build::<T>(setup);
        for k in 0..2 {
            step_on(&mut *opt, &mut tensors, 1.0, |tensor| {
                let mut grad = tensor.gradient(k);
                if tensor.seed == 0 && k == 0 {
                    grad[NAN_AT] = T::near(special);
                }
                grad
            });
        }
        let bits = bits(row, &*opt, &tensors);
        [0, 1].map(|i| bits[&tensors[i].name].1.clone())
    })
}

const NAN: u64 = u64::MAX;

fn a_nan_gradient_leaves_a_nan_weight_and_no_other<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        for cell in cells::all().into_iter().filter(|cell| !cell.joins_weights()) {
            for clip in [Clip::Off, Clip::Value(0.5)] {
                let setup = Setup { clip, ..let_through(row, &cell) };
                let [found, mut expected] = with_and_without_nan::<T>(row, &setup);
                // A number that a parameter keeps once is no gradient's.
                expected[0].iter_mut().filter(|column| column.len() > 1).for_each(|column| column[NAN_AT] = NAN);
                assert_eq!(found, expected, "{} with {} {clip:?}", row.name, cell.decay());
            }
        }
    }
}

fn a_nan_under_a_norm_reaches_all_that_the_norm_joins<T: Element>() {
    let all_nan = |weights: &[u64]| weights.iter().all(|x| *x == NAN);
    for row in OPTIMIZERS {
        for cell in cells::all() {
            for clip in [Clip::Off, Clip::GlobalNorm(0.5), Clip::OptaxGlobalNorm(0.5)] {
                let [found, expected] = with_and_without_nan::<T>(row, &Setup { clip, ..let_through(row, &cell) });
                let name = || format!("{} with {} {clip:?}: {:?}", row.name, cell.decay(), found);
                assert_eq!(found[0][0][NAN_AT], NAN, "{}", name());
                // In the first step, which has the NaN, the schedule is at 0: then AdaDecay does not look.
                // A single row has columns of one weight.
                let joins = cell.joins_weights() && cell.penalty != cells::COLUMNS && !(cell.is_scheduled() && cell.place == ADA);
                if row.reach != Reach::Element || clip != Clip::Off || joins {
                    assert!(all_nan(&found[0][0]), "{}", name());
                }
                if clip != Clip::Off || cell.joins_parameters() {
                    assert!(all_nan(&found[1][0]), "{}", name());
                } else {
                    assert_eq!(found[1], expected[1], "{}", name());
                }
            }
        }
    }
}

/// Under `Propagate` it does what its row says. Where the second moment becomes infinite, the direction is 0: what is left is the decay, as
/// without a gradient. By default the step is refused, where a weight or state would not stay finite.
fn a_square_that_overflows_does_what_the_row_says<T: Element>() {
    let huge = T::near(0.88 * T::HUGE);
    for row in OPTIMIZERS {
        for cell in cells::loops().into_iter().filter(|cell| !cell.joins_parameters()) {
            // The sign of the direction is there without the direction, and the metric is infinite.
            if matches!(cell.place, Place::Cautious | Place::Metric) {
                continue;
            }
            // After the update a set brings back what has gone too far.
            if cell.is_to_a_set() && cell.place != Place::Decoupled {
                continue;
            }
            let run = |cell: &Cell, g: T| {
                let mut tensors = [tensor(vec![T::near(1.0)])];
                step_on(&mut *row.build::<T>(&let_through(row, cell)), &mut tensors, 1.0, |_| vec![g]);
                tensors[0].value[0]
            };
            // A gradient that vanishes touches its row all the same.
            let place = if cell.untouched == Untouched::Decay { cell.place } else { Place::Exact };
            let always = Cell { place, untouched: Untouched::Decay, ..cell.clone() };
            let (found, still) = (run(&cell, huge), run(&always, T::zero()));
            let name = || format!("{} with {}: {found:e}", row.name, cell.decay());
            match row.huge {
                Huge::Vanishes if cell.place != Place::Coupled => assert_eq!(found, still, "{}", name()),
                Huge::Vanishes => assert_eq!(found, T::one(), "{}", name()),
                Huge::Undefined => assert!(found.is_nan(), "{}", name()),
                Huge::Sign | Huge::Direction => assert!(found < T::one() && found > T::near(0.9), "{}", name()),
                Huge::Overflows => assert_eq!(found, T::neg_infinity(), "{}", name()),
                Huge::Moves => assert!((found.exact() / (-row.lr * huge.exact()) - 1.0).abs() < 0.1, "{}", name()),
            }
        }
    }
}

fn signs_of_zero_are_kept<T: Element>() {
    let minus = T::near(-0.0);
    // Muon's first buffer is a share of it.
    let copies = |row: &&Row| row.state == ["momentum_buffer"] && row.reach == Reach::Element;
    for row in OPTIMIZERS.iter().filter(copies) {
        let mut tensors = [tensor(vec![T::zero()])];
        let mut opt = row.build::<T>(&row.setup(Decay::none()));
        step_on(&mut *opt, &mut tensors, 1.0, |_| vec![minus]);
        let state = bits(row, &*opt, &tensors)["w"].1[1].clone();
        assert_eq!(state, [minus.pattern()], "{}: the first buffer is a copy of the gradient", row.name);
    }
    let row = optimizer("sgd");
    let w = data::slice_after(&mut *row.build::<T>(&row.setup(Decay::none())), &[minus], &[T::zero()], 1);
    assert_eq!(w[0].pattern(), minus.pattern(), "−0 − η·0 is −0");
}

/// The default policy refuses what is not finite, and only that: a gradient whose norm, or whose square, is beyond its type has a norm in f64.
fn finite_gradients_have_a_finite_norm<T: Element>() {
    for row in OPTIMIZERS {
        for size in [1e-300, 1e-170, 1.0, 1e150, 1e160, 0.88 * T::HUGE] {
            let grad = [T::near(size.min(0.88 * T::HUGE).max(T::TINY))];
            let mut opt = row.build::<T>(&Setup { clip: Clip::OptaxGlobalNorm(1e-3), ..row.setup(Decay::none()) });
            let mut weights = [T::one()];
            let Ok(report) = opt.step(&mut [Param::new("w", &mut weights, &grad).shape(&[1, 1])]) else {
                // What is clipped must not vanish: the factor is a number of the weights' type, too.
                assert!(T::near(1e-3 / grad[0].exact()) == T::zero(), "{}: {:e}", row.name, grad[0]);
                continue;
            };
            let norm = report.grad_norm().unwrap();
            assert!((norm / grad[0].exact() - 1.0).abs() < 1e-6, "{}: the norm of {:e} is {norm:e}", row.name, grad[0]);
        }
    }
}

fn the_norm_of_nothing_is_zero<T: Element>() {
    for row in OPTIMIZERS {
        let norm = row.build::<T>(&row.setup(Decay::none())).step(&mut []).unwrap().grad_norm().unwrap();
        assert_eq!(norm.to_bits(), 0, "{}: {norm}", row.name);
    }
}

/// Finite weights and gradients, and a ratio of their norms that is no number of their type: the step is refused, or goes well.
fn a_ratio_of_norms_that_overflows_is_refused<T: Element>() {
    // ‖g‖/‖x‖ of adaptive decay, ‖x‖/‖r‖ of a trust ratio.
    for (weight, g) in [(32.0 * T::TINY, 1.0), (0.3 * T::HUGE.min(1e150), 1e-20)] {
        for row in OPTIMIZERS {
            for cell in cells::loops().into_iter().filter(|cell| row.reach != Reach::Element || cell.joins_weights()) {
                let (mut tensor, grad) = (tensor(vec![T::near(weight)]), [T::near(g)]);
                let mut opt = row.build::<T>(&row.setup(cell.decay()));
                let before = tensor.value[0];
                let refused = opt.step(&mut [tensor.param(Some(&grad))]).is_err();
                let after = tensor.value[0];
                let name = || format!("{} with {}: {before:e} with gradient {g:e} becomes {after:e}", row.name, cell.decay());
                assert!(if refused { after == before } else { after.is_finite() }, "{}", name());
            }
        }
    }
}
