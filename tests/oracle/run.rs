//! A whole step in plain f64: clipping, decay, optimizer, one tensor after another.

use wane::{Anchor, Clip};

use super::decay::{Law, Rates, Seen, first_vector, power_step};
use crate::common::cells::{Cell, Ramp};
use crate::common::data::{Tensor, exact, matrix};
use crate::common::naive::{Keep, Naive};
use crate::common::{Element, Goal, Row};

/// What the oracle runs with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lr: f64,
    pub(crate) ramp: Ramp,
    pub(crate) cell: Cell,
    pub(crate) clip: Clip,
    pub(crate) goal: Goal,
}

pub(crate) struct Oracle {
    plan: Plan,
    keep: Keep,
    k: u64,
    /// λ̄ of the adaptive decay.
    running: f64,
    pub(crate) twins: Vec<Twin>,
}

/// A tensor in f64.
pub(crate) struct Twin {
    pub(crate) x: Vec<f64>,
    anchor: Vec<f64>,
    /// β, where the anchor is the running average.
    beta: Option<f64>,
    shape: [usize; 2],
    /// For each weight what decay that its row still owes would have kept of it.
    kept: Vec<f64>,
    /// ‖w₀‖
    start_norm: f64,
    /// The singular vector that spectral decay has come to.
    vector: Vec<f64>,
    optimizer: Box<dyn Naive>,
    /// For each weight the largest number that has gone into it: rounding errors are a share of this.
    pub(crate) size: Vec<f64>,
}

impl Oracle {
    pub(crate) fn new<T: Element>(row: &Row, plan: &Plan, tensors: &[Tensor<T>]) -> Self {
        let keep = |x| T::near(x).exact();
        let twin = |tensor: &Tensor<T>| {
            let x = exact(&tensor.value);
            let anchor = match plan.cell.anchor {
                Anchor::Start | Anchor::Average { .. } => x.clone(),
                Anchor::Given => exact(&tensor.anchor),
                _ => vec![0.0; x.len()],
            };
            let beta = if let Anchor::Average { beta } = plan.cell.anchor { Some(beta) } else { None };
            let size = x.iter().zip(&anchor).map(|(x, a)| x.abs() + a.abs()).collect();
            let (shape, start_norm) = (matrix(x.len()), keep(norm(x.iter().copied())));
            let vector = first_vector(shape[1]).into_iter().map(keep).collect();
            Twin { shape, kept: vec![1.0; x.len()], start_norm, vector, x, anchor, beta, optimizer: row.oracle(), size }
        };
        Self { plan: plan.clone(), keep, k: 0, running: 0.0, twins: tensors.iter().map(twin).collect() }
    }

    /// A step on the tensors that have a gradient, which is multiplied by `factor`.
    pub(crate) fn step(&mut self, grads: &[Option<Vec<f64>>], factor: f64) {
        let grads = self.clipped(grads, factor);
        let rates = Rates { now: self.plan.lr * (self.plan.ramp.at)(self.k), peak: self.plan.lr };
        self.adapt(&grads);
        let law = Law::of(&self.plan.cell, rates, self.k, self.running);
        for (twin, grad) in self.twins.iter_mut().zip(&grads) {
            if let Some(grad) = grad {
                twin.step(&grad.iter().map(|&g| self.plan.clipped_value(g)).collect::<Vec<_>>(), law, rates.now, self.keep);
            }
        }
        self.k += 1;
    }

    /// Gradients unscaled, then clipped by their norm: `clip_grad_norm_` of PyTorch, `clip_by_global_norm` of optax.
    fn clipped(&self, grads: &[Option<Vec<f64>>], factor: f64) -> Vec<Option<Vec<f64>>> {
        let total = factor * norm(grads.iter().flatten().flatten().copied());
        let clip = match self.plan.clip {
            Clip::GlobalNorm(bound) => (bound / (total + 1e-6)).min(1.0),
            Clip::OptaxGlobalNorm(bound) if total > bound => bound / total,
            _ => 1.0,
        };
        grads.iter().map(|g| g.as_ref().map(|g| g.iter().map(|g| clip * factor * g).collect())).collect()
    }

    /// Ghiasi et al. (2023): λ_t = λ·‖g‖/‖w‖ over all tensors with a gradient, then an average that gives the new value 0.9.
    fn adapt(&mut self, grads: &[Option<Vec<f64>>]) {
        let wane::Strength::Adaptive(lambda) = self.plan.cell.strength else { return };
        let present = self.twins.iter().zip(grads).filter(|(_, grad)| grad.is_some());
        let distance = norm(present.flat_map(|(twin, _)| twin.distances()));
        let gradient = norm(grads.iter().flatten().flatten().copied());
        let now = if distance == 0.0 { 0.0 } else { lambda * gradient / distance };
        self.running = 0.1 * self.running + 0.9 * now;
    }
}

impl Plan {
    /// Elements within the bound, and turned round to climb.
    fn clipped_value(&self, g: f64) -> f64 {
        let g = if self.goal == Goal::Climb { -g } else { g };
        if let Clip::Value(bound) = self.clip { g.clamp(-bound, bound) } else { g }
    }
}

impl Twin {
    fn distances(&self) -> Vec<f64> {
        self.x.iter().zip(&self.anchor).map(|(x, a)| x - a).collect()
    }

    fn step(&mut self, grad: &[f64], law: Law, lr: f64, keep: Keep) {
        let seen: Vec<_> = grad.iter().zip(self.distances()).map(|(&g, d)| law.gradient(g, d)).collect();
        self.optimizer.sees(&self.x, &self.shape, lr);
        let u = self.optimizer.direction(&seen, keep);
        let weights = || self.x.iter().zip(&self.anchor).zip(&u);
        let before = self.distances();
        let looked = |law: Law, lr: f64| {
            let after: Vec<_> = weights().map(|((x, a), u)| x - a - lr * u).collect();
            let (rows, metric) = (self.shape[0], &|i| self.optimizer.metric(i));
            let Self { kept, start_norm, vector, .. } = &*self;
            let start_norm = *start_norm;
            let seen = &Seen { g: &seen, u: &u, before: &before, after: &after, rows, kept, metric, start_norm, vector };
            let vector = if law.is_spectral() { power_step(law.point(seen), rows, vector).2 } else { vector.clone() };
            (law.each(seen), law.owes(seen), vector)
        };
        let laws = |law: Law, lr: f64| looked(law, lr).0;
        let displaced = |((law, (&x, &a)), &u): ((Law, (&f64, &f64)), &f64)| law.displacement(x, a, u, lr);
        let displacement: Vec<_> =
            laws(law, lr).into_iter().zip(self.x.iter().zip(&self.anchor)).zip(&u).map(displaced).collect();
        let trust = self.optimizer.trust(lr, &self.x, &displacement);
        // Where update and pull nearly cancel, their errors are a larger share of the displacement, and of a ratio to it.
        let longest = norm(u.iter().zip(&displacement).map(|(u, r)| (lr * u).abs().max((r - lr * u).abs())));
        let cancelled = if trust == 1.0 { 1.0 } else { (longest / norm(displacement.iter().copied())).max(1.0) };
        let (laws, kept, vector) = looked(law.times(trust), trust * lr);
        self.kept = kept;
        self.vector = vector.into_iter().map(keep).collect();
        for (i, (u, law)) in u.into_iter().zip(laws).enumerate() {
            self.size[i] *= law.growth(self.x[i] - self.anchor[i], u, trust * lr);
            let size = law.size(self.x[i], self.anchor[i], cancelled * u, trust * lr);
            self.x[i] = keep(law.settle(self.x[i], self.anchor[i], u, trust * lr));
            self.size[i] = self.size[i].max(size).max(self.x[i].abs());
        }
        if let Some(beta) = self.beta.filter(|_| !law.is_free()) {
            self.follow(beta, keep);
        }
    }

    /// e ← e + (1 − β)·(x − e), in a step in which the decay acts.
    fn follow(&mut self, beta: f64, keep: Keep) {
        self.anchor.iter_mut().zip(&self.x).for_each(|(e, x)| *e = keep(*e + (1.0 - beta) * (x - *e)));
    }
}

fn norm(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}
