//! Foresight: no step makes an infinity or a NaN out of finite numbers.
//!
//! The square of a gradient that is finite may be infinite, and so may a sum of finite gradients,
//! or a step along them. Bounds on what a step can make come from the norm of the gradient, which
//! the check for finite gradients has anyway, and cost a few operations for each parameter. Where
//! they are too wide, which needs gradients or weights of 1e18 in `f32`, ε = 0, μ ≥ 1, or state
//! that another optimizer's options have made, the step is rehearsed on copies first.

#![expect(clippy::indexing_slicing, reason = "a rehearsal has copies of what the parameter has")]

use super::Engine;
use super::group::Group;
use super::hyperparameters::Reach;
use super::run::Refusal;
use super::slot::Slot;
use super::state::State;
use super::step::Sweep;
use super::survey::Survey;
use crate::clip::NonFinite;
use crate::decay::{Anchor, StepDecay};
use crate::error::Error;
use crate::float::Real;
use crate::kernel::reduce;
use crate::param::Param;
use crate::task::Desk;

/// Upper bounds on the absolute values that a parameter has met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceiling {
    /// The bound on all gradients so far, as the optimizer saw them.
    pub(crate) gradient: f64,
    /// The bound on the weights, with a captured anchor; infinite until the weights are looked at.
    /// Weights that change outside of steps are not noticed.
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
    state: State<T>,
    memory: State<T>,
}

impl<T> Default for Stage<T> {
    fn default() -> Self {
        Self { x: Vec::new(), state: State::default(), memory: State::default() }
    }
}

impl<T: Real> Engine<T> {
    /// Refuses a step that would leave something infinite or NaN where everything
    /// was finite before.
    pub(crate) fn foresee(&mut self, params: &mut [Param<'_, T>], survey: &Survey) -> Result<(), Refusal> {
        if self.run.non_finite == NonFinite::Propagate {
            return Ok(());
        }
        let bound = self.run.clip.bound();
        let sweep = Sweep { scaling: self.run.scaling(survey), run: &self.run, groups: &self.groups };
        let slots = self.slots.first(params.len());
        for (param, slot) in params.iter_mut().zip(slots).filter(|(_, slot)| slot.is_active()) {
            let group = &self.groups[slot.group];
            let gradient = (slot.step.norm * survey.factor).min(bound);
            let mut bounds = Bounds::of(group, slot, slot.ceiling, gradient);
            if !bounds.hold && looks_at_weights(group) {
                let norm = |x: &[T]| reduce::sum_of_squares(self.run.level, x).norm();
                let weight = norm(param.value) + norm(slot.memory.first().unwrap_or_default());
                bounds = Bounds::of(group, slot, Ceiling { weight, ..slot.ceiling }, gradient);
            }
            // Bounds rest on columns that one run has made, which a state may only claim.
            if !bounds.hold || slot.doubted {
                if let Some(overflow) = self.stage.rehearse(&sweep, param, slot, self.pieces.own_desk()) {
                    return Err(self.run.refuse(|| overflow.of(param.name)));
                }
                // An infinite ceiling stands for state of unknown origin, which stays rehearsed. Otherwise the
                // bound falls again some time after one huge gradient.
                if slot.ceiling.gradient < f64::INFINITY && !bounds.hold {
                    bounds.ceiling.gradient = self.stage.state.largest_gradient();
                }
            }
            slot.step.ceiling = bounds.ceiling;
        }
        Ok(())
    }
}

/// Returns whether the decay works out something from the weights that may be larger than they are.
fn looks_at_weights<T: Real>(group: &Group<T>) -> bool {
    let effect = group.plan.effect;
    effect.coupled() != [0.0; 2] || group.is_anchored() && effect != StepDecay::default()
}

/// What is known of a step before it is made.
struct Bounds {
    ceiling: Ceiling,
    /// Whether all that is made is sure to be finite.
    hold: bool,
}

impl Bounds {
    /// Returns the bounds for gradients up to `gradient`, of a parameter that is within `so_far` until now.
    ///
    /// A weight of any size may move by less than half of the distance between the largest numbers,
    /// as the sum is rounded back.
    fn of<T: Real>(group: &Group<T>, slot: &Slot<T>, so_far: Ceiling, gradient: f64) -> Self {
        let (room, nudge) = (T::LARGEST / 8.0, T::LARGEST * T::EPS / 8.0);
        let looks = looks_at_weights(group);
        let distance = if looks { so_far.weight + slot.step.lent } else { 0.0 };
        let [l1, l2] = group.plan.effect.coupled();
        let gradient = so_far.gradient.max(gradient + l2 * distance + l1);
        let Reach { state, displacement } = group.plan.scalars.reach(slot.step.scalars, gradient);
        let ceiling = Ceiling { gradient, weight: so_far.weight.max(slot.step.lent) + displacement.max(slot.step.displacement) };
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
    /// Makes the step on copies, and returns the first finite number that it has made infinite or NaN.
    fn rehearse(
        &mut self,
        sweep: &Sweep<'_, T>,
        param: &mut Param<'_, T>,
        slot: &mut Slot<T>,
        desk: &mut Desk<T>,
    ) -> Option<Overflow> {
        self.set(param, slot);
        let anchored = usize::from(sweep.groups[slot.group].anchor == Anchor::Start);
        let mut rehearsal = sweep.task(param, slot);
        rehearsal.x = &mut self.x;
        rehearsal.own = std::mem::take(&mut self.memory.full_columns()[anchored]);
        (rehearsal.state, rehearsal.short) = self.state.cells();
        rehearsal.run(desk);
        // The shorter columns change at the end of a step; they are to be looked at here too.
        self.state.settle();
        self.lost(param, slot)
    }

    /// Copies what a step writes.
    fn set(&mut self, param: &Param<'_, T>, slot: &Slot<T>) {
        self.x.clear();
        self.x.extend_from_slice(param.value);
        self.state.clone_from(&slot.state);
        self.memory.clone_from(&slot.memory);
    }

    /// Returns the first finite number that the rehearsal has made infinite or NaN.
    fn lost(&self, param: &Param<'_, T>, slot: &Slot<T>) -> Option<Overflow> {
        // What is not finite already is not the step's doing.
        let finite = |index: usize| param.value.get(index).is_none_or(|x| x.is_finite());
        let lost =
            |before: &[T], after: &[T]| (0..before.len()).find(|&i| finite(i) && before[i].is_finite() && !after[i].is_finite());
        let in_column = |name: &'static str| Some((name, lost(slot.state.get(name)?, self.state.get(name)?)?));
        let in_weights = || Some(("weight", lost(param.value, &self.x)?));
        let (what, index) = slot.state.columns.iter().find_map(|column| in_column(column.name)).or_else(in_weights)?;
        let grad = param.grad.unwrap_or_default();
        // A number of a row or column comes from many gradients.
        let largest = |a: T, &b: &T| if b.abs() > a.abs() { b } else { a };
        let gradient = match slot.state.get(what) {
            Some(column) if column.len() < grad.len() => grad.iter().fold(T::zero(), largest),
            _ => grad[index],
        };
        let gradient = gradient.widen();
        Some(Overflow { what, index, gradient })
    }
}
