//! The driver: what a step does with all parameters, whatever the optimizer.
//!
//! ```text
//! arrange    slot i under parameter i; names, lengths, shapes, groups
//! survey     the gradients: are they finite, and their norm                (one read of each gradient)
//! plan       clip factor, rates and strengths per group, scalars per step count
//! measure    the trust ratios, where there are any                         (one read of each parameter)
//! apply      the sweep                                                     (the only part that writes)
//! commit     counts, averages, statuses
//! ```
//!
//! Everything before `apply` can fail, and changes nothing that can be seen.

use crate::clip::NonFinite;
use crate::decay::{Anchor, Rates};
use crate::error::{Error, Result, fits, in_range};
use crate::float::Real;
use crate::group::{self, Group};
use crate::halt::Halt;
use crate::kernel::{Gain, Job, Level, reduce};
use crate::param::Param;
use crate::report::{Report, Status};
use crate::rule::Formula;
use crate::slots::Slot;
use crate::stepper::Stepper;

/// What the survey found.
#[derive(Clone, Copy)]
struct Survey {
    /// The norm of all gradients, after the gradient factor.
    norm: Option<f64>,
    clip_factor: f64,
    /// The gradient factor and the clip factor in one.
    factor: f64,
}

impl<A: Formula, T: Real> Stepper<A, T> {
    pub(crate) fn advance(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report> {
        in_range("gradient factor", factor, factor > 0.0, "a finite number above 0")?;
        fits("gradient factor", factor, T::LARGEST)?;
        in_range("gradient factor", factor, T::of(factor).widen() > 0.0, "above 0 in the weights' type")?;
        match self.attempt(params, factor) {
            Ok(report) => Ok(report),
            Err(Halt::Skip) => Ok(self.skip(params)),
            Err(Halt::Error(error)) => {
                self.slots.rollback();
                Err(error)
            }
        }
    }

    pub(crate) fn enrol(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        if let Err(error) = self.arrange(params).and_then(|()| self.decide(params)) {
            self.slots.rollback();
            return Err(error);
        }
        self.prepare_slots(params);
        self.slots.accept(params.len());
        Ok(())
    }

    fn attempt(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report, Halt> {
        self.arrange(params)?;
        self.decide(params)?;
        let survey = self.survey(params, factor)?;
        self.plan(params, &survey)?;
        self.prepare_slots(params);
        self.measure(params, &survey)?;
        self.apply(params, &survey);
        Ok(self.commit(params.len(), &survey))
    }

    fn arrange(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        let (groups, policies) = (&self.groups, &self.policies);
        let grown = self.slots.arrange(params, |param| group::choose(groups, policies, param.group, &param.info()))?;
        if grown {
            let slots = self.slots.len();
            self.groups.iter_mut().for_each(|group| group.reserve(slots));
        }
        Ok(())
    }

    /// What this step will do with each parameter, and whether it may.
    fn decide(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.groups.iter_mut().for_each(|group| group.plan.active = 0);
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            group::check(&self.groups, slot.group, param)?;
            let group = &mut self.groups[slot.group];
            slot.step.trust = 1.0;
            slot.step.status = match param.grad {
                _ if param.frozen || group.frozen => Status::Frozen,
                None => Status::NoGradient,
                Some(_) => Status::Updated,
            };
            if slot.is_active() {
                group.plan.active += 1;
                if group.decay.anchor() == Anchor::Lent && param.anchor.is_none() {
                    return Err(Error::AnchorMissing { name: param.name.into(), group: group.name.to_string() });
                }
            }
        }
        Ok(())
    }

    /// Looks at the gradients, where the settings ask for it.
    fn survey(&mut self, params: &[Param<'_, T>], factor: f64) -> Result<Survey, Halt> {
        let checks = self.run.non_finite != NonFinite::LetThrough;
        let adaptive = self.groups.iter().any(|group| group.decay.adaptive_lambda(0).is_some());
        if !(checks || adaptive || self.run.clip.needs_norm()) {
            return Ok(Survey { norm: None, clip_factor: 1.0, factor });
        }
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            if slot.is_active() {
                let grad = param.grad.unwrap_or_default();
                slot.step.squares = reduce::sum_of_squares(self.run.level, grad);
                let largest = slot.step.squares.sqrt() * factor;
                if checks && (largest.is_nan() || largest > T::LARGEST) {
                    find_non_finite(param.name, grad, factor).map_or(Ok(()), |bad| Err(self.run.halt(bad)))?;
                }
            }
        }
        let norm = factor * self.slots.sum(params.len(), |slot| if slot.is_active() { slot.step.squares } else { 0.0 }).sqrt();
        if self.run.clip.needs_norm() {
            self.run.require(norm, f64::MAX, || "the norm of all gradients".into())?;
        }
        let clip_factor = self.run.clip.factor(norm);
        Ok(Survey { norm: Some(norm), clip_factor, factor: factor * clip_factor })
    }

    /// Rates, strengths and scalars of this step.
    fn plan(&mut self, params: &[Param<'_, T>], survey: &Survey) -> Result<(), Halt> {
        let rate = self.run.rate();
        let rates = Rates { now: rate, relative: rate / self.run.peak };
        for index in 0..self.groups.len() {
            if self.groups[index].plan.active > 0 {
                let norms = self.norms(index, params, survey)?;
                let group = &mut self.groups[index];
                group.prepare(rates, self.run.completed, norms, T::LARGEST)?;
                let (strength, name) = (group.plan.average.strength(), &group.name);
                self.run.require(strength, T::LARGEST, || format!("the adaptive decay of group `{name}`"))?;
            }
        }
        for slot in self.slots.first(params.len()) {
            if slot.is_active() {
                slot.step.scalars = self.groups[slot.group].scalars_at(slot.t.saturating_add(1), T::LARGEST)?;
            }
        }
        Ok(())
    }

    /// ‖g‖ and ‖d‖ over a group, where its decay looks at them.
    fn norms(&mut self, index: usize, params: &[Param<'_, T>], survey: &Survey) -> Result<Option<[f64; 2]>, Halt> {
        let group = &self.groups[index];
        if group.decay.adaptive_lambda(self.run.completed).is_none() {
            return Ok(None);
        }
        let (level, anchor) = (self.run.level, group.decay.anchor());
        let among = |slot: &Slot<T>| slot.is_active() && slot.group == index;
        let gradient = self.slots.sum(params.len(), |slot| if among(slot) { slot.step.squares } else { 0.0 });
        let mut given = params.iter();
        let distance = self.slots.sum(params.len(), |slot| match given.next() {
            Some(param) if among(slot) => reduce::squared_distance(level, param.value, slot.pulled_to(anchor, param)),
            _ => 0.0,
        });
        let norms = [gradient.sqrt() * survey.factor, distance.sqrt()];
        for (norm, what) in norms.into_iter().zip(["gradients", "weights"]) {
            let name = &self.groups[index].name;
            self.run.require(norm, f64::MAX, || format!("the norm of the {what} of group `{name}`"))?;
        }
        Ok(Some(norms))
    }

    /// Memory for parameters that are here for the first time.
    fn prepare_slots(&mut self, params: &[Param<'_, T>]) {
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            let group = &self.groups[slot.group];
            let columns = group.algorithm.columns().len();
            slot.prepare(columns, group.decay.anchor() == Anchor::Start, param.value);
        }
    }

    /// The trust ratios, all of them before the first write.
    fn measure(&mut self, params: &mut [Param<'_, T>], survey: &Survey) -> Result<(), Halt> {
        let gain = self.gain(survey);
        let slots = self.slots.first(params.len());
        for (param, slot) in params.iter_mut().zip(slots) {
            if slot.is_active() {
                let group = &self.groups[slot.group];
                let scalars = group.scalars(slot.step.scalars);
                if let Some(trust) = group.algorithm.trust(scalars, &job(self.run.level, gain, group, param, slot)) {
                    let name = param.name;
                    self.run.require(trust.displacement, f64::MAX, || {
                        format!("the norm of the displacement of parameter `{name}`")
                    })?;
                    self.run.require(trust.ratio, T::LARGEST, || format!("the trust ratio of parameter `{name}`"))?;
                    slot.step.trust = trust.ratio;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, params: &mut [Param<'_, T>], survey: &Survey) {
        let gain = self.gain(survey);
        let slots = self.slots.first(params.len());
        apply(self.run.level, gain, &self.groups, params, slots);
    }

    fn gain(&self, survey: &Survey) -> Gain<T> {
        let direction = if self.run.maximize { -1.0 } else { 1.0 };
        Gain { factor: T::of(direction * survey.factor), bound: T::of(self.run.clip.bound()) }
    }

    fn commit(&mut self, n: usize, survey: &Survey) -> Report {
        self.run.completed = self.run.completed.saturating_add(1);
        self.run.ended = self.run.ended.saturating_add(1);
        self.groups.iter_mut().for_each(Group::commit);
        let mut updated = 0;
        for slot in self.slots.first(n) {
            slot.end(self.run.ended);
            if slot.is_active() {
                slot.t = slot.t.saturating_add(1);
                updated += 1;
            }
        }
        let Survey { norm, clip_factor, .. } = *survey;
        Report { updated, left_alone: n - updated, grad_norm: norm, clip_factor, skipped: false }
    }

    /// A step that is skipped: new names stay known, and nothing else happens.
    fn skip(&mut self, params: &[Param<'_, T>]) -> Report {
        self.run.ended = self.run.ended.saturating_add(1);
        self.slots.first(params.len()).iter_mut().for_each(|slot| slot.step.status = Status::Skipped);
        self.prepare_slots(params);
        self.slots.first(params.len()).iter_mut().for_each(|slot| slot.end(self.run.ended));
        Report { updated: 0, left_alone: params.len(), grad_norm: None, clip_factor: 1.0, skipped: true }
    }
}

/// The sweep over all parameters of a step. The seam for threads: parameters and slots can be cut side by side, and groups are only
/// read.
fn apply<A: Formula, T: Real>(
    level: Level,
    gain: Gain<T>,
    groups: &[Group<A>],
    params: &mut [Param<'_, T>],
    slots: &mut [Slot<T>],
) {
    for (param, slot) in params.iter_mut().zip(slots) {
        if slot.is_active() {
            let group = &groups[slot.group];
            group.algorithm.sweep(group.scalars(slot.step.scalars), job(level, gain, group, param, slot));
        }
    }
}

fn job<'a, A: Formula, T: Real>(
    level: Level,
    gain: Gain<T>,
    group: &Group<A>,
    param: &'a mut Param<'_, T>,
    slot: &'a mut Slot<T>,
) -> Job<'a, T> {
    let anchor = match group.decay.anchor() {
        Anchor::Origin => &[][..],
        Anchor::Start => &slot.anchor,
        Anchor::Lent => param.anchor.unwrap_or_default(),
    };
    Job {
        level,
        gain,
        pull: group.plan.pull,
        trust: slot.step.trust,
        x: param.value,
        g: param.grad.unwrap_or_default(),
        state: &mut slot.state,
        anchor,
    }
}

/// The error for the first element that is not finite, or is not after the gradient factor.
fn find_non_finite<T: Real>(name: &str, grad: &[T], factor: f64) -> Option<impl FnOnce() -> Error> {
    let index = grad.iter().position(|&g| !(g * T::of(factor)).is_finite())?;
    let value = grad[index].widen();
    Some(move || Error::NonFiniteGradient { name: name.into(), index, value, factor })
}
