//! Plays a case: a hundred steps on the fixtures' gradients.

use std::collections::BTreeMap;

use wane::{Error, Optimizer, Param};

use super::fixture::{Case, Tensor};
use super::inputs;
use crate::common::Element;

pub(crate) const STEPS: u64 = 100;
/// The steps after which weights are recorded.
pub(crate) const SNAPSHOTS: [u64; 4] = [1, 2, 10, STEPS];

/// How a parameter without a gradient is handed to the step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    WithoutGradient,
    LeftOut,
}

/// What became of the weights.
#[derive(Debug)]
pub(crate) struct Trajectory<T: Element> {
    /// After each of the [`SNAPSHOTS`].
    pub(crate) weights: BTreeMap<u64, Vec<Vec<T>>>,
    /// The gradient norm that each step reports.
    pub(crate) norms: Vec<f64>,
    /// As it is after the last step.
    pub(crate) optimizer: Box<dyn Optimizer<T>>,
}

pub(crate) fn play<T: Element>(case: Case, mut optimizer: Box<dyn Optimizer<T>>, absent: Absent) -> Result<Trajectory<T>, Error> {
    let tensors = case.tensors();
    let mut now = inputs::weights(&tensors);
    let (mut weights, mut norms) = (BTreeMap::new(), Vec::new());
    for step in 1..=STEPS {
        if let Some(lr) = case.new_rate(step) {
            optimizer.set_learning_rate(lr)?;
        }
        let gradients = inputs::gradients(&tensors, step);
        let mut params = params(case, &tensors, &mut now, &gradients, (step, absent));
        norms.extend(optimizer.step(&mut params)?.grad_norm());
        if SNAPSHOTS.contains(&step) {
            weights.insert(step, now.clone());
        }
    }
    Ok(Trajectory { weights, norms, optimizer })
}

fn params<'a, T: Element>(
    case: Case,
    tensors: &'a [Tensor],
    weights: &'a mut [Vec<T>],
    gradients: &'a [Vec<T>],
    (step, absent): (u64, Absent),
) -> Vec<Param<'a, T>> {
    let mut params = Vec::new();
    for (k, ((tensor, w), g)) in tensors.iter().zip(weights).zip(gradients).enumerate() {
        let param = match (case.misses(k, step), absent) {
            (false, _) => Param::new(&tensor.name, w, g),
            (true, Absent::WithoutGradient) => Param::without_grad(&tensor.name, w),
            (true, Absent::LeftOut) => continue,
        };
        let param = param.shape(&tensor.shape);
        params.push(match &tensor.group {
            Some(group) => param.in_group(group),
            None => param,
        });
    }
    params
}
