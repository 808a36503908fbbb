//! Masks: what is under one is as without decay, and nothing else is changed by it.

use wane::{Decay, Level, Optimizer, Param, Pool, Untouched};

use crate::common::cells::{self, AVERAGE, Cell, Ramp};
use crate::common::data::{Tensor, matrix, noise, patterns, step, tensors};
use crate::common::{Element, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    what_is_masked_is_undecayed_and_the_rest_decays,
    a_mask_is_cut_with_its_parameter,
    a_mask_of_nothing_changes_no_bit_and_one_of_everything_leaves_no_decay,
    a_mask_of_rows_is_one_of_their_weights,
    the_running_average_rests_under_a_mask,
    a_row_is_a_slice_along_the_first_axis,
);

const LENGTHS: [usize; 2] = [6, 11];
const STEPS: u64 = 4;

/// A flag for each weight of so many, or for each row.
type Flags<'f> = &'f dyn Fn(usize) -> Vec<bool>;

const NONE: Flags<'static> = &|n| vec![false; n];
const ALL: Flags<'static> = &|n| vec![true; n];
const SOME: Flags<'static> = &|n| (0..n as u64).map(|i| noise([i, 5, 5, 5]) > 0.2).collect();

/// The tensors after steps under a mask.
fn masked<T: Element>(row: &Row, setup: &Setup, lengths: &[usize], steps: u64, flags: Flags<'_>) -> Vec<Tensor<T>> {
    let (mut opt, mut tensors) = (row.build::<T>(setup), tensors::<T>(lengths));
    for k in 0..steps {
        let given: Vec<_> = tensors.iter().map(|tensor| (tensor.gradient(k), flags(tensor.value.len()))).collect();
        let both = tensors.iter_mut().zip(&given);
        let mut params: Vec<_> = both.map(|(tensor, (grad, flags))| tensor.param(Some(grad)).undecayed(flags)).collect();
        opt.step(&mut params).unwrap_or_else(|error| panic!("{} with {}: {error}", row.name, setup.decay));
    }
    tensors
}

fn bits<T: Element>(tensors: &[Tensor<T>]) -> Vec<u64> {
    tensors.iter().flat_map(|tensor| patterns(&tensor.value)).collect()
}

/// The row's settings, under a learning rate that moves.
fn setup(row: &Row, decay: Decay) -> Setup {
    Setup { schedule: Ramp::falling().schedule, ..row.setup(decay) }
}

/// Each weight of a masked run is that of a run without decay, or of one without a mask. A decay that looks at other weights sees
/// those under the mask, so that later steps differ.
fn judge<T: Element>(row: &Row, cell: &Cell, on: &dyn Fn(Decay) -> Setup, lengths: &[usize]) {
    let steps = if cell.joins_weights() { 1 } else { STEPS };
    let run = |decay, flags| bits(&masked::<T>(row, &on(decay), lengths, steps, flags));
    let (found, free, decayed) = (run(cell.decay(), SOME), run(Decay::none(), NONE), run(cell.decay(), NONE));
    let under = lengths.iter().flat_map(|&n| SOME(n));
    let expected: Vec<_> =
        under.zip(free.iter().zip(&decayed)).map(|(under, (free, own))| if under { *free } else { *own }).collect();
    assert!(found == expected, "{} with {}", row.name, cell.decay());
}

fn what_is_masked_is_undecayed_and_the_rest_decays<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        for cell in cells::all() {
            judge::<T>(row, &cell, &|decay| setup(row, decay), &LENGTHS);
        }
    }
}

/// Into tiles, and among threads.
fn a_mask_is_cut_with_its_parameter<T: Element>() {
    let pool = Pool::new(4).unwrap();
    let [baseline, best] = [Level::baseline(), Level::best()];
    for row in ["sgd momentum", "adagrad", "nadam"].map(optimizer) {
        for cell in cells::loops() {
            for (most, level) in [(1, baseline), (1, best), (4, best)] {
                let on = |decay| Setup { threads: Some((most, pool.clone())), level, flushed: most > 1, ..setup(row, decay) };
                judge::<T>(row, &cell, &on, &[40_008, 1030]);
            }
        }
    }
}

fn a_mask_of_nothing_changes_no_bit_and_one_of_everything_leaves_no_decay<T: Element>() {
    for row in OPTIMIZERS {
        let run = |decay: Decay, flags| bits(&masked::<T>(row, &setup(row, decay), &LENGTHS, STEPS, flags));
        let unmasked = |decay| {
            let (mut opt, mut tensors) = (row.build::<T>(&setup(row, decay)), tensors::<T>(&LENGTHS));
            (0..STEPS).for_each(|k| {
                step(&mut *opt, &mut tensors, k);
            });
            bits(&tensors)
        };
        let free = unmasked(Decay::none());
        for cell in cells::all() {
            assert!(run(cell.decay(), NONE) == unmasked(cell.decay()), "{} with {}, nothing masked", row.name, cell.decay());
            assert!(run(cell.decay(), ALL) == free, "{} with {}, all masked", row.name, cell.decay());
        }
    }
}

fn a_mask_of_rows_is_one_of_their_weights<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::loops() {
            let run = |flags| bits(&masked::<T>(row, &setup(row, cell.decay()), &[6, 1030], 2, flags));
            let of_rows: Flags<'_> = &|n| (0..matrix(n)[0]).map(|r| r % 3 == 0).collect();
            let of_weights: Flags<'_> = &|n| (0..n).map(|i| (i / matrix(n)[1]).is_multiple_of(3)).collect();
            assert!(run(of_rows) == run(of_weights), "{} with {}", row.name, cell.decay());
        }
    }
}

/// It stays at the first weights.
fn the_running_average_rests_under_a_mask<T: Element>() {
    for row in OPTIMIZERS {
        let mut opt = row.build::<T>(&row.setup(Decay::decoupled(0.7).towards(AVERAGE)));
        let (mut tensor, flags) = (Tensor::<T>::new(0, 11), SOME(11));
        let start = tensor.value.clone();
        for k in 0..STEPS {
            let grad = tensor.gradient(k);
            opt.step(&mut [tensor.param(Some(&grad)).undecayed(&flags)]).unwrap();
        }
        let average: &[T] = opt.state(&tensor.name, "running_average").unwrap();
        for ((average, start), under) in average.iter().zip(&start).zip(flags) {
            assert_eq!(average == start, under, "{}: {average} from {start}", row.name);
        }
    }
}

/// Of three axes, under a mask and where the gradient has not touched it.
fn a_row_is_a_slice_along_the_first_axis<T: Element>() {
    let grad: Vec<_> = (0..24).map(|i| if i == 23 { T::near(1e-6) } else { T::zero() }).collect();
    for (untouched, mask) in [(Untouched::Decay, [true, false]), (Untouched::Stay, [false, false])] {
        let decay = Decay::fixed(0.1).untouched(untouched);
        let (mut opt, mut w) = (optimizer("sgd").build::<T>(&optimizer("sgd").setup(decay)), vec![T::one(); 24]);
        opt.step(&mut [Param::new("w", &mut w, &grad).shape(&[2, 3, 4]).undecayed(&mask)]).unwrap();
        assert!(w[..12].iter().all(|w| *w == T::one()) && w[12..].iter().all(|w| *w < T::near(0.95)), "{untouched:?}: {w:?}");
    }
}
