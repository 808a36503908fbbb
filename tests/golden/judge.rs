//! Compares what this crate did with what a fixture holds. A judgement is a `Result`, so that a test can also ask for a failure.

use std::collections::BTreeSet;

use serde_json::Value;
use wane::Optimizer;

use super::build::{How, Library};
use super::fixture::{Case, Run, State, cases};
use super::play::{Absent, Trajectory, play};
use crate::common::Element;

/// How near numbers must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Near {
    /// The same bits; NaN equals NaN.
    Bits,
    /// The same bits in so many elements from the first on.
    FirstBits(usize),
    /// Within this share of the largest number of the tensor.
    Within(f64),
}

impl Near {
    pub(crate) fn judge<T: Element>(self, got: &[T], want: &[T]) -> Result<(), String> {
        if got.len() != want.len() {
            return Err(format!("{} numbers in place of {}", got.len(), want.len()));
        }
        match self {
            Self::Bits => same(got, want),
            Self::FirstBits(count) => same(&got[..count], &want[..count]),
            Self::Within(bound) => within(distance(got, want), bound),
        }
    }
}

fn same<T: Element>(got: &[T], want: &[T]) -> Result<(), String> {
    let differ = || (0..want.len()).filter(|&i| got[i].pattern() != want[i].pattern());
    let Some(i) = differ().next() else { return Ok(()) };
    let (got, want, others) = (got[i], want[i], differ().count() - 1);
    Err(format!("element {i} is {got} ({:#x}), not {want} ({:#x}); {others} others differ", got.bits(), want.bits()))
}

fn within(distance: f64, bound: f64) -> Result<(), String> {
    // Written so that a NaN is an error.
    if distance <= bound { Ok(()) } else { Err(format!("off by {distance:e} of the largest, not within {bound:e}")) }
}

/// The largest difference as a share of the largest number wanted; NaN if there is one anywhere.
fn distance<T: Element>(got: &[T], want: &[T]) -> f64 {
    let largest =
        |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, |max: f64, x| if x > max || x.is_nan() { x } else { max });
    let difference = largest(&mut got.iter().zip(want).map(|(g, w)| (g.exact() - w.exact()).abs()));
    if difference == 0.0 { 0.0 } else { difference / largest(&mut want.iter().map(|w| w.exact().abs())) }
}

/// A library's column in this crate's name and units.
pub(crate) type Translate<T> = fn(Case, &'static str, Vec<T>) -> (&'static str, Vec<T>);

/// For PyTorch, whose names these are.
pub(crate) fn as_it_is<T>(_case: Case, name: &'static str, column: Vec<T>) -> (&'static str, Vec<T>) {
    (name, column)
}

/// The runs of an implementation, which this crate must come near.
pub(crate) struct Suite<T> {
    pub(crate) file: &'static Value,
    pub(crate) implementation: &'static str,
    pub(crate) library: Library,
    /// How near, in epsilons of the element type.
    pub(crate) epsilons: fn(Case) -> f64,
    pub(crate) translate: Translate<T>,
}

impl<T: Element> Suite<T> {
    /// Judges all runs.
    pub(crate) fn judge(&self) {
        let mut judged = 0;
        for case in cases(self.file) {
            let Some(run) = case.run::<T>(self.implementation) else { continue };
            let optimizer = T::build(&*(self.library)(case, How::default())).unwrap();
            let trajectory = play(case, optimizer, Absent::WithoutGradient).unwrap();
            let near = Near::Within((self.epsilons)(case) * T::EPS);
            judge(case, run, &trajectory, near, self.translate).unwrap_or_else(|error| panic!("{error} ({})", T::NAME));
            judged += 1;
        }
        assert!(judged > 0, "{} in {}", self.implementation, T::NAME);
    }
}

/// Everything that a run holds: weights at every snapshot, state and counts at the end.
pub(crate) fn judge<T: Element>(
    case: Case,
    run: Run,
    trajectory: &Trajectory<T>,
    near: Near,
    translate: Translate<T>,
) -> Result<(), String> {
    weights(case, run, trajectory, near)?;
    states(case, run, trajectory, near, translate)
}

pub(crate) fn weights<T: Element>(case: Case, run: Run, trajectory: &Trajectory<T>, near: Near) -> Result<(), String> {
    let wanted: Vec<_> = run.weights::<T>().collect();
    assert!(wanted.iter().any(|(step, _)| *step == trajectory.steps), "{}: no final weights", case.name());
    for (step, want) in wanted {
        let got = trajectory.weights.get(&step).ok_or_else(|| format!("no weights after step {step}"))?;
        tensors(got, &want, near).map_err(|error| format!("{} after step {step}: {error}", case.name()))?;
    }
    Ok(())
}

fn tensors<T: Element>(got: &[Vec<T>], want: &[Vec<T>], near: Near) -> Result<(), String> {
    assert_eq!(got.len(), want.len(), "as many tensors as there are inputs");
    let mut pairs = got.iter().zip(want).enumerate();
    pairs.try_for_each(|(k, (got, want))| near.judge(got, want).map_err(|error| format!("tensor {k}: {error}")))
}

pub(crate) fn states<T: Element>(
    case: Case,
    run: Run,
    trajectory: &Trajectory<T>,
    near: Near,
    translate: Translate<T>,
) -> Result<(), String> {
    let optimizer = &*trajectory.optimizer;
    for (k, tensor) in case.tensors().iter().enumerate() {
        // PyTorch's SGD keeps no count, this crate does.
        let mut kept = (Vec::new(), Some(case.updates(k, trajectory.steps)));
        // PyTorch's for-loop without clipping has no state in the fixture.
        if let Some((columns, count)) = run.state::<T>(k) {
            let columns: Vec<_> = columns.into_iter().map(|(name, column)| translate(case, name, column)).collect();
            let names: BTreeSet<_> = columns.iter().map(|(name, _)| *name).collect();
            let own: BTreeSet<_> = optimizer.columns(&tensor.name).unwrap_or_default().iter().copied().collect();
            assert_eq!(own, names, "the state columns in {}", case.name());
            kept = (columns, count.or(kept.1));
        }
        state(optimizer, &tensor.name, kept, near).map_err(|error| format!("{}: {error}", case.name()))?;
    }
    Ok(())
}

/// One parameter's state columns and count of updates.
pub(crate) fn state<T: Element>(
    optimizer: &dyn Optimizer<T>,
    name: &str,
    (columns, count): State<T>,
    near: Near,
) -> Result<(), String> {
    for (column, want) in columns {
        let got = optimizer.state(name, column).ok_or_else(|| format!("{name} has no {column}"))?;
        near.judge(got, &want).map_err(|error| format!("{column} of {name}: {error}"))?;
    }
    match (count, optimizer.steps_of(name)) {
        (Some(want), got) if got != Some(want) => Err(format!("{got:?} updates of {name} in place of {want}")),
        _ => Ok(()),
    }
}
