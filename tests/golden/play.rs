//! Plays a case on the fixtures' gradients.

use std::collections::BTreeMap;

use wane::{Error, Optimizer, Param};

use super::fixture::{Case, Tensor};
use super::inputs;
use crate::common::Element;

/// The steps of a whole trajectory.
pub(crate) const STEPS: u64 = 100;
/// The steps after which weights are recorded, beside the last one.
const SNAPSHOTS: [u64; 3] = [1, 2, 10];

/// How a parameter without a gradient is handed to the step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    WithoutGradient,
    LeftOut,
}

/// What became of the weights.
#[derive(Debug)]
pub(crate) struct Trajectory<T: Element> {
    /// The number of steps so far.
    pub(crate) steps: u64,
    /// Before the first step played here, after each of the [`SNAPSHOTS`], and now.
    pub(crate) weights: BTreeMap<u64, Vec<Vec<T>>>,
    /// The gradient norm that each step reports.
    pub(crate) norms: Vec<f64>,
    /// As it is after the last step.
    pub(crate) optimizer: Box<dyn Optimizer<T>>,
}

impl<T: Element> Trajectory<T> {
    /// A trajectory that goes on with these weights, after so many steps.
    pub(crate) fn from(steps: u64, weights: Vec<Vec<T>>, optimizer: Box<dyn Optimizer<T>>) -> Self {
        Self { steps, weights: BTreeMap::from([(steps, weights)]), norms: Vec::new(), optimizer }
    }

    pub(crate) fn new(case: Case, optimizer: Box<dyn Optimizer<T>>) -> Self {
        Self::from(0, inputs::weights(&case.tensors()), optimizer)
    }

    /// Plays the case up to this step.
    pub(crate) fn play(mut self, case: Case, last: u64, absent: Absent) -> Result<Self, Error> {
        let (tensors, mut now) = (case.tensors(), self.weights[&self.steps].clone());
        while self.steps < last {
            self.steps += 1;
            if let Some(lr) = case.new_rate(self.steps) {
                self.optimizer.set_learning_rate(lr)?;
            }
            let gradients = inputs::gradients(&tensors, self.steps);
            let mut params = params(case, &tensors, &mut now, &gradients, (self.steps, absent));
            self.norms.extend(self.optimizer.step(&mut params)?.grad_norm());
            if SNAPSHOTS.contains(&self.steps) {
                self.weights.insert(self.steps, now.clone());
            }
        }
        self.weights.insert(last, now);
        Ok(self)
    }
}

pub(crate) fn play<T: Element>(case: Case, optimizer: Box<dyn Optimizer<T>>, absent: Absent) -> Result<Trajectory<T>, Error> {
    Trajectory::new(case, optimizer).play(case, STEPS, absent)
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
