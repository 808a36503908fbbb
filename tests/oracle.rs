//! Every optimizer and every decay against a naive second writing in plain f64, straight from the papers' and PyTorch's equations.

mod common;
mod oracle {
    pub(crate) mod decay;
    pub(crate) mod run;
    pub(crate) mod special;
}

use common::cells::{self, Cell, Ramp};
use common::data::{Tensor, exact, matrix, tensors};
use common::{Element, Goal, OPTIMIZERS, Reach, Row, for_f32_and_f64, optimizer};
use oracle::run::{Oracle, Plan};
use wane::{Clip, Decay, Optimizer, Penalty, Place, Strength, Untouched};

for_f32_and_f64!(
    every_optimizer_with_every_decay_follows_its_equations,
    clipping_unscaling_and_climbing_follow_their_equations,
    adam_with_coupled_l2_is_not_adamw,
    every_decay_of_the_table_differs_from_every_other,
);

const STEPS: u64 = 8;

/// How many units in the last place a step may add: the crate rounds a dozen times where the oracle rounds once. After 8 steps this is
/// 3e-14 of the numbers involved in f64.
const ULPS: f64 = 16.0;

/// The same, for a row with a decay. Each step of Muon's iteration makes an error beside a small singular value up to 3.4445 times as large;
/// where the decay is part of the gradient, the errors of the weights go through it, too, and more with every step.
fn most(row: &Row, cell: &Cell) -> f64 {
    let grows = row.reach == Reach::Matrix && cell.place == Place::Coupled;
    if grows { ULPS * 3.4445_f64.powi(5) } else { ULPS }
}

/// The largest of differences between crate and oracle, in units in the last place per step.
fn discrepancy<T: Element>(row: &Row, crate_: &Plan, oracle: &Plan, factor: f64) -> f64 {
    let setup = common::Setup {
        schedule: crate_.ramp.schedule.clone(),
        clip: crate_.clip,
        goal: crate_.goal,
        lr: crate_.lr,
        ..row.setup(crate_.cell.decay())
    };
    let mut opt = row.build::<T>(&setup);
    let mut tensors: Vec<Tensor<T>> = tensors(&[7, 3, 16, 1, 0]);
    let mut oracle = Oracle::new(row, oracle, &tensors);
    let mut worst = 0.0_f64;
    for k in 0..STEPS {
        let grads: Vec<_> =
            tensors.iter().map(|tensor| present(tensor, k).then(|| gradient(row, &crate_.cell, tensor, k))).collect();
        let given = tensors.iter_mut().zip(&grads).filter(|(tensor, _)| tensor.seed != 2 || k >= JOINS);
        let mut params: Vec<_> = given.map(|(tensor, grad)| tensor.param(grad.as_deref())).collect();
        opt.step_scaled(&mut params, factor).unwrap();
        oracle.step(&grads.iter().map(|g| g.as_ref().map(|g| exact(g))).collect::<Vec<_>>(), factor);
        for (tensor, twin) in tensors.iter().zip(&oracle.twins) {
            for ((found, expected), size) in tensor.value.iter().zip(&twin.x).zip(&twin.size) {
                let ulp = T::EPS * size * (k + 1) as f64;
                worst = worst.max((found.exact() - expected).abs() / ulp);
                assert!(found.exact().is_finite(), "{} {:?}: {found} for {expected}", row.name, setup);
            }
        }
    }
    worst
}

/// The step in which the third tensor joins.
const JOINS: u64 = 2;

/// Has this tensor a gradient? The second one misses step 3, the third one joins late.
fn present<T>(tensor: &Tensor<T>, k: u64) -> bool {
    match tensor.seed {
        1 => k != 3,
        2 => k >= JOINS,
        _ => true,
    }
}

/// The gradient of a step. Where the decay looks out for rows without one, there are such rows, each in every third step.
fn gradient<T: Element>(row: &Row, cell: &Cell, tensor: &Tensor<T>, k: u64) -> Vec<T> {
    let (mut grad, [_, width]) = (tensor.gradient(k), matrix(tensor.value.len()));
    // What an optimizer makes of such rows from whole matrices is beside the point, and rounded in its own way.
    if cell.untouched != Untouched::Decay && matches!(row.reach, Reach::Element | Reach::Displacement) {
        for (_, row) in (k..).zip(grad.chunks_mut(width)).filter(|(i, _)| i.is_multiple_of(3)) {
            row.fill(T::zero());
        }
    }
    grad
}

fn plan(row: &Row, cell: &Cell) -> Plan {
    Plan { lr: row.lr, ramp: Ramp::falling(), cell: cell.clone(), clip: Clip::Off, goal: Goal::Descend }
}

fn every_optimizer_with_every_decay_follows_its_equations<T: Element>() {
    for row in OPTIMIZERS {
        for cell in cells::all() {
            let plan = plan(row, &cell);
            let ulps = discrepancy::<T>(row, &plan, &plan, 1.0);
            assert!(ulps <= most(row, &cell), "{} with {}: {ulps} ulp per step", row.name, cell.decay());
        }
    }
}

fn clipping_unscaling_and_climbing_follow_their_equations<T: Element>() {
    let clips = [Clip::Value(0.5), Clip::GlobalNorm(0.7), Clip::GlobalNorm(1e6), Clip::OptaxGlobalNorm(0.7)];
    for row in OPTIMIZERS {
        for cell in cells::loops() {
            for clip in clips {
                for goal in [Goal::Descend, Goal::Climb] {
                    let plan = Plan { clip, goal, ..plan(row, &cell) };
                    let ulps = discrepancy::<T>(row, &plan, &plan, 0.3);
                    assert!(
                        ulps <= most(row, &cell),
                        "{} with {} {clip:?} {goal:?}: {ulps} ulp per step",
                        row.name,
                        cell.decay()
                    );
                }
            }
        }
    }
}

/// A tolerance under which this passes proves nothing.
fn adam_with_coupled_l2_is_not_adamw<T: Element>() {
    let row = optimizer("adamw");
    let with = |place| Cell::new(Penalty::L2, place, Strength::LrScaled(0.01));
    let [coupled, decoupled] = [Place::Coupled, Place::Decoupled].map(|place| plan(row, &with(place)));
    assert!(discrepancy::<T>(row, &decoupled, &decoupled, 1.0) <= ULPS);
    assert!(discrepancy::<T>(row, &coupled, &decoupled, 1.0) > 100.0 * ULPS);
    assert!(discrepancy::<T>(row, &decoupled, &coupled, 1.0) > 100.0 * ULPS);
}

/// No two cells pass each other's test, but for the aliases of the table: decoupled L1 is the proximal one, and so is group lasso; and the
/// exact order is another order of the same, as is exponential decay by a half-life.
fn every_decay_of_the_table_differs_from_every_other<T: Element>() {
    let after = |cell: &Cell| matches!(cell.place, Place::Decoupled | Place::Proximal);
    let beside = |cell: &Cell| matches!(cell.place, Place::Decoupled | Place::Exact);
    let halves = |cell: &Cell| beside(cell) || cell.place == Place::Exponential;
    let is_alias = |a: &Cell, b: &Cell| match a.penalty {
        _ if a.penalty != b.penalty => false,
        Penalty::L1 | Penalty::Huber { .. } | Penalty::PNorm { .. } | Penalty::GroupLasso { .. } => after(a) && after(b),
        Penalty::L2 if matches!(a.strength, Strength::HalfLife(_)) => halves(a) && halves(b),
        _ if a.is_to_a_set() => false,
        _ => a.penalty == Penalty::L2 && beside(a) && beside(b),
    };
    let row = optimizer("adam");
    for cell in cells::plain() {
        for other in cells::plain().into_iter().filter(|other| other.decay() != cell.decay()) {
            let ulps = discrepancy::<T>(row, &plan(row, &cell), &plan(row, &other), 1.0);
            let same = is_alias(&cell, &other) && cell.strength == other.strength;
            assert_eq!(ulps <= ULPS, same, "{} as {}: {ulps} ulp per step", cell.decay(), other.decay());
        }
    }
}

#[test]
fn adamw_decays_without_being_told() {
    let row = optimizer("adamw");
    let mut told = row.build(&row.setup(Decay::decoupled(0.01)));
    let mut untold: Box<dyn Optimizer<f64>> = Box::new(wane::AdamW::new(row.lr).build().unwrap());
    let run = |opt: &mut dyn Optimizer<f64>| common::data::slice_after(opt, &[1.0, -2.0], &[0.1, 0.2], 5);
    assert_eq!(run(&mut *told), run(&mut *untold));
}
