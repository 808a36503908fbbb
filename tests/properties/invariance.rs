//! What changes no bit: a decay without strength, the order and the cut of parameters, the CPU level, a copy, another optimizer beside.

use wane::{Anchor, Clip, Decay, Level, Penalty, Place, Strength};

use crate::common::cells::{self, Cell, Ramp};
use crate::common::data::{Bits, Tensor, bits, patterns, step, step_on, tensors, trained};
use crate::common::{Element, Goal, Huge, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    a_decay_without_strength_changes_no_bit,
    the_order_of_parameters_changes_no_bit,
    cutting_a_parameter_changes_no_bit,
    every_level_gives_the_same_bits,
    every_level_gives_the_same_bits_around_the_chunk_of_the_norms,
    a_copy_continues_as_the_original_does,
    a_parameter_that_joins_late_counts_its_own_updates,
    two_optimizers_do_what_one_does,
    climbing_is_descending_on_the_opposite_gradient,
    a_gradient_factor_is_a_factor_on_the_gradients,
    a_reset_optimizer_is_a_new_one,
);

const LENGTHS: [usize; 4] = [5, 17, 1, 9];
const STEPS: u64 = 4;

/// Weights, state and counts after a few steps.
fn outcome<T: Element>(row: &Row, setup: &Setup) -> Bits {
    let mut opt = row.build::<T>(setup);
    let tensors = trained(&mut *opt, &LENGTHS, STEPS);
    bits(row, &*opt, &tensors)
}

/// The row's settings, under a learning rate that moves.
fn setup(row: &Row, cell: &Cell) -> Setup {
    Setup { schedule: Ramp::falling().schedule, ..row.setup(cell.decay()) }
}

fn label(row: &Row, cell: &Cell) -> String {
    format!("{} with {}", row.name, cell.decay())
}

fn a_decay_without_strength_changes_no_bit<T: Element>() {
    for row in OPTIMIZERS {
        let undecayed = Cell::new(Penalty::L2, Place::Decoupled, Strength::None);
        let expected = outcome::<T>(row, &setup(row, &undecayed));
        for cell in cells::all() {
            for nothing in cell.weightless().into_iter().chain([cell.scheduled(Ramp::nothing())]) {
                assert_eq!(outcome::<T>(row, &setup(row, &nothing)), expected, "{}", label(row, &nothing));
            }
        }
    }
}

/// Weights, state and counts after a few steps, and the norms reported, with the parameters given in the order of `turn`s.
fn reported<T: Element>(row: &Row, setup: &Setup, lengths: &[usize], turn: usize) -> (Bits, Vec<Option<u64>>) {
    let (mut opt, mut tensors) = (row.build::<T>(setup), tensors::<T>(lengths));
    let norms = (0..2).map(|k| {
        tensors.rotate_left(turn);
        tensors.swap(0, 2 * turn);
        step(&mut *opt, &mut tensors, k).grad_norm().map(f64::to_bits)
    });
    let norms = norms.collect();
    (bits(row, &*opt, &tensors), norms)
}

fn the_order_of_parameters_changes_no_bit<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            for clip in [Clip::GlobalNorm(0.7), Clip::OptaxGlobalNorm(0.7)] {
                let setup = Setup { clip, ..setup(row, &cell) };
                let [found, expected] = [1, 0].map(|turn| reported::<T>(row, &setup, &LENGTHS, turn));
                assert_eq!(found, expected, "{} {clip:?}", label(row, &cell));
            }
        }
    }
}

fn cutting_a_parameter_changes_no_bit<T: Element>() {
    const LEN: usize = 37;
    const PARTS: [std::ops::Range<usize>; 4] = [0..1, 1..1, 1..14, 14..LEN];
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        // The fan-in is that of the whole.
        for cell in cells::all().into_iter().filter(|cell| !cell.joins_weights() && cell.penalty != cells::FAN_BOX) {
            let setup = setup(row, &cell);
            let mut whole = [Tensor::<T>::new(0, LEN)];
            let mut parts = PARTS.map(|part| Tensor {
                name: format!("{part:?}"),
                value: whole[0].value[part.clone()].to_vec(),
                anchor: whole[0].anchor[part].to_vec(),
                seed: 0,
            });
            let mut opts = [row.build::<T>(&setup), row.build::<T>(&setup)];
            for k in 0..STEPS {
                let grad = whole[0].gradient(k);
                step_on(&mut *opts[0], &mut whole, 1.0, |_| grad.clone());
                step_on(&mut *opts[1], &mut parts, 1.0, |part| {
                    let range = PARTS.into_iter().find(|range| format!("{range:?}") == part.name);
                    grad[range.unwrap()].to_vec()
                });
            }
            let joined: Vec<_> = parts.iter().flat_map(|part| patterns(&part.value)).collect();
            assert_eq!(joined, patterns(&whole[0].value), "{}", label(row, &cell));
        }
    }
}

/// The same bits at every level.
fn compare_levels<T: Element>(row: &Row, setup: &Setup, lengths: &[usize]) {
    let at = |level: Level| reported::<T>(row, &Setup { level, ..setup.clone() }, lengths, 0);
    let expected = at(Level::baseline());
    for level in Level::all().skip(1) {
        assert!(at(level) == expected, "{} with {} on {level} differs from the baseline", row.name, setup.decay);
    }
}

fn every_level_gives_the_same_bits<T: Element>() {
    let lengths: Vec<_> = (0..=67).collect();
    for row in OPTIMIZERS {
        for cell in cells::loops() {
            compare_levels::<T>(row, &setup(row, &cell), &lengths);
        }
        for clip in [Clip::Value(0.3), Clip::GlobalNorm(0.7)] {
            compare_levels::<T>(row, &Setup { clip, ..row.setup(Decay::cautious(0.3)) }, &lengths);
        }
    }
}

fn every_level_gives_the_same_bits_around_the_chunk_of_the_norms<T: Element>() {
    for row in ["sgd", "lamb"].map(optimizer) {
        for decay in [Decay::adaptive(0.1), Decay::adaptive(0.1).towards(Anchor::Given)] {
            let setup = Setup { clip: Clip::GlobalNorm(0.7), ..row.setup(decay) };
            compare_levels::<T>(row, &setup, &[16383, 16384, 16385]);
        }
    }
}

fn a_copy_continues_as_the_original_does<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            let mut original = row.build::<T>(&setup(row, &cell));
            let mut trained = trained(&mut *original, &LENGTHS, 2);
            let (mut copy, mut weights) = (original.clone(), trained.clone());
            for k in 2..STEPS {
                step(&mut *copy, &mut weights, k);
            }
            let untouched = original.steps_of(&trained[0].name);
            assert_eq!(untouched, Some(2), "{}: a copy shares nothing", label(row, &cell));
            for k in 2..STEPS {
                step(&mut *original, &mut trained, k);
            }
            let expected = outcome::<T>(row, &setup(row, &cell));
            assert_eq!(bits(row, &*copy, &weights), expected, "the copy of {}", label(row, &cell));
            assert_eq!(bits(row, &*original, &trained), expected, "the original of {}", label(row, &cell));
        }
    }
}

/// Under constant schedules it goes the way that it would go in an optimizer of its own.
fn a_parameter_that_joins_late_counts_its_own_updates<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| !cell.joins_parameters() && !cell.is_scheduled()) {
            let setup = row.setup(cell.decay());
            let mut opts = [row.build::<T>(&setup), row.build::<T>(&setup)];
            let mut late = tensors::<T>(&LENGTHS);
            let mut alone = late[1..2].to_vec();
            for k in 0..STEPS {
                let first = if k < 2 { 2 } else { 1 };
                step(&mut *opts[0], &mut late[first..], k);
            }
            for k in 2..STEPS {
                step(&mut *opts[1], &mut alone, k);
            }
            assert_eq!([1, 2].map(|i| opts[0].steps_of(&late[i].name)), [Some(STEPS - 2), Some(STEPS)]);
            assert_eq!(bits(row, &*opts[0], &late[1..2]), bits(row, &*opts[1], &alone), "{}", label(row, &cell));
        }
    }
}

fn two_optimizers_do_what_one_does<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all().into_iter().filter(|cell| !cell.joins_parameters()) {
            let setup = setup(row, &cell);
            let (mut opts, mut tensors) = ([row.build::<T>(&setup), row.build::<T>(&setup)], tensors::<T>(&LENGTHS));
            let (left, right) = tensors.split_at_mut(1);
            for k in 0..STEPS {
                step(&mut *opts[0], left, k);
                step(&mut *opts[1], right, k);
            }
            let mut found = bits(row, &*opts[0], left);
            found.extend(bits(row, &*opts[1], right));
            assert_eq!(found, outcome::<T>(row, &setup), "{}", label(row, &cell));
        }
    }
}

/// Steps on gradients multiplied by `sign_and_size`, with a gradient factor.
fn on_multiples<T: Element>(row: &Row, setup: &Setup, sign_and_size: f64, factor: f64) -> Bits {
    let (mut opt, mut tensors) = (row.build::<T>(setup), tensors::<T>(&LENGTHS));
    for k in 0..STEPS {
        step_on(&mut *opt, &mut tensors, factor, |tensor| {
            tensor.gradient(k).into_iter().map(|g| g * T::near(sign_and_size)).collect()
        });
    }
    bits(row, &*opt, &tensors)
}

fn climbing_is_descending_on_the_opposite_gradient<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            let climbing = Setup { goal: Goal::Climb, ..setup(row, &cell) };
            let found = on_multiples::<T>(row, &climbing, -1.0, 1.0);
            assert_eq!(found, outcome::<T>(row, &setup(row, &cell)), "{}", label(row, &cell));
        }
    }
}

/// Exactly, where the factor is a power of two; norms are taken of what is left.
fn a_gradient_factor_is_a_factor_on_the_gradients<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            let setup = Setup { clip: Clip::GlobalNorm(0.7), ..setup(row, &cell) };
            assert_eq!(on_multiples::<T>(row, &setup, 1024.0, 1.0 / 1024.0), outcome::<T>(row, &setup), "{}", label(row, &cell));
        }
    }
}

fn a_reset_optimizer_is_a_new_one<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            let mut opt = row.build::<T>(&setup(row, &cell));
            trained(&mut *opt, &[3, 17], 3);
            opt.set_learning_rate(1.5 * row.lr).unwrap();
            opt.reset();
            let tensors = trained(&mut *opt, &LENGTHS, STEPS);
            assert_eq!(bits(row, &*opt, &tensors), outcome::<T>(row, &setup(row, &cell)), "{}", label(row, &cell));
        }
    }
}

/// The properties above compare runs with each other; this one sees that a run does anything.
#[test]
fn every_row_moves_every_weight_and_every_decay_shows() {
    for row in OPTIMIZERS {
        let start = tensors::<f64>(&LENGTHS);
        let weights = |decay, steps| trained(&mut *row.build::<f64>(&row.setup(decay)), &LENGTHS, steps);
        // Three steps: an even number of signs may add up to nothing.
        let free = weights(Decay::none(), 3);
        for (before, after) in start.iter().zip(&free) {
            assert!(before.value.iter().zip(&after.value).all(|(a, b)| a != b), "{}", row.name);
        }
        for cell in cells::all().into_iter().filter(|cell| cell.strength != Strength::None) {
            // A decay in the gradient is no news to who looks at signs.
            if row.huge == Huge::Sign && cell.place == Place::Coupled {
                continue;
            }
            // In a few steps the update may not lead away while the gradient leads back.
            let steps = if cell.place == Place::Selective { 15 } else { 3 };
            let (decayed, free) = (weights(cell.decay(), steps), weights(Decay::none(), steps));
            assert!(decayed.iter().zip(&free).any(|(a, b)| a.value != b.value), "{}", label(row, &cell));
        }
    }
}
