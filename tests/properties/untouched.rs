//! Rows that a gradient does not touch: they decay, stay, or catch up.

use wane::state::Loading;
use wane::{Anchor, Decay, Optimizer, Param, Place, Untouched};

use crate::common::cells::{self, Cell, Ramp};
use crate::common::data::{Tensor, agree, exact, noise, patterns};
use crate::common::{Element, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    catching_up_and_paying_is_decaying_at_every_step,
    rows_that_stay_have_the_bits_of_a_mask,
    rows_are_as_without_decay_until_they_are_touched,
    what_is_owed_is_the_sum_of_logarithms,
    small_shares_are_owed_in_full,
    a_schedule_at_0_stops_no_payment,
    what_is_owed_goes_with_its_row,
    capturing_anchors_crosses_nothing_off,
    what_pays_nothing_stays,
);

const ROWS: usize = 12;
const WIDTH: usize = 50;
const SHAPE: [usize; 2] = [ROWS, WIDTH];
const STEPS: u64 = 9;

/// Row 0 is never touched, row 1 always, others in some steps.
fn is_touched(row: usize, k: u64) -> bool {
    row == 1 || row > 0 && noise([row as u64, k, 3, 9]) > 0.4
}

/// The gradient of a step: in untouched rows zeros of both signs.
fn sparse<T: Element>(tensor: &Tensor<T>, k: u64) -> Vec<T> {
    let mut grad = tensor.gradient(k);
    for (row, grad) in grad.chunks_mut(WIDTH).enumerate().filter(|(row, _)| !is_touched(*row, k)) {
        grad.iter_mut().enumerate().for_each(|(i, g)| *g = if (i + row).is_multiple_of(2) { T::zero() } else { -T::zero() });
    }
    grad
}

fn setup(row: &Row, decay: Decay) -> Setup {
    Setup { schedule: Ramp::falling().schedule, ..row.setup(decay) }
}

/// A tensor, and an optimizer for it.
struct Run<T> {
    opt: Box<dyn Optimizer<T>>,
    tensor: Tensor<T>,
}

impl<T: Element> Run<T> {
    fn new(row: &Row, decay: Decay) -> Self {
        Self { opt: row.build(&setup(row, decay)), tensor: Tensor::new(0, ROWS * WIDTH) }
    }

    fn step(&mut self, k: u64) {
        self.step_under(k, &[false; ROWS]);
    }

    fn step_under(&mut self, k: u64, mask: &[bool]) {
        let grad = sparse(&self.tensor, k);
        self.opt.step(&mut [self.tensor.param(Some(&grad)).shape(&SHAPE).undecayed(mask)]).unwrap();
    }

    fn catch_up(&mut self) {
        self.opt.catch_up(&mut [self.tensor.param(None).shape(&SHAPE)]).unwrap();
    }

    fn owed(&self) -> Vec<f64> {
        exact(self.opt.state(&self.tensor.name, "owed").unwrap())
    }

    fn rows(&self) -> Vec<Vec<u64>> {
        self.tensor.value.chunks(WIDTH).map(patterns).collect()
    }
}

/// All decays that may let rows stay or catch up, without saying so.
fn cells() -> Vec<Cell> {
    let apart: Vec<_> = cells::all().into_iter().filter(|cell| cell.untouched != Untouched::Decay).collect();
    assert!(apart.len() > 10, "{apart:?}");
    apart
        .into_iter()
        .filter(|cell| cell.untouched == Untouched::Stay)
        .map(|cell| Cell { untouched: Untouched::Decay, ..cell })
        .collect()
}

/// In plain SGD: x ← x − (η·g + s·(x − a)) in f64, for every row at every step.
fn catching_up_and_paying_is_decaying_at_every_step<T: Element>() {
    let row = optimizer("sgd");
    for cell in cells() {
        let cell = Cell { untouched: Untouched::CatchUp, ..cell };
        let wane::Strength::LrScaled(lambda) = cell.strength else { panic!("{cell:?}") };
        let mut run = Run::<T>::new(row, cell.decay());
        let mut x = exact(&run.tensor.value);
        let anchor = match cell.anchor {
            Anchor::Start => x.clone(),
            Anchor::Given => exact(&run.tensor.anchor),
            _ => vec![0.0; x.len()],
        };
        for k in 0..STEPS {
            let rate = row.lr * (Ramp::falling().at)(k);
            let share = rate * lambda * (cell.ramp.at)(k);
            for ((x, a), g) in x.iter_mut().zip(&anchor).zip(exact(&sparse(&run.tensor, k))) {
                *x -= rate * g + share * (*x - a);
            }
            run.step(k);
        }
        let behind = largest_difference(&run.tensor.value, &x);
        run.catch_up();
        let (paid, tolerance) = (largest_difference(&run.tensor.value, &x), 4.0 * STEPS as f64 * T::EPS);
        assert!(paid < tolerance, "{}: {paid}", cell.decay());
        assert!(behind > 1e-3 || cell.anchor == Anchor::Start, "{}: {behind} before it pays", cell.decay());
        assert_eq!(run.owed(), [0.0; ROWS]);
    }
}

fn largest_difference<T: Element>(found: &[T], expected: &[f64]) -> f64 {
    found.iter().zip(expected).map(|(found, expected)| (found.exact() - expected).abs()).fold(0.0, f64::max)
}

/// The rest decays in the exact order.
fn rows_that_stay_have_the_bits_of_a_mask<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells() {
            let mut run = Run::<T>::new(row, Cell { untouched: Untouched::Stay, ..cell.clone() }.decay());
            let mut masked = Run::<T>::new(row, Cell { place: Place::Exact, ..cell }.decay());
            for k in 0..STEPS {
                run.step(k);
                let mask: Vec<_> = (0..ROWS).map(|row| !is_touched(row, k)).collect();
                masked.step_under(k, &mask);
                assert!(run.rows() == masked.rows(), "{} with {:?}, step {k}", row.name, run.opt);
            }
        }
    }
}

/// Row 0 is, whatever the rule has in its state.
fn rows_are_as_without_decay_until_they_are_touched<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Element) {
        let mut free = Run::<T>::new(row, Decay::none());
        (0..STEPS).for_each(|k| free.step(k));
        for cell in cells() {
            for untouched in [Untouched::Stay, Untouched::CatchUp] {
                let mut run = Run::<T>::new(row, Cell { untouched, ..cell.clone() }.decay());
                (0..STEPS).for_each(|k| run.step(k));
                assert!(run.rows()[0] == free.rows()[0], "{} with {}", row.name, cell.decay());
                assert!(run.rows()[1] != free.rows()[1], "{} with {}", row.name, cell.decay());
            }
        }
    }
}

/// −Σ ln(1 − s) over what was missed since the last touch.
fn what_is_owed_is_the_sum_of_logarithms<T: Element>() {
    let row = optimizer("adamw");
    let mut run = Run::<T>::new(row, Decay::decoupled(0.7).untouched(Untouched::CatchUp));
    let mut expected = [0.0; ROWS];
    for k in 0..STEPS {
        run.step(k);
        let due = -(-row.lr * (Ramp::falling().at)(k) * 0.7).ln_1p();
        for (row, owed) in expected.iter_mut().enumerate() {
            *owed = if is_touched(row, k) { 0.0 } else { *owed + due };
        }
        for (found, expected) in run.owed().into_iter().zip(expected) {
            assert!(agree(found, expected, 4.0 * T::EPS * expected), "{found} for {expected} in step {k}");
        }
    }
}

/// 10,000 shares of 1e-8 are 1e-4, and in `f32` nothing where each is taken off by itself.
fn small_shares_are_owed_in_full<T: Element>() {
    let decay = Decay::fixed(1e-8).untouched(Untouched::CatchUp);
    let mut opt = optimizer("sgd").build::<T>(&Setup { lr: 0.5, ..optimizer("sgd").setup(decay) });
    let mut w = [T::one()];
    for _ in 0..10_000 {
        opt.step(&mut [Param::slice(&mut w, &[T::zero()]).shape(&[1])]).unwrap();
    }
    assert_eq!(w, [T::one()]);
    opt.catch_up(&mut [Param::slice(&mut w, &[T::zero()]).shape(&[1])]).unwrap();
    let lost = 1.0 - w[0].exact();
    assert!((lost - 1e-4).abs() < 1e-8 + 2.0 * T::EPS, "{lost}");
}

/// What is touched in a step without decay pays for those before.
fn a_schedule_at_0_stops_no_payment<T: Element>() {
    let decay = Decay::fixed(0.25).schedule(wane::Schedule::step(1, 0.0)).untouched(Untouched::CatchUp);
    let mut opt = optimizer("sgd").build::<T>(&Setup { lr: 0.5, ..optimizer("sgd").setup(decay) });
    let mut w = [T::one(), T::one()];
    for grad in [[0.0, 0.0], [0.5, 0.0]] {
        opt.step(&mut [Param::slice(&mut w, &grad.map(T::near)).shape(&[2])]).unwrap();
    }
    assert!(agree(w[0].exact(), 0.5, 4.0 * T::EPS) && w[1] == T::one(), "{w:?}");
}

/// Through a state, and to another number of rows.
fn what_is_owed_goes_with_its_row<T: Element>() {
    let decay = || Decay::decoupled(0.7).towards(Anchor::Start).untouched(Untouched::CatchUp);
    let row = optimizer("adamw");
    let mut run = Run::<T>::new(row, decay());
    (0..3).for_each(|k| run.step(k));
    let mut loaded = Run::<T> { tensor: run.tensor.clone(), ..Run::new(row, decay()) };
    loaded.opt.import(run.opt.export().into_owned(), &Loading::strict()).unwrap();
    for run in [&mut run, &mut loaded] {
        run.step(3);
        run.catch_up();
    }
    assert_eq!(loaded.rows(), run.rows());

    run.step(4);
    let owed = run.owed();
    let mut grown = vec![T::one(); (ROWS + 2) * WIDTH];
    run.opt.resize(&Param::without_grad(&run.tensor.name, &mut grown).shape(&[ROWS + 2, WIDTH])).unwrap();
    assert!(owed[0] > 0.0);
    assert_eq!(run.owed(), [owed, vec![0.0; 2]].concat());
}

fn capturing_anchors_crosses_nothing_off<T: Element>() {
    for anchor in [Anchor::Origin, Anchor::Start] {
        let mut run = Run::<T>::new(optimizer("sgd"), Decay::fixed(0.1).towards(anchor).untouched(Untouched::CatchUp));
        run.step(0);
        let owed = run.owed();
        run.opt.capture_anchors(&[run.tensor.param(None).shape(&SHAPE)]).unwrap();
        assert_eq!(run.owed(), owed);
        assert!(owed[0] > 0.0);
    }
}

/// What is under a mask, frozen, or not given; and what has paid already.
fn what_pays_nothing_stays<T: Element>() {
    let mut run = Run::<T>::new(optimizer("adamw"), Decay::fixed(0.1).untouched(Untouched::CatchUp));
    (0..3).for_each(|k| run.step(k));
    let (before, owed) = (run.rows(), run.owed());
    run.opt.catch_up(&mut []).unwrap();
    run.opt.catch_up(&mut [run.tensor.param(None).shape(&SHAPE).frozen(true)]).unwrap();
    assert!(run.rows() == before && run.owed() == owed);
    let mask: Vec<_> = (0..ROWS).map(|row| row == 0).collect();
    run.opt.catch_up(&mut [run.tensor.param(None).shape(&SHAPE).undecayed(&mask)]).unwrap();
    let changed: Vec<_> = run.rows().iter().zip(&before).map(|(now, before)| now != before).collect();
    let due: Vec<_> = (0..ROWS).map(|row| row > 0 && owed[row] > 0.0).collect();
    assert_eq!(changed, due);
    let paid = run.rows();
    run.catch_up();
    assert!(run.rows() == paid && run.owed() == [0.0; ROWS] && run.opt.completed_steps() == 3);
}
