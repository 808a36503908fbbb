//! Whole parameters, for optimizers and laws that look at one before its tiles are worked on: for a
//! trust ratio, means of rows and columns, matrix products, norms.

use super::Engine;
use super::run::{Refusal, Run};
use super::slot::Slot;
use super::state::State;
use super::step::Sweep;
use super::survey::{Survey, pulled_to};
use crate::clip::NonFinite;
use crate::decay::{AnyLaw, Decay, StepDecay};
use crate::error::Error;
use crate::float::Real;
use crate::kernel::column::Matrices;
use crate::kernel::{Notes, reduce};
use crate::param::Param;
use crate::task::{Desk, Look, Task};

/// A parameter with its gradient and state, of which nothing has been written yet.
#[derive(Debug)]
pub(crate) struct Parameter<'a, T> {
    /// Its weights, gradients and columns; what the rule would make of them.
    pub(crate) task: Task<'a, T>,
    /// Its last two axes.
    pub(crate) of: Matrices,
    /// Its columns that have fewer numbers than weights. They hold what is there before the step,
    /// and are changed to what they will be after it.
    pub(crate) next: &'a mut [T],
    /// Columns for this step only, which the rule reads behind its state.
    pub(crate) work: &'a mut [T],
    pub(crate) desk: &'a mut Desk<T>,
}

/// What a look at a whole parameter has found: factors on its step, and the norms
/// that they come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    /// A factor on the update.
    pub(crate) rate: f64,
    /// A factor on the decay beside it.
    pub(crate) decay: f64,
    /// The norm of the weights, where it was looked at.
    pub(crate) weights: f64,
    /// The norm of the displacement, before the factor, which may be infinite where
    /// the factor is not.
    pub(crate) displacement: f64,
}

impl Default for Prepared {
    fn default() -> Self {
        Self { rate: 1.0, decay: 1.0, weights: 0.0, displacement: 0.0 }
    }
}

impl<T: Real> Engine<T> {
    /// Looks at whole parameters, where an optimizer or a law asks for it, all of them before
    /// the first write.
    pub(crate) fn look(&mut self, params: &mut [Param<'_, T>], survey: &Survey) -> Result<(), Refusal> {
        self.stabilize(params, survey)?;
        if !self.groups.iter().any(|group| group.looks() && group.plan.active > 0) {
            return Ok(());
        }
        let sweep = Sweep { scaling: self.run.scaling(survey), run: &self.run, groups: &self.groups };
        self.pieces.look(&sweep, params, self.slots.first(params.len()), self.numbers, |sweep, params, slots, desk| {
            sweep.look(params, slots, desk)
        })
    }
}

impl<T: Real> Sweep<'_, T> {
    /// Looks at these parameters.
    pub(crate) fn look(&self, params: &mut [Param<'_, T>], slots: &mut [Slot<T>], desk: &mut Desk<T>) -> Result<(), Refusal> {
        for (param, slot) in params.iter_mut().zip(slots) {
            let group = &self.groups[slot.group];
            if slot.is_active() && group.looks() {
                // The rule may need the law, to measure the displacement, and the law the rule.
                self.look_by_law(param, slot, desk, group.plan.effect);
                if group.plan.scalars.looks() {
                    self.look_by_rule(param, slot, desk)?;
                }
            }
        }
        Ok(())
    }

    fn look_by_rule(&self, param: &mut Param<'_, T>, slot: &mut Slot<T>, desk: &mut Desk<T>) -> Result<(), Refusal> {
        let group = &self.groups[slot.group];
        let (entry, of) = (slot.step.scalars, slot.state.of);
        // The task borrows the slot while `prepare` writes to the state, so the state is taken out.
        let mut state = std::mem::replace(&mut slot.state, State::hollow(of));
        let (cells, next, work) = state.parts();
        let task = Task { state: cells, short: Default::default(), ..self.task(param, slot) };
        let parameter = &mut Parameter { task, of, next, work, desk: &mut *desk };
        let prepared = group.plan.scalars.prepare(entry, parameter);
        slot.state = state;
        let found = prepared.map_err(|error| error.in_parameter(param.name))?;
        slot.step.displacement = self.run.trusted(param, slot, found, group.plan.effect, &group.settings.decay)?;
        slot.step.rate = found.rate;
        self.look_by_law(param, slot, desk, group.plan.effect.times(found.decay));
        Ok(())
    }

    /// Lets the law of an effect look at a parameter, if it is a law that looks at
    /// whole parameters.
    fn look_by_law(&self, param: &mut Param<'_, T>, slot: &mut Slot<T>, desk: &mut Desk<T>, effect: StepDecay) {
        let group = &self.groups[slot.group];
        let law = if effect == group.plan.effect { group.plan.law } else { AnyLaw::of(effect, group.anchor) };
        if law.looks() {
            // The task borrows the slot while the law writes to its memory, so this is taken out.
            let of = slot.memory.of;
            let mut memory = std::mem::replace(&mut slot.memory, State::hollow(of));
            let (columns, kept, beside) = memory.parts();
            let (anchor, own) = self.of_law(param.anchor, slot.group, columns);
            let task = Task { law: &law, anchor, own, ..self.task(param, slot) };
            // The sums are lent beside the rest of the desk.
            let mut sums = std::mem::take(&mut desk.sums);
            let law = law.prepare(&mut Look { task: &task, of, desk }, Notes { kept, beside, sums: &mut sums });
            (desk.sums, slot.memory) = (sums, memory);
            slot.step.displacement = slot.step.displacement.max(law.reach());
            slot.step.law = Some(law);
        } else if effect != group.plan.effect {
            slot.step.law = Some(law);
        }
    }
}

impl Run {
    /// Checks a trust ratio and what it makes of the decay's share; returns the largest number
    /// that it can make.
    fn trusted<T: Real>(
        &self,
        param: &Param<'_, T>,
        slot: &Slot<T>,
        found: Prepared,
        effect: StepDecay,
        decay: &Decay,
    ) -> Result<f64, Refusal> {
        let name = param.name;
        let Prepared { rate, decay: ratio, weights, displacement } = found;
        self.require(displacement, f64::MAX, || format!("the norm of the displacement of parameter `{name}`"))?;
        self.require(rate, T::LARGEST, || format!("the trust ratio of parameter `{name}`"))?;
        if self.non_finite != NonFinite::Propagate {
            effect.times(ratio).faded::<T>().map_err(|error| self.refuse(|| error.in_parameter(name)))?;
        }
        let (share, moved) = (effect.times(ratio).share(), rate * displacement);
        if share < 1.0 {
            return Ok(moved);
        }
        // Where the displacement is shorter than the weights, the update holds against the decay.
        if moved >= weights {
            let (name, decay) = (name.into(), decay.to_string());
            return Err(Error::ShrinkUnderTrust { name, decay, ratio, share }.into());
        }
        let distance = reduce::squared_distance(self.level, param.value, pulled_to(slot, decay.anchor(), param)).norm();
        Ok(moved.max(share * distance))
    }
}
