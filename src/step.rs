//! The driver: what a step does with all parameters, whatever the optimizer.
//!
//! ```text
//! arrange    slot i under parameter i; names, lengths, shapes, groups
//! survey     the gradients: are they finite, and their norm                (one read of each gradient)
//! plan       clip factor, rates and strengths per group, scalars per step count
//! measure    the trust ratios, where there are any                         (one read of each parameter)
//! foresee    whether everything stays finite
//! apply      the sweep                                                     (the only part that writes)
//! commit     counts, averages, statuses
//! ```
//!
//! Everything before `apply` can fail, and changes nothing that can be seen.

use crate::clip::NonFinite;
use crate::decay::{Anchor, Decay, Effect};
use crate::engine::Engine;
use crate::error::{Error, Result, in_range};
use crate::float::{Real, rounded};
use crate::group::Group;
use crate::groups::Groups;
use crate::halt::Halt;
use crate::kernel::{Denormals, Gain, Job, SquareSum, flush, reduce};
use crate::param::Param;
use crate::report::{Report, Status};
use crate::rule::{Formula, Trust};
use crate::slots::Slot;
use crate::stepper::Run;

/// What the survey found.
#[derive(Clone, Copy)]
pub(crate) struct Survey {
    /// The norm of all gradients, after the gradient factor.
    norm: Option<f64>,
    clip_factor: f64,
    /// The gradient factor and the clip factor in one.
    pub(crate) factor: f64,
}

impl<F: Formula, T: Real> Engine<F, T> {
    pub(crate) fn advance(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report> {
        in_range("gradient factor", factor, factor > 0.0, "a finite number above 0")?;
        rounded::<T>("gradient factor", factor)?;
        match self.attempt(params, factor) {
            Ok(report) => Ok(report),
            Err(Halt::Skip) => Ok(self.skip(params)),
            Err(Halt::Error(error)) => {
                self.rollback(params.len());
                Err(error)
            }
        }
    }

    pub(crate) fn enrol(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        if let Err(error) = self.arrange(params).and_then(|()| self.decide(params)) {
            self.rollback(params.len());
            return Err(error);
        }
        self.prepare_slots(params);
        self.accept(params.len());
        Ok(())
    }

    fn attempt(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report, Halt> {
        self.arrange(params)?;
        self.decide(params)?;
        let survey = self.survey(params, factor)?;
        self.plan(params, &survey)?;
        self.prepare_slots(params);
        self.measure(params, &survey)?;
        self.foresee(params, &survey)?;
        self.apply(params, &survey);
        Ok(self.commit(params.len(), &survey))
    }

    fn arrange(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        // A policy may have panicked before.
        self.groups.rollback();
        let (groups, run) = (&mut self.groups, &self.run);
        if self.slots.arrange(params, |param| groups.choose(param, run))? {
            let slots = self.slots.len();
            self.groups.iter_mut().for_each(|group| group.reserve(slots));
        }
        match self.groups.without_match_now().next() {
            Some((policy, group)) if self.run.strict_policies && self.run.completed == 0 => {
                Err(Error::PolicyWithoutMatch { policy: policy.to_string(), group: group.into() })
            }
            _ => Ok(()),
        }
    }

    /// What is new stays.
    fn accept(&mut self, n: usize) {
        self.slots.accept(n);
        self.groups.accept();
    }

    /// What is new goes again.
    fn rollback(&mut self, n: usize) {
        let known = n.min(self.slots.len());
        self.slots.first(known).iter_mut().for_each(Slot::release);
        self.slots.rollback(n);
        self.groups.rollback();
    }

    /// What this step will do with each parameter, and whether it may.
    fn decide(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.groups.iter_mut().for_each(|group| group.plan.active = 0);
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            self.groups.check(slot.group, param)?;
            let group = &mut self.groups[slot.group];
            (slot.step.trust, slot.step.displacement) = (1.0, 0.0);
            slot.step.status = match param.grad {
                _ if param.frozen || group.settings.frozen => Status::Frozen,
                None => Status::NoGradient,
                Some(_) => Status::Updated,
            };
            if slot.is_active() {
                group.plan.active += 1;
                if group.settings.decay.anchor() == Anchor::Lent && param.anchor.is_none() {
                    return Err(Error::AnchorMissing { name: param.name.into(), group: group.name.to_string() });
                }
            }
        }
        Ok(())
    }

    /// Looks at the gradients, where the settings ask for it.
    fn survey(&mut self, params: &[Param<'_, T>], factor: f64) -> Result<Survey, Halt> {
        let checks = self.run.non_finite != NonFinite::LetThrough;
        let adaptive = self.groups.iter().any(|group| group.settings.decay.adaptive_lambda().is_some());
        if !(checks || adaptive || self.run.clip.needs_norm()) {
            return Ok(Survey { norm: None, clip_factor: 1.0, factor });
        }
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            if slot.is_active() {
                let grad = param.grad.unwrap_or_default();
                slot.step.squares = reduce::sum_of_squares(self.run.level, grad);
                slot.step.norm = slot.step.squares.norm();
                let norm = slot.step.norm * factor;
                if checks && (norm.is_nan() || norm > T::LARGEST) {
                    find_non_finite(param.name, grad, factor).map_or(Ok(()), |bad| Err(self.run.halt(bad)))?;
                }
                if checks && self.groups[slot.group].settings.decay.anchor() == Anchor::Lent {
                    slot.step.lent = self.run.lent_norm(param)?;
                }
            }
        }
        let active = |_, slot: &Slot<T>| if slot.is_active() { slot.step.squares } else { SquareSum::default() };
        let norm = factor * self.slots.sum(params.len(), active).norm();
        if self.run.clip.needs_norm() {
            self.run.require(norm, f64::MAX, || "the norm of all gradients".into())?;
        }
        let clip_factor = self.run.clip.factor(norm);
        let both = factor * clip_factor;
        if checks {
            // Both are numbers of the weights' type, and their product may be none.
            let lost = || Error::OutOfRange { setting: GAIN, value: both, allowed: "above 0 in the weights' type" };
            rounded::<T>(GAIN, both).ok().filter(|both| *both > T::zero()).ok_or_else(|| self.run.halt(lost))?;
        }
        Ok(Survey { norm: Some(norm), clip_factor, factor: both })
    }

    /// Rates, strengths and scalars of this step.
    fn plan(&mut self, params: &[Param<'_, T>], survey: &Survey) -> Result<(), Halt> {
        for place in 0..self.groups.len() {
            if self.groups[place].plan.active > 0 {
                let norms = self.norms(place, params, survey)?;
                let group = &mut self.groups[place];
                group.prepare(&self.run, norms)?;
                let (strength, name) = (group.plan.average.strength(), &group.name);
                self.run.require(strength, T::LARGEST, || format!("the adaptive decay of group `{name}`"))?;
            }
        }
        for slot in self.slots.first(params.len()) {
            if slot.is_active() {
                slot.step.scalars = self.groups[slot.group].scalars_at(slot.t.saturating_add(1))?;
            }
        }
        Ok(())
    }

    /// ‖g‖ and ‖d‖ over a group, where its decay looks at them.
    fn norms(&mut self, place: usize, params: &[Param<'_, T>], survey: &Survey) -> Result<Option<[f64; 2]>, Halt> {
        let group = &self.groups[place];
        if group.settings.decay.adaptive_lambda().is_none() {
            return Ok(None);
        }
        let (level, anchor) = (self.run.level, group.settings.decay.anchor());
        let among = |slot: &Slot<T>| slot.is_active() && slot.group == place;
        let gradient = self.slots.sum(params.len(), |_, slot| if among(slot) { slot.step.squares } else { SquareSum::default() });
        let distance = self.slots.sum(params.len(), |i, slot| match &params[i] {
            param if among(slot) => reduce::squared_distance(level, param.value, pulled_to(slot, anchor, param)),
            _ => SquareSum::default(),
        });
        let norms = [gradient.norm() * survey.factor, distance.norm()];
        for (norm, what) in norms.into_iter().zip(["gradients", "weights"]) {
            let name = &self.groups[place].name;
            self.run.require(norm, f64::MAX, || format!("the norm of the {what} of group `{name}`"))?;
        }
        Ok(Some(norms))
    }

    /// Memory for parameters that are here for the first time.
    fn prepare_slots(&mut self, params: &[Param<'_, T>]) {
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            let settings = &self.groups[slot.group].settings;
            slot.prepare(settings.formula.columns().len(), settings.decay.anchor() == Anchor::Start, param.value);
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
                let name = param.name;
                if let Some(trust) = group.settings.formula.trust(scalars, &job(&self.run, gain, group, param, slot)) {
                    slot.step.displacement = self.run.trusted::<T>(name, trust, group.plan.pull.effect, &group.settings.decay)?;
                    slot.step.trust = trust.ratio;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, params: &mut [Param<'_, T>], survey: &Survey) {
        let gain = self.gain(survey);
        let slots = self.slots.first(params.len());
        apply(&self.run, gain, &self.groups, params, slots);
    }

    pub(crate) fn gain(&self, survey: &Survey) -> Gain<T> {
        let direction = if self.run.maximize { -1.0 } else { 1.0 };
        Gain { factor: T::of(direction * survey.factor), bound: T::of(self.run.clip.bound()) }
    }

    fn commit(&mut self, n: usize, survey: &Survey) -> Report {
        self.run.completed = self.run.completed.saturating_add(1);
        self.run.ended = self.run.ended.saturating_add(1);
        self.groups.iter_mut().for_each(Group::commit);
        self.accept(n);
        let mut updated = 0;
        for slot in self.slots.first(n) {
            slot.end(self.run.ended);
            if slot.is_active() {
                slot.t = slot.t.saturating_add(1);
                slot.ceiling = slot.step.ceiling;
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
        self.accept(params.len());
        self.slots.first(params.len()).iter_mut().for_each(|slot| slot.end(self.run.ended));
        Report { updated: 0, left_alone: params.len(), grad_norm: None, clip_factor: 1.0, skipped: true }
    }
}

/// What errors call the product of two factors.
const GAIN: &str = "gradient factor times clip factor";

/// What a decay pulls towards; nothing stands for 0, and the weights themselves for an anchor that this step captures.
fn pulled_to<'a, T: Real>(slot: &'a Slot<T>, anchor: Anchor, param: &'a Param<'_, T>) -> &'a [T] {
    match anchor {
        Anchor::Origin => &[],
        Anchor::Start if slot.anchor.is_empty() => param.value,
        Anchor::Start => &slot.anchor,
        Anchor::Lent => param.anchor.unwrap_or_default(),
    }
}

impl Run {
    /// The norm of a lent anchor, which must be a number like that of a gradient.
    fn lent_norm<T: Real>(&self, param: &Param<'_, T>) -> Result<f64, Halt> {
        let anchor = param.anchor.unwrap_or_default();
        let norm = reduce::sum_of_squares(self.level, anchor).norm();
        match anchor.iter().position(|a| !a.is_finite()).filter(|_| !norm.is_finite()) {
            Some(index) => {
                let value = anchor[index].widen();
                Err(self.halt(|| Error::NonFiniteAnchor { name: param.name.into(), index, value }))
            }
            None => Ok(norm),
        }
    }

    /// Checks a trust ratio and what it makes of the decay's share; returns the largest number that it can make.
    fn trusted<T: Real>(&self, name: &str, trust: Trust, effect: Effect, decay: &Decay) -> Result<f64, Halt> {
        let Trust { weights, displacement, ratio } = trust;
        self.require(displacement, f64::MAX, || format!("the norm of the displacement of parameter `{name}`"))?;
        self.require(ratio, T::LARGEST, || format!("the trust ratio of parameter `{name}`"))?;
        if self.non_finite != NonFinite::LetThrough {
            effect.times(ratio).faded::<T>().map_err(|error| self.halt(|| error.in_parameter(name)))?;
        }
        let (share, moved) = (effect.times(ratio).share(), ratio * displacement);
        if share >= 1.0 && moved >= weights {
            let (name, decay) = (name.into(), decay.to_string());
            return Err(Error::ShrinkUnderTrust { name, decay, ratio, share }.into());
        }
        Ok(moved.max(share * weights))
    }
}

/// The sweep over all parameters of a step. The seam for threads: parameters and slots can be cut side by side, and groups are only
/// read.
fn apply<F: Formula, T: Real>(
    run: &Run,
    gain: Gain<T>,
    groups: &Groups<F, T>,
    params: &mut [Param<'_, T>],
    slots: &mut [Slot<T>],
) {
    for (param, slot) in params.iter_mut().zip(slots) {
        if slot.is_active() {
            let group = &groups[slot.group];
            group.settings.formula.sweep(group.scalars(slot.step.scalars), job(run, gain, group, param, slot));
            if run.denormals == Denormals::Flush {
                flush(run.level, &mut slot.state);
            }
        }
    }
}

pub(crate) fn job<'a, F: Formula, T: Real>(
    run: &Run,
    gain: Gain<T>,
    group: &Group<F, T>,
    param: &'a mut Param<'_, T>,
    slot: &'a mut Slot<T>,
) -> Job<'a, T> {
    let anchor = match group.settings.decay.anchor() {
        Anchor::Origin => &[][..],
        Anchor::Start => &slot.anchor,
        Anchor::Lent => param.anchor.unwrap_or_default(),
    };
    Job {
        level: run.level,
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
