//! Identities: two ways to say the same thing agree, and two things that are not the same do not.

use wane::{Anchor, Decay, Optimizer, Penalty, Place, Schedule, Strength};

use crate::common::cells::{self, ADA, Cell, Ramp};
use crate::common::data::{Tensor, agree, noise, patterns, slice_after, step_on, step_slice, tensors, trained};
use crate::common::{Element, Huge, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    in_plain_sgd_coupled_l2_is_decoupled,
    units_convert_into_each_other,
    units_with_the_same_number_are_not_the_same,
    without_epsilon_the_scale_of_gradients_is_not_seen,
    proximal_l2_is_decoupled_up_to_second_order,
    an_elastic_net_ends_in_its_parts,
    an_anchor_of_zero_is_none,
    an_anchor_moves_the_origin,
    cautious_decay_is_decoupled_where_the_update_agrees_and_none_where_not,
    lion_stays_within_its_bound,
    adaptive_decay_is_a_share_of_the_gradient,
    ada_decay_without_alpha_is_decoupled,
    ada_decay_of_equal_gradients_is_decoupled,
    ada_decay_of_any_steepness_leaves_the_mean_alone,
    selective_decay_takes_back_what_was_added,
    the_2_norm_is_proximal_l2,
    coupled_p_norms_of_1_and_2_are_l1_and_l2,
    a_weight_of_0_stays_0_under_a_p_norm_below_2,
    column_lasso_is_row_lasso_of_the_transposed,
    group_lasso_of_single_weights_is_the_soft_threshold,
    in_a_plain_metric_metric_l1_is_l1,
    huber_decay_ends_in_l2_and_in_l1,
);

const LENGTHS: [usize; 3] = [6, 11, 3];
const STEPS: u64 = 6;

/// All weights after a few steps under a falling learning rate.
fn weights<T: Element>(row: &Row, decay: Decay) -> Vec<T> {
    let setup = Setup { schedule: Ramp::falling().schedule, ..row.setup(decay) };
    trained(&mut *row.build::<T>(&setup), &LENGTHS, STEPS).into_iter().flat_map(|tensor| tensor.value).collect()
}

/// The largest difference, in units in the last place of 1.
fn ulps<T: Element>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.exact() - b.exact()).abs() / (T::EPS * a.exact().abs().max(1.0))).fold(0.0, f64::max)
}

/// What rounding alone may do in this many steps, and what it cannot.
const SAME: f64 = 30.0;
const OTHER: f64 = 1000.0;

fn in_plain_sgd_coupled_l2_is_decoupled<T: Element>() {
    for row in OPTIMIZERS {
        let [coupled, decoupled] = [Decay::coupled_l2(0.3), Decay::decoupled(0.3)].map(|decay| weights::<T>(row, decay));
        let difference = ulps(&coupled, &decoupled);
        let same = row.name == "sgd";
        assert!(if same { difference < SAME } else { difference > OTHER }, "{}: {difference} ulp", row.name);
    }
}

fn units_convert_into_each_other<T: Element>() {
    for row in OPTIMIZERS {
        for (penalty, place) in [
            (Penalty::L2, Place::Decoupled),
            (Penalty::L2, Place::Exact),
            (Penalty::L2, Place::Exponential),
            (Penalty::L2, Place::Proximal),
            (Penalty::L2, Place::Cautious),
            (Penalty::L1, Place::Decoupled),
            (cells::NET, Place::Decoupled),
            (cells::NET, Place::Proximal),
            (Penalty::L2, ADA),
            (Penalty::L1, Place::Metric),
            (cells::ROWS, Place::Decoupled),
            (cells::COLUMNS, Place::Decoupled),
            (cells::WHOLE, Place::Decoupled),
        ] {
            let run = |strength| weights::<T>(row, Decay::new(penalty, place, strength));
            let expected = run(Strength::LrScaled(0.4));
            let mut others = vec![Strength::Independent(0.4 * row.lr), Strength::Normalized { lambda: 1.2 * row.lr, steps: 9 }];
            if penalty == Penalty::L2 {
                others.push(Strength::Timescale(1.0 / (0.4 * row.lr)));
            }
            for strength in others {
                let difference = ulps(&run(strength), &expected);
                assert!(difference < SAME, "{} {penalty:?} {place:?} {strength:?}: {difference} ulp", row.name);
            }
            // Under a falling rate a fixed strength is another one, and so is a half-life.
            for strength in [Strength::Fixed(0.4 * row.lr), Strength::HalfLife(std::f64::consts::LN_2 / (0.4 * row.lr))] {
                if penalty == Penalty::L2 || matches!(strength, Strength::Fixed(_)) {
                    let difference = ulps(&run(strength), &expected);
                    assert!(difference > OTHER, "{} {penalty:?} {place:?} {strength:?}: {difference} ulp", row.name);
                }
            }
        }
        let halving = 1.0 - 0.5_f64.powf(1.0 / 30.0);
        let [fixed, half_life] = [Decay::fixed(halving), Decay::half_life(30.0)].map(|decay| weights::<T>(row, decay));
        assert!(ulps(&fixed, &half_life) < SAME, "{}", row.name);
    }
}

/// Whichever two units are swapped: the step fails, or its numbers show it. The proximal place takes all units and any share. (So does the
/// exponential one, but large shares are nearly 1 in all units there, which a trust ratio makes as long as each other.)
fn units_with_the_same_number_are_not_the_same<T: Element>() {
    for row in OPTIMIZERS {
        for (number, units) in [
            (0.3, &[Strength::LrScaled, Strength::Independent, Strength::Fixed][..]),
            (2.5, &[Strength::LrScaled, Strength::Independent, Strength::Fixed, Strength::Timescale, Strength::HalfLife]),
        ] {
            let places: &[_] = if number < 1.0 {
                &[Place::Decoupled, Place::Exact, Place::Exponential, Place::Proximal, Place::Cautious, ADA]
            } else {
                &[Place::Proximal]
            };
            for &place in places {
                let run = |unit: fn(f64) -> Strength| weights::<T>(row, Decay::new(Penalty::L2, place, unit(number)));
                let results: Vec<_> = units.iter().map(|&unit| run(unit)).collect();
                for (i, a) in results.iter().enumerate() {
                    for (j, b) in results.iter().enumerate().filter(|(j, _)| *j != i) {
                        let difference = ulps(a, b);
                        assert!(difference > OTHER, "{} {place:?}: units {i} and {j} differ by {difference} ulp", row.name);
                    }
                }
            }
        }
    }
}

/// Exactly, where the scale is a power of two. A coupled decay is on the scale of the gradients, and shows it.
fn without_epsilon_the_scale_of_gradients_is_not_seen<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| !matches!(row.huge, Huge::Moves | Huge::Overflows)) {
        for cell in cells::loops() {
            let run = |scale: f64| {
                let mut setup = row.setup(cell.decay());
                for (number, x) in row.numbers.iter().zip(&mut setup.numbers) {
                    *x = number.range.least().unwrap_or(*x);
                }
                let (mut opt, mut tensors) = (row.build::<T>(&setup), tensors::<T>(&LENGTHS));
                for k in 0..STEPS {
                    let scaled = |tensor: &Tensor<T>| tensor.gradient(k).into_iter().map(|g| g * T::near(scale)).collect();
                    step_on(&mut *opt, &mut tensors, 1.0, scaled);
                }
                let state = tensors.iter().flat_map(|tensor| opt.state(&tensor.name, "exp_avg").unwrap_or_default());
                let state: Vec<_> = state.map(|m| *m / T::near(scale)).collect();
                (tensors.iter().map(|tensor| patterns(&tensor.value)).collect::<Vec<_>>(), patterns(&state))
            };
            // Adaptive decay is coupled, and follows the scale.
            let coupled = cell.place == Place::Coupled && !cell.joins_parameters();
            // So is a threshold, which the metric divides.
            let sees = coupled || cell.place == Place::Metric && !row.has_plain_metric();
            assert_eq!(run(1.0) == run(1024.0), !sees, "{} with {}", row.name, cell.decay());
        }
    }
}

/// One step: (d − m)/(1 + s) − ((1 − s)d − m) = (s²d + s·m)/(1 + s), with m the displacement of the optimizer.
fn proximal_l2_is_decoupled_up_to_second_order<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for share in [0.3, 0.01, 1e-4] {
            let start = Tensor::<T>::new(0, 20);
            let after = |place, strength| {
                let mut opt = row.build::<T>(&row.setup(Decay::new(Penalty::L2, place, strength)));
                slice_after(&mut *opt, &start.value, &start.gradient(0), 1)
            };
            let free = after(Place::Decoupled, Strength::None);
            let [euler, proximal] = [Place::Decoupled, Place::Proximal].map(|place| after(place, Strength::Fixed(share)));
            for (i, x) in start.value.iter().enumerate() {
                let moved = x.exact() - free[i].exact();
                let expected = (share * share * x.exact() + share * moved) / (1.0 + share);
                let found = proximal[i].exact() - euler[i].exact();
                assert!(
                    agree(found, expected, 6.0 * T::EPS * (x.exact().abs() + moved.abs())),
                    "{}: {found} {expected}",
                    row.name
                );
            }
        }
    }
}

fn an_elastic_net_ends_in_its_parts<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.penalty == cells::NET) {
            for (ratio, penalty) in [(0.0, Penalty::L2), (1.0, Penalty::L1)] {
                let net = Cell { penalty: Penalty::ElasticNet { ratio }, ..cell.clone() };
                let part = Cell { penalty, ..cell.clone() };
                let [found, expected] = [&net, &part].map(|cell| patterns(&weights::<T>(row, cell.decay())));
                assert_eq!(found, expected, "{} with {} and {}", row.name, net.decay(), part.decay());
            }
        }
    }
}

/// Every lent anchor 0, as far as the equations go: −0 may become 0 on the way.
fn an_anchor_of_zero_is_none<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::plain().into_iter().filter(Cell::has_anchors) {
            let run = |decay| {
                let mut opt = row.build::<T>(&row.setup(decay));
                let mut tensors = tensors::<T>(&LENGTHS);
                tensors.iter_mut().for_each(|tensor| tensor.anchor.fill(T::zero()));
                (0..STEPS).for_each(|k| {
                    step_on(&mut *opt, &mut tensors, 1.0, |tensor| tensor.gradient(k));
                });
                tensors.into_iter().flat_map(|tensor| tensor.value).collect::<Vec<_>>()
            };
            let [found, expected] = [cell.towards(Anchor::Given), cell.clone()].map(|cell| run(cell.decay()));
            assert!(found == expected, "{} with {}", row.name, cell.decay());
        }
    }
}

/// A decay towards a is the decay of x − a: start from x − a without an anchor, and a stays between the two.
fn an_anchor_moves_the_origin<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        // A first norm is that of x, and no distance; a p-norm is steep near 0, and magnifies what rounding makes of x − a.
        let moves = |cell: &Cell| cell.has_anchors() && cell.penalty != cells::START_NORM;
        let moves = |cell: &Cell| moves(cell) && !matches!(cell.penalty, Penalty::PNorm { .. });
        for cell in cells::plain().into_iter().filter(moves) {
            let mut there = tensors::<T>(&LENGTHS);
            let mut here = there.clone();
            for (here, there) in here.iter_mut().zip(&mut there) {
                // Of few bits, so that x − a is exact.
                there.anchor.fill(T::near(0.25));
                here.value.iter_mut().for_each(|x| *x = T::near((x.exact() * 1024.0).round() / 1024.0));
                there.value.clone_from(&here.value);
                here.value.iter_mut().for_each(|x| *x = *x - T::near(0.25));
            }
            let mut opts = [cell.towards(Anchor::Given), cell.clone()].map(|cell| row.build::<T>(&row.setup(cell.decay())));
            for k in 0..STEPS {
                step_on(&mut *opts[0], &mut there, 1.0, |tensor| tensor.gradient(k));
                step_on(&mut *opts[1], &mut here, 1.0, |tensor| tensor.gradient(k));
            }
            let weights = |tensors: &[Tensor<T>]| tensors.iter().flat_map(|tensor| tensor.value.clone()).collect::<Vec<_>>();
            let moved: Vec<_> = weights(&there).into_iter().map(|x| x - T::near(0.25)).collect();
            let difference = ulps(&moved, &weights(&here));
            assert!(difference < SAME, "{} with {}: {difference} ulp", row.name, cell.decay());
        }
    }
}

fn cautious_decay_is_decoupled_where_the_update_agrees_and_none_where_not<T: Element>() {
    // A single row: Muon's direction is the gradient's.
    let start: Vec<T> = [1.5, -2.0, 1.1, -1.3, 0.7].map(T::near).into();
    for row in OPTIMIZERS {
        for strength in [Strength::LrScaled(0.7), Strength::Independent(0.03), Strength::HalfLife(25.0)] {
            for (sign, other) in [(0.1, Decay::new(Penalty::L2, Place::Decoupled, strength)), (-0.1, Decay::none())] {
                let grad: Vec<T> = start.iter().map(|x| T::near(sign) * *x).collect();
                let run = |decay| patterns(&slice_after(&mut *row.build::<T>(&row.setup(decay)), &start, &grad, STEPS));
                let cautious = run(Decay::new(Penalty::L2, Place::Cautious, strength));
                assert_eq!(cautious, run(other), "{} {strength:?}, gradient {sign} of the weight", row.name);
            }
        }
    }
}

/// |w| ≤ max(|w₀|, 1/λ) as long as η·λ ≤ 1, whatever the gradients do.
fn lion_stays_within_its_bound<T: Element>() {
    let row = optimizer("lion");
    let gradients: [fn(u64, usize) -> f64; 3] =
        [|_, i| if i.is_multiple_of(2) { -1.0 } else { 1.0 }, |k, i| noise([k, i as u64, 7, 7]), |k, _| (k as f64 / 40.0).sin()];
    for (lr, lambda) in [(0.05, 2.0), (0.5, 0.7), (0.9, 1.1)] {
        for place in [Place::Decoupled, Place::Proximal] {
            for gradient in gradients {
                let setup = Setup { lr, ..row.setup(Decay::new(Penalty::L2, place, Strength::LrScaled(lambda))) };
                let (mut opt, start) = (row.build::<T>(&setup), [0.0, 0.01, -1.0 / lambda, 5.0].map(T::near));
                let mut weights = start;
                for k in 0..300 {
                    let grad: [T; 4] = std::array::from_fn(|i| T::near(gradient(k, i)));
                    step_slice(&mut *opt, &mut weights, &grad).unwrap();
                    for (w, start) in weights.iter().zip(start) {
                        let bound = start.exact().abs().max(1.0 / lambda) * (1.0 + 8.0 * T::EPS);
                        assert!(w.exact().abs() <= bound, "{place:?} at rate {lr}, λ {lambda}: {w} in step {k} from {start}");
                    }
                }
            }
        }
    }
}

/// The first λ̄ is 0.9·λ·‖g‖/‖w‖, so that decay and gradient stand in that ratio whatever their scale.
fn adaptive_decay_is_a_share_of_the_gradient<T: Element>() {
    let row = optimizer("sgd");
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    for lambda in [0.022, 0.5] {
        let after =
            |decay| trained(&mut *row.build::<T>(&Setup { schedule: Schedule::constant(), ..row.setup(decay) }), &LENGTHS, 1);
        let (free, decayed) = (after(Decay::none()), after(Decay::adaptive(lambda)));
        let values = |tensors: &[Tensor<T>]| tensors.iter().flat_map(|t| t.value.clone()).map(T::exact).collect::<Vec<_>>();
        let difference: Vec<_> = values(&free).iter().zip(values(&decayed)).map(|(a, b)| a - b).collect();
        let gradient: Vec<_> = tensors::<T>(&LENGTHS).iter().flat_map(|t| t.gradient(0)).map(T::exact).collect();
        let ratio = norm(&difference) / (row.lr * norm(&gradient));
        assert!((ratio / (0.9 * lambda) - 1.0).abs() < 100.0 * T::EPS, "{ratio} for λ {lambda}");
    }
}

/// α = 0 makes θ = 1, whatever the gradients; 1 − s is rounded in another order.
fn ada_decay_without_alpha_is_decoupled<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.place == ADA) {
            let run = |place| weights::<T>(row, Cell { place, ..cell.clone() }.decay());
            let expected = run(Place::Decoupled);
            let [flat, steep] = [0.0, 4.0].map(|alpha| ulps(&run(Place::AdaDecay { alpha }), &expected));
            assert!(flat < SAME && steep > OTHER, "{} with {}: {flat} and {steep} ulp", row.name, cell.decay());
        }
    }
}

/// θ = 1 where all |g| are equal, also where their sum, and so their mean, is rounded.
fn ada_decay_of_equal_gradients_is_decoupled<T: Element>() {
    let row = optimizer("sgd");
    for n in [1, 3, 10, 100, 20_000] {
        let (start, grads): (Vec<_>, Vec<_>) = (0..n).map(|i| (T::one(), T::near([0.1, -0.1][i % 2]))).unzip();
        let [ada, decoupled] = [ADA, Place::Decoupled].map(|place| {
            let decay = Decay::new(Penalty::L2, place, Strength::Fixed(0.1));
            slice_after(&mut *row.build::<T>(&row.setup(decay)), &start, &grads, 1)
        });
        let difference = ulps(&ada, &decoupled);
        assert!(difference < SAME, "{n} weights: {difference} ulp");
    }
}

/// θ goes to a step at the mean, where it is 1, also where α/σ is no number of the weights' type.
fn ada_decay_of_any_steepness_leaves_the_mean_alone<T: Element>() {
    let row = optimizer("sgd");
    for (alpha, size) in [(0.5 * T::HUGE, 0.0625), (f64::MAX, 0.0625), (4.0, 4.0 * T::TINY)] {
        let decay = Decay::new(Penalty::L2, Place::AdaDecay { alpha }, Strength::Fixed(0.25));
        let setup = Setup { lr: T::TINY, ..row.setup(decay) };
        let grads = [1.0, 2.0, 3.0].map(|k| T::near(k * size));
        let found = slice_after(&mut *row.build::<T>(&setup), &[T::one(); 3], &grads, 1);
        assert!(found.iter().all(|w| w.is_finite()), "α = {alpha:e}, gradients from {size:e}: {found:?}");
        assert_eq!(found[1].exact(), 0.75, "α = {alpha:e}, gradients from {size:e}: {found:?}");
    }
}

/// λ = 1 ends at the distance that was there, from 1/‖d‖ and to sizes whose squares overflow; more than that at the anchor at the latest; where
/// the gradient leads away, nothing is taken.
fn selective_decay_takes_back_what_was_added<T: Element>() {
    let norm = |x: &[T]| x.iter().map(|x| (x.exact() / (1e-3 * T::HUGE)).powi(2)).sum::<f64>().sqrt();
    let row = optimizer("sgd");
    for size in [1e-3 * T::HUGE, 1e-6 * T::HUGE] {
        let near = |x: [f64; 3]| x.map(|x| T::near(size * x));
        let start = near([0.3, -0.4, 1.2]);
        let after = |lambda: f64, g: [f64; 3]| {
            let setup = Setup { lr: 1.0, ..row.setup(Decay::selective(lambda)) };
            slice_after(&mut *row.build::<T>(&setup), &start, &near(g), 1)
        };
        // ⟨g, d⟩ > 0, and y = (−2.7, −0.4, 1.2) is longer than d.
        let away = near([-2.7, -0.4, 1.2]);
        let all = after(1.0, [3.0, 0.0, 0.0]);
        assert!((norm(&all) / norm(&start) - 1.0).abs() < 4.0 * T::EPS, "{all:?}");
        let (half, r) = (after(0.5, [3.0, 0.0, 0.0]), 1.0 - norm(&start) / norm(&away));
        for (found, y) in half.iter().zip(&away) {
            assert!((found.exact() / (y.exact() * (1.0 - 0.5 * r)) - 1.0).abs() < 4.0 * T::EPS, "{half:?}");
        }
        assert!(after(10.0, [3.0, 0.0, 0.0]).iter().all(|x| *x == T::zero()));
        // The gradient leads away: −g has the way of d.
        assert_eq!(
            after(1.0, [-3.0, 0.0, 0.0]),
            slice_after(&mut *row.build::<T>(&Setup { lr: 1.0, ..row.setup(Decay::none()) }), &start, &near([-3.0, 0.0, 0.0]), 1)
        );
    }
}

/// |d|⁰ = 1, at 0 too.
fn the_2_norm_is_proximal_l2<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.penalty == cells::POWER && cell.place == Place::Proximal) {
            let run = |penalty| weights::<T>(row, Cell { penalty, ..cell.clone() }.decay());
            let expected = run(Penalty::L2);
            let [two, other] = [Penalty::PNorm { p: 2.0 }, cells::POWER].map(|penalty| ulps(&run(penalty), &expected));
            assert!(two < SAME && other > OTHER, "{} with {}: {two} and {other} ulp", row.name, cell.decay());
        }
    }
}

/// |d|⁰·sign(d), and |d|·sign(d).
fn coupled_p_norms_of_1_and_2_are_l1_and_l2<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.penalty == cells::POWER && cell.place == Place::Coupled) {
            let run = |penalty| weights::<T>(row, Cell { penalty, ..cell.clone() }.decay());
            for (p, penalty) in [(1.0, Penalty::L1), (2.0, Penalty::L2)] {
                let (same, other) = (run(Penalty::PNorm { p }) == run(penalty), run(cells::POWER) != run(penalty));
                // Lion takes the sign of what joins the gradient.
                assert!(same && (other || row.name == "lion"), "{} with {} and {p}", row.name, cell.decay());
            }
        }
    }
}

/// Whatever the gradient, and at a trust ratio of 0; where the norm is coupled, or its p is 2, it moves.
fn a_weight_of_0_stays_0_under_a_p_norm_below_2<T: Element>() {
    let after = |row: &Row, penalty, place| {
        let decay = Decay::new(penalty, place, Strength::LrScaled(0.1));
        // The second weight is small enough for an infinite power.
        let start = [T::zero(), T::min_positive_value() * T::epsilon(), T::near(0.5)];
        slice_after(&mut *row.build::<T>(&row.setup(decay)), &start, &[T::near(0.3), T::zero(), T::near(0.1)], STEPS)
    };
    for row in OPTIMIZERS {
        for penalty in [cells::ROOT, cells::POWER, Penalty::PNorm { p: 1e-9 }] {
            let found = after(row, penalty, Place::Decoupled);
            assert!(found[0] == T::zero() && found[2].is_finite(), "{} {penalty:?}: {found:?}", row.name);
        }
        assert!(after(row, cells::POWER, Place::Coupled)[0] != T::zero(), "{}", row.name);
        assert!(after(row, Penalty::PNorm { p: 2.0 }, Place::Decoupled)[0] != T::zero(), "{}", row.name);
    }
    let decay = Decay::p_norm(0.1, 0.5);
    let mut opt = T::build(&wane::Lamb::new(0.1).trust_ratio(wane::TrustRatio::clamped(0.0, 0.0)).weight_decay(decay)).unwrap();
    let found = slice_after(&mut *opt, &[T::zero(), T::one()], &[T::one(), T::one()], 3);
    assert!(found == [T::zero(), T::one()], "{found:?}");
}

/// Matrices and kernels that fill more than a tile, whose columns begin anywhere in it; the whole is one row.
fn column_lasso_is_row_lasso_of_the_transposed<T: Element>() {
    let row = optimizer("sgd");
    for [rows, columns, inner] in [[3, 350, 1], [350, 3, 1], [3, 5, 70], [41, 3, 9], [1, 1, 3]] {
        // Where weight i of the transposed stands.
        let from = |i: usize| (i / inner % rows * columns + i / inner / rows) * inner + i % inner;
        let turned = |x: &[T]| (0..x.len()).map(|i| x[from(i)]).collect::<Vec<_>>();
        let start = Tensor::<T>::new(0, rows * columns * inner);
        let run = |decay: Decay, shape: &[usize], turn: &dyn Fn(&[T]) -> Vec<T>| {
            let (mut opt, mut weights) = (row.build::<T>(&row.setup(decay)), turn(&start.value));
            for k in 0..STEPS {
                let grad = turn(&start.gradient(k));
                opt.step(&mut [wane::Param::new("w", &mut weights, &grad).shape(shape)]).unwrap();
            }
            weights
        };
        let found = turned(&run(Decay::column_lasso(0.4), &[rows, columns, inner], &|x| x.to_vec()));
        let expected = run(Decay::group_lasso(0.4), &[columns, rows, inner], &turned);
        let free = run(Decay::none(), &[columns, rows, inner], &turned);
        assert!(ulps(&found, &expected) < SAME && ulps(&found, &free) > OTHER, "{rows} × {columns} × {inner}");
        let whole = run(Decay::tensor_lasso(0.4), &[start.value.len()], &|x| x.to_vec());
        let one_row = run(Decay::group_lasso(0.4), &[1, start.value.len()], &|x| x.to_vec());
        assert!(whole == one_row, "{rows} × {columns} × {inner}");
    }
}

/// Rows of one weight: a tensor of one axis.
fn group_lasso_of_single_weights_is_the_soft_threshold<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.penalty == cells::ROWS) {
            let run = |penalty, shape: &dyn Fn(usize) -> Vec<usize>| {
                let decay = Cell { penalty, ..cell.clone() }.decay();
                let (mut opt, mut tensors) = (row.build::<T>(&row.setup(decay)), tensors::<T>(&LENGTHS));
                for k in 0..STEPS {
                    let step = |tensor: &mut Tensor<T>| {
                        let (grad, shape) = (tensor.gradient(k), shape(tensor.value.len()));
                        opt.step(&mut [tensor.param(Some(&grad)).shape(&shape)]).unwrap();
                    };
                    tensors.iter_mut().for_each(step);
                }
                tensors.into_iter().flat_map(|tensor| tensor.value).collect::<Vec<_>>()
            };
            let shapes: [fn(usize) -> Vec<usize>; 2] = [|n| vec![n, 1], |n| vec![n]];
            for shape in &shapes[..if row.reach == Reach::Matrix { 1 } else { 2 }] {
                let difference = ulps(&run(cells::ROWS, shape), &run(Penalty::L1, shape));
                assert!(difference < SAME, "{} with {}: {difference} ulp in {:?}", row.name, cell.decay(), shape(3));
            }
            // What stays within a threshold of its anchor is 0 either way.
            if cell.anchor == Anchor::Origin {
                let [rows, weights] = [cells::ROWS, Penalty::L1].map(|penalty| run(penalty, &|n| vec![1, n]));
                let difference = ulps(&rows, &weights);
                assert!(difference > OTHER, "{} with {}: {difference} ulp in one row", row.name, cell.decay());
            }
        }
    }
}

/// The metric of SGD and Lion is 1; the others' is not.
fn in_a_plain_metric_metric_l1_is_l1<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| cell.place == Place::Metric) {
            let run = |place| weights::<T>(row, Cell { place, ..cell.clone() }.decay());
            let difference = ulps(&run(Place::Metric), &run(Place::Decoupled));
            let plain = row.has_plain_metric();
            let name = || format!("{} with {}: {difference} ulp", row.name, cell.decay());
            // What stays within a threshold of where it starts is there either way.
            let other = difference > OTHER || cell.anchor == Anchor::Start;
            assert!(if plain { difference < SAME } else { other }, "{}", name());
        }
    }
}

/// Where no weight is as large as δ it is L2, and where all are larger, L1 of λδ.
fn huber_decay_ends_in_l2_and_in_l1<T: Element>() {
    let (wide, narrow) = (2.0_f64.powi(30), 2.0_f64.powi(-60));
    for row in OPTIMIZERS {
        for (place, strength) in [
            (Place::Coupled, Strength::LrScaled as fn(f64) -> Strength),
            (Place::Proximal, Strength::LrScaled),
            (Place::Proximal, Strength::Fixed),
        ] {
            let run = |penalty, number| weights::<T>(row, Decay::new(penalty, place, strength(number)));
            for (delta, other, number) in [(wide, Penalty::L2, 0.3), (narrow, Penalty::L1, 0.3 / narrow)] {
                let difference = ulps(&run(Penalty::Huber { delta }, number), &run(other, 0.3));
                assert!(difference < SAME, "{} {place:?} with δ = {delta}: {difference} ulp", row.name);
            }
            let difference = ulps(&run(cells::HUBER, 0.3), &run(Penalty::L2, 0.3));
            assert!(difference > OTHER, "{} {place:?}: {difference} ulp", row.name);
        }
    }
}
