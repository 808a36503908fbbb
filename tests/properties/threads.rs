//! The work of a step shared among threads changes no bit: whatever their number, the CPU level, the order of the parameters, and where the
//! work is cut.
//!
//! A step is cut into pieces only from some 20,000 weights on, and threads are woken only for work of 300 µs and more. So there are lists
//! for the cuts, with one large tensor among many small ones, and one that is long enough for threads: of f64 with a column of state or more,
//! and in release builds of nearly all.

use wane::{Clip, Level, Pool};

use crate::common::cells::{self, Cell, Ramp};
use crate::common::data::{Bits, Tensor, bits, tensors};
use crate::common::{Element, OPTIMIZERS, Row, Setup, for_f32_and_f64};

for_f32_and_f64!(cuts_change_no_bit, threads_change_no_bit);

const STEPS: usize = 2;

/// A list of parameters with their gradients, and what becomes of it.
struct Load<T> {
    tensors: Vec<Tensor<T>>,
    grads: Vec<Vec<Vec<T>>>,
}

/// Weights, state and counts, and what each step reports.
type Outcome = (Bits, Vec<String>);

impl<T: Element> Load<T> {
    fn new(lengths: &[usize]) -> Self {
        let tensors = tensors::<T>(lengths);
        let grads = tensors.iter().map(|tensor| (0..STEPS as u64).map(|k| tensor.gradient(k)).collect()).collect();
        Self { tensors, grads }
    }

    /// One tensor that is cut, in the midst of tensors of 0 to 120 weights, and one that is as long as a piece. Neither is whole tiles, and
    /// no row is.
    fn mixed(large: usize) -> Self {
        let small = |n: usize| (0..n).map(|i| i * 37 % 121);
        Self::new(&small(40).chain([large, 9_000]).chain(small(60)).collect::<Vec<_>>())
    }

    /// Steps in this order of the parameters. One is frozen, one has no gradient.
    fn outcome(&self, row: &Row, setup: &Setup, order: Order) -> Outcome {
        let (mut opt, mut tensors) = (row.build::<T>(setup), self.tensors.clone());
        let mut reports = vec![];
        for k in 0..STEPS {
            let mut places: Vec<_> = (0..tensors.len()).collect();
            order(&mut places);
            let mut given: Vec<_> = tensors.iter_mut().zip(&self.grads).map(Some).collect();
            let param = |i: usize| {
                let (tensor, grads) = given[i].take().expect("each parameter once");
                let seed = tensor.seed;
                tensor.param((seed != 7).then(|| &grads[k][..])).frozen(seed == 11)
            };
            let mut params: Vec<_> = places.into_iter().map(param).collect();
            let report = opt.step_scaled(&mut params, 0.5).unwrap_or_else(|error| panic!("{}: {error}", row.name));
            let [norm, clip] = [report.grad_norm().unwrap(), report.clip_factor()].map(f64::to_bits);
            reports.push(format!("{report:?}, norm {norm:x}, clip factor {clip:x}"));
        }
        (bits(row, &*opt, &tensors), reports)
    }

    /// All of these threads, with each level and order in turn, against one thread on the baseline.
    fn judge(&self, row: &Row, cell: &Cell, threads: &[usize], pool: &Pool, first: usize) {
        let usual = Setup { clip: Clip::GlobalNorm(0.7), schedule: Ramp::falling().schedule, ..row.setup(cell.decay()) };
        let on = |most: usize, level| Setup { threads: Some((most, pool.clone())), level, ..usual.clone() };
        let expected = self.outcome(row, &on(1, Level::baseline()), &|_| {});
        let levels: Vec<_> = Level::all().collect();
        for (i, &most) in (first..).zip(threads) {
            let level = levels[i % levels.len()];
            let found = self.outcome(row, &on(most, level), ORDERS[i / levels.len() % ORDERS.len()]);
            assert!(found == expected, "{} with {}, {most} threads on {level}, {:?}", row.name, cell.decay(), found.1);
        }
    }
}

/// What it makes of the places of the parameters.
type Order = &'static dyn Fn(&mut [usize]);

/// As they are, from the end, and with the large tensor first.
const ORDERS: [Order; 3] = [&|_| {}, &|places| places.reverse(), &|places| places.rotate_left(40)];

/// Every pair of a rule and a law; without optimisation each rule with some. Muon's products of such matrices would take minutes on the
/// baseline: threads and levels of smaller ones are in `contract/matrices.rs`.
fn pairs() -> impl Iterator<Item = (usize, &'static Row, Cell)> {
    let rows = OPTIMIZERS.iter().filter(|row| !row.name.starts_with("muon"));
    let all = rows.flat_map(|row| cells::loops().into_iter().map(move |cell| (row, cell)));
    let step = if cfg!(debug_assertions) { 17 } else { 1 };
    all.step_by(step).enumerate().map(|(i, (row, cell))| (i, row, cell))
}

fn cuts_change_no_bit<T: Element>() {
    let pool = Pool::new(8).unwrap();
    let loads: &[usize] = if cfg!(debug_assertions) { &[40_008] } else { &[40_008, 131_070] };
    // Some of 2 to 8 in turn.
    let threads = |i: usize| [0, 3, 5].map(|more| 2 + (i + more) % 7);
    for load in loads.iter().map(|&large| Load::<T>::mixed(large)) {
        pairs().for_each(|(i, row, cell)| load.judge(row, &cell, &threads(i), &pool, i));
    }
}

/// Long enough that workers are woken, more of them than most machines have cores.
fn threads_change_no_bit<T: Element>() {
    let pool = Pool::new(8).unwrap();
    let (large, step) = if cfg!(debug_assertions) { (1_000_006, 14) } else { (3_000_006, 13) };
    let load = Load::<T>::mixed(large);
    for (i, row, cell) in pairs().step_by(step) {
        load.judge(row, &cell, &[2, 8][..if cfg!(debug_assertions) { 1 } else { 2 }], &pool, i);
    }
}
