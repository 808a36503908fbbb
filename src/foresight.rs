//! Foresight: no step makes an infinity or a NaN out of finite numbers.
//!
//! The square of a gradient that is finite may be infinite, and so may a sum of finite gradients, or a step along them. Bounds on what a step
//! can make come from the norm of the gradient, which the check for finite gradients has anyway, and cost a few operations for each
//! parameter. Where they are too wide, which needs gradients or weights of 1e18 in `f32`, ε = 0, μ ≥ 1, or state that another optimizer's options
//! have made, the step is rehearsed on copies first.

use crate::clip::NonFinite;
use crate::decay::{Effect, Pull};
use crate::engine::Engine;
use crate::error::Error;
use crate::float::Real;
use crate::group::Group;
use crate::halt::Halt;
use crate::kernel::{Job, reduce};
use crate::param::Param;
use crate::rule::{Formula, Reach};
use crate::slot::Slot;
use crate::step::job;
use crate::survey::Survey;

/// Upper bounds on the absolute values that a parameter has met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceiling {
    /// Of all gradients so far, as the optimizer saw them.
    pub(crate) gradient: f64,
    /// Of the weights, with a captured anchor; infinite where nobody has asked. Weights that change outside of steps are not noticed.
    pub(crate) weight: f64,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { gradient: 0.0, weight: f64::INFINITY }
    }
}

/// Memory for rehearsals.
#[derive(Clone, Debug)]
pub(crate) struct Stage<T> {
    x: Vec<T>,
    state: Vec<T>,
}

impl<T> Default for Stage<T> {
    fn default() -> Self {
        Self { x: Vec::new(), state: Vec::new() }
    }
}

impl<F: Formula, T: Real> Engine<F, T> {
    /// Refuses a step that would leave something infinite or NaN where everything was finite before.
    pub(crate) fn foresee(&mut self, params: &mut [Param<'_, T>], survey: &Survey) -> Result<(), Halt> {
        if self.run.non_finite == NonFinite::LetThrough {
            return Ok(());
        }
        let (gain, bound) = (self.gain(survey), self.run.clip.bound());
        let slots = self.slots.first(params.len());
        for (param, slot) in params.iter_mut().zip(slots) {
            if !slot.is_active() {
                continue;
            }
            let group = &self.groups[slot.group];
            let gradient = (slot.step.norm * survey.factor).min(bound);
            let mut bounds = Bounds::of(group, slot, gradient);
            if !bounds.hold && looks_at_weights(group.plan.pull) {
                let norm = |x: &[T]| reduce::sum_of_squares(self.run.level, x).norm();
                slot.ceiling.weight = norm(param.value) + norm(&slot.anchor);
                bounds = Bounds::of(group, slot, gradient);
            }
            if !bounds.hold {
                let (name, scalars) = (param.name, group.scalars(slot.step.scalars));
                let rehearsed = self.stage.rehearse(&group.settings.formula, scalars, job(&self.run, gain, group, param, slot));
                if let Some(overflow) = rehearsed {
                    return Err(self.run.halt(|| overflow.of(name)));
                }
                if slot.ceiling.gradient < f64::INFINITY {
                    bounds.ceiling.gradient = self.stage.largest_gradient();
                }
            }
            slot.step.ceiling = bounds.ceiling;
        }
        Ok(())
    }
}

/// Whether the decay makes something of the weights that may be larger than they are.
fn looks_at_weights(Pull { effect, anchored }: Pull) -> bool {
    matches!(effect, Effect::Coupled { .. }) || anchored && effect != Effect::Free
}

/// What can be said of a step before it is made.
struct Bounds {
    ceiling: Ceiling,
    /// Whether all that is made is sure to be finite.
    hold: bool,
}

impl Bounds {
    /// The bounds for gradients up to `gradient`.
    ///
    /// A weight of any size may move by less than half of the distance between the largest numbers, as the sum is rounded back.
    fn of<F: Formula, T: Real>(group: &Group<F, T>, slot: &Slot<T>, gradient: f64) -> Self {
        let (room, nudge) = (T::LARGEST / 8.0, T::LARGEST * T::EPS / 8.0);
        let looks = looks_at_weights(group.plan.pull);
        let distance = if looks { slot.ceiling.weight + slot.step.lent } else { 0.0 };
        let [l1, l2] = group.plan.pull.effect.coupled();
        let gradient = slot.ceiling.gradient.max(gradient + l2 * distance + l1);
        let Reach { state, displacement } = group.settings.formula.reach(group.scalars(slot.step.scalars), gradient);
        let ceiling =
            Ceiling { gradient, weight: slot.ceiling.weight.max(slot.step.lent) + displacement.max(slot.step.displacement) };
        // Written so that a NaN, as of 0/0, does not hold.
        let moves = displacement <= nudge && slot.step.displacement <= nudge;
        Self { ceiling, hold: gradient <= room && state <= room && distance <= room && moves }
    }
}

/// Where a rehearsal went wrong.
struct Overflow {
    what: &'static str,
    index: usize,
    gradient: f64,
}

impl Overflow {
    fn of(self, name: &str) -> Error {
        let Self { what, index, gradient } = self;
        Error::Overflow { name: name.into(), what, index, gradient }
    }
}

impl<T: Real> Stage<T> {
    /// Returns the largest gradient that the state which was rehearsed speaks of: |m| ≤ g and v ≤ g². One huge gradient is so forgotten in time.
    fn largest_gradient(&self) -> f64 {
        let largest = self.state.iter().fold(0.0, |largest, s| s.abs().widen().max(largest));
        largest.max(largest.sqrt())
    }

    /// Makes the step on copies, and tells which finite number would become none.
    fn rehearse<F: Formula>(&mut self, formula: &F, scalars: &F::Scalars<T>, job: Job<'_, T>) -> Option<Overflow> {
        for (copy, original) in [(&mut self.x, &*job.x), (&mut self.state, &*job.state)] {
            copy.clear();
            copy.extend_from_slice(original);
        }
        let Job { x, state, g, .. } = job;
        formula.sweep(scalars, Job { x: &mut self.x, state: &mut self.state, ..job });
        // What is not finite already is not the step's doing.
        let lost = |i: usize, before: &[T], after: &[T]| x[i].is_finite() && before[i].is_finite() && !after[i].is_finite();
        let n = x.len();
        let in_column = |(k, name): (usize, &&'static str)| {
            let (before, after) = (&state[k * n..][..n], &self.state[k * n..][..n]);
            Some((*name, (0..n).find(|&i| lost(i, before, after))?))
        };
        let in_weights = || Some(("weight", (0..n).find(|&i| lost(i, x, &self.x))?));
        let (what, index) = formula.columns().iter().enumerate().find_map(in_column).or_else(in_weights)?;
        Some(Overflow { what, index, gradient: g[index].widen() })
    }
}
