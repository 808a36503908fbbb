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

use crate::clip::{Clip, NonFinite};
use crate::decay::{Anchor, Rates};
use crate::describe::Description;
use crate::error::{Error, Result, in_range};
use crate::float::Float;
use crate::group::{self, Group, Policy};
use crate::kernel::{Gain, Job, Level, reduce};
use crate::optimizer::Optimizer;
use crate::param::{GroupChoice, Param};
use crate::report::{Report, Status};
use crate::rule::{Algorithm, Formula};
use crate::schedule::Schedule;
use crate::slots::{Slot, Slots};

/// An optimizer ready to step: made by [`Settings::build`](crate::Settings::build), used through [`Optimizer`].
///
/// `A` is the optimizer ([`Sgd`](crate::Sgd), [`Adam`](crate::Adam), [`Lion`](crate::Lion)), `T` the type of the weights. It keeps a slot of state
/// per parameter name and allocates only when a name is new.
///
/// ```
/// use wane::{Adam, AdamW, Optimizer, Stepper};
///
/// let mut opt: Stepper<Adam, f32> = AdamW::new(1e-3).build()?;
/// opt.step_slice(&mut [1.0, 2.0], &[0.1, 0.2])?;
/// assert_eq!(opt.completed_steps(), 1);
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stepper<A: Formula, T: Float> {
    run: Run,
    groups: Vec<Group<A>>,
    policies: Vec<(usize, Policy)>,
    slots: Slots<T>,
}

/// The settings and counts of the whole optimizer.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) peak: f64,
    pub(crate) schedule: Schedule,
    /// The rate that was set by hand.
    pub(crate) manual: Option<f64>,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) maximize: bool,
    pub(crate) level: Level,
    /// k, the completed steps.
    pub(crate) completed: u64,
    /// The steps that ended without an error: completed and skipped ones.
    pub(crate) ended: u64,
}

impl Run {
    pub(crate) fn rate(&self) -> f64 {
        self.manual.unwrap_or_else(|| self.peak * self.schedule.multiplier(self.completed))
    }
}

/// Why a step ends before it writes.
enum Halt {
    Error(Error),
    Skip,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What the survey found.
#[derive(Clone, Copy)]
struct Survey {
    /// The norm of all gradients, after the gradient factor.
    norm: Option<f64>,
    clip_factor: f64,
    /// The gradient factor and the clip factor in one.
    factor: f64,
}

impl<A: Formula, T: Float> Stepper<A, T> {
    pub(crate) fn new(run: Run, groups: Vec<Group<A>>, policies: Vec<(usize, Policy)>) -> Self {
        Self { run, groups, policies, slots: Slots::new() }
    }

    pub(crate) fn advance(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report> {
        in_range("gradient factor", factor, factor > 0.0, "a finite number above 0")?;
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
        if let Err(error) = self.arrange(params) {
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
        let grown = self.slots.arrange(params, |param| group::choose(groups, policies, param.place, &param.info()))?;
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
            check_group(&self.groups, slot, param)?;
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
            self.run.require_finite(norm, || "the norm of all gradients".into())?;
        }
        let clip_factor = self.run.clip.factor(norm);
        Ok(Survey { norm: Some(norm), clip_factor, factor: factor * clip_factor })
    }

    /// Rates, strengths and scalars of this step.
    fn plan(&mut self, params: &[Param<'_, T>], survey: &Survey) -> Result<(), Halt> {
        let rates = Rates { now: self.run.rate(), peak: self.run.peak };
        for index in 0..self.groups.len() {
            if self.groups[index].plan.active > 0 {
                let norms = self.norms(index, params, survey)?;
                self.groups[index].prepare(rates, self.run.completed, norms)?;
            }
        }
        for slot in self.slots.first(params.len()) {
            if slot.is_active() {
                slot.step.scalars = self.groups[slot.group].scalars_at(slot.t + 1);
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
            Some(param) if among(slot) => reduce::squared_distance(level, param.value, anchor_of(anchor, param, slot)),
            _ => 0.0,
        });
        let norms = [gradient.sqrt() * survey.factor, distance.sqrt()];
        for (norm, what) in norms.into_iter().zip(["gradients", "weights"]) {
            let name = &self.groups[index].name;
            self.run.require_finite(norm, || format!("the norm of the {what} of group `{name}`"))?;
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
                    self.run.require_finite(trust, || format!("the trust ratio of parameter `{}`", param.name))?;
                    slot.step.trust = trust;
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
            slot.status = slot.step.status;
            slot.seen = self.run.ended;
            if slot.is_active() {
                slot.t = slot.t.saturating_add(1);
                updated += 1;
            }
        }
        self.slots.accept(n);
        let Survey { norm, clip_factor, .. } = *survey;
        Report { updated, left_alone: n - updated, grad_norm: norm, clip_factor, skipped: false }
    }

    /// A step that is skipped: new names stay known, and nothing else happens.
    fn skip(&mut self, params: &[Param<'_, T>]) -> Report {
        self.run.ended = self.run.ended.saturating_add(1);
        for slot in self.slots.first(params.len()) {
            slot.step.status = Status::Skipped;
            slot.status = Status::Skipped;
            slot.seen = self.run.ended;
        }
        self.prepare_slots(params);
        self.slots.accept(params.len());
        Report { updated: 0, left_alone: params.len(), grad_norm: None, clip_factor: 1.0, skipped: true }
    }
}

impl Run {
    /// What becomes of a step over something that is not finite.
    fn halt(&self, error: impl FnOnce() -> Error) -> Halt {
        if self.non_finite == NonFinite::Skip { Halt::Skip } else { Halt::Error(error()) }
    }

    fn require_finite(&self, value: f64, norm: impl FnOnce() -> String) -> Result<(), Halt> {
        if value.is_finite() || self.non_finite == NonFinite::LetThrough {
            return Ok(());
        }
        Err(self.halt(|| Error::NonFiniteNorm { norm: norm(), value }))
    }
}

/// The sweep over all parameters of a step. The seam for threads: parameters and slots can be cut side by side, and groups are only
/// read.
fn apply<A: Formula, T: Float>(
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

fn job<'a, A: Formula, T: Float>(
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

/// What a decay pulls this parameter towards; nothing stands for 0, and so does an anchor that is to be captured in this step.
fn anchor_of<'a, T: Float>(anchor: Anchor, param: &'a Param<'_, T>, slot: &'a Slot<T>) -> &'a [T] {
    match anchor {
        Anchor::Origin => &[],
        Anchor::Start if slot.anchor.is_empty() => param.value,
        Anchor::Start => &slot.anchor,
        Anchor::Lent => param.anchor.unwrap_or_default(),
    }
}

/// A parameter that names a group must be in it already.
fn check_group<A: Formula, T: Float>(groups: &[Group<A>], slot: &Slot<T>, param: &Param<'_, T>) -> Result<()> {
    let found = match param.place {
        GroupChoice::Policy => return Ok(()),
        GroupChoice::Named(name) => name,
        GroupChoice::Undecayed => group::RESERVED[1],
    };
    let known = &*groups[slot.group].name;
    if known == found {
        return Ok(());
    }
    Err(Error::GroupChanged { name: param.name.into(), known: known.into(), found: found.into() })
}

/// The error for the first element that is not finite, or is not after the gradient factor.
fn find_non_finite<T: Float>(name: &str, grad: &[T], factor: f64) -> Option<impl FnOnce() -> Error> {
    let index = grad.iter().position(|&g| !(g * T::of(factor)).is_finite())?;
    let value = grad[index].widen();
    Some(move || Error::NonFiniteGradient { name: name.into(), index, value, factor })
}

impl<A: Algorithm<T>, T: Float> Optimizer<T> for Stepper<A, T> {
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report> {
        A::step(self, params, gradient_factor)
    }

    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        A::register(self, params)
    }

    fn learning_rate(&self) -> f64 {
        self.run.rate()
    }

    fn peak_learning_rate(&self) -> f64 {
        self.run.peak
    }

    fn set_learning_rate(&mut self, lr: f64) -> Result<()> {
        in_range("learning rate", lr, lr >= 0.0, "a finite number, at least 0")?;
        self.run.manual = Some(lr);
        Ok(())
    }

    fn resume_schedule(&mut self) {
        self.run.manual = None;
    }

    fn completed_steps(&self) -> u64 {
        self.run.completed
    }

    fn steps_of(&self, name: &str) -> Option<u64> {
        self.slots.get(name).map(|slot| slot.t)
    }

    fn state(&self, name: &str, column: &str) -> Option<&[T]> {
        let slot = self.slots.get(name).filter(|slot| slot.t > 0)?;
        let columns = self.groups[slot.group].algorithm.columns();
        let at = columns.iter().position(|known| *known == column)?;
        Some(&slot.state[at * slot.len..][..slot.len])
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.slots.get(name).map(|slot| self.status_of(slot))
    }

    fn forget(&mut self, name: &str) -> bool {
        self.slots.forget(name)
    }

    fn reset(&mut self) {
        self.slots.clear();
        self.groups.iter_mut().for_each(Group::reset);
        self.run.manual = None;
        self.run.completed = 0;
        self.run.ended = 0;
    }

    fn describe(&self) -> Description {
        Description::of(&self.run, &self.groups, self.slots.iter(), |slot| self.status_of(slot))
    }

    fn boxed_clone(&self) -> Box<dyn Optimizer<T>> {
        Box::new(self.clone())
    }
}

impl<A: Formula, T: Float> Stepper<A, T> {
    fn status_of(&self, slot: &Slot<T>) -> Status {
        match slot.status {
            Status::Registered => Status::Registered,
            status if slot.seen == self.run.ended => status,
            _ => Status::Absent,
        }
    }
}
