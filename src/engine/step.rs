//! The driver: what a step does with all parameters, whatever the optimizer.
//!
//! ```text
//! arrange    slot i under parameter i; names, lengths, shapes, groups
//! survey     the gradients: are they finite, and their norm                (one read of each gradient)
//! plan       clip factor, learning rates and strengths per group, scalars per step count
//! prepare    columns and anchors of parameters that have none yet
//! look       at whole parameters: trust ratios, means, products, where there are any
//! foresee    whether everything stays finite
//! apply      the sweep                                                     (the only part that writes)
//! commit     counts, averages, statuses
//! ```
//!
//! Everything before `apply` can fail, and changes nothing that can be seen.

use super::Engine;
use super::group::Group;
use super::groups::Groups;
use super::run::{Refusal, Run};
use super::slot::Slot;
use super::survey::Survey;
use crate::decay::Anchor;
use crate::error::{Error, Result, in_range};
use crate::float::{Real, rounded};
use crate::kernel::Scaling;
use crate::kernel::column::MAX_COLUMNS;
use crate::param::Param;
use crate::report::{Report, Status};
use crate::task::{Denormals, Desk, Fused, Mask, Task};

impl<T: Real> Engine<T> {
    pub(crate) fn step_or_skip(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report> {
        in_range("gradient factor", factor, factor > 0.0, "a finite number above 0")?;
        rounded::<T>("gradient factor", factor)?;
        match self.try_step(params, factor) {
            Ok(report) => Ok(report),
            Err(Refusal::Skip) => Ok(self.skip(params)),
            Err(Refusal::Error(error)) => {
                self.rollback(params.len());
                Err(error)
            }
        }
    }

    pub(crate) fn introduce(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.introduce_if(params, |_, _| Ok(()))
    }

    /// Makes parameters known if a check has nothing against it, and returns what the check did.
    pub(crate) fn introduce_if<R>(
        &mut self,
        params: &[Param<'_, T>],
        check: impl FnOnce(&mut Self, &[Param<'_, T>]) -> Result<R>,
    ) -> Result<R> {
        let checked = self.arrange(params).and_then(|()| self.decide(params)).and_then(|()| check(self, params));
        if checked.is_err() {
            self.rollback(params.len());
            return checked;
        }
        self.prepare_slots(params);
        self.accept(params.len());
        self.slots.first(params.len()).iter_mut().for_each(Slot::keep);
        checked
    }

    fn try_step(&mut self, params: &mut [Param<'_, T>], factor: f64) -> Result<Report, Refusal> {
        self.arrange(params)?;
        self.demand_matches()?;
        self.decide(params)?;
        let survey = self.survey(params, factor)?;
        self.plan(params, &survey)?;
        self.prepare_slots(params);
        self.look(params, &survey)?;
        self.foresee(params, &survey)?;
        self.apply(params, &survey);
        Ok(self.commit(params.len(), &survey))
    }

    fn arrange(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        // A selector may have panicked before.
        self.groups.rollback();
        let (groups, run) = (&mut self.groups, &self.run);
        let choose = |param: &Param<'_, T>| groups.choose(param, run).map(|place| (place, groups[place].settings.clone()));
        if self.slots.arrange(params, choose)? {
            self.reserve_groups();
            self.pieces.reserve(&self.run.threads, self.slots.numbers(), self.slots.len());
        }
        Ok(())
    }

    /// Makes room in each group for as many step counts as it has parameters.
    pub(crate) fn reserve_groups(&mut self) {
        let members = self.slots.members(self.groups.len());
        self.groups.iter_mut().zip(members).for_each(|(group, members)| group.reserve(members));
    }

    /// Checks that every selector has a match in the first step, where selectors are strict.
    fn demand_matches(&self) -> Result<()> {
        match self.groups.without_match_now().next() {
            Some((selector, group)) if self.run.strict_selectors && self.run.completed == 0 => {
                Err(Error::SelectorWithoutMatch { selector: selector.to_string(), group: group.into() })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the new names.
    fn accept(&mut self, n: usize) {
        self.slots.accept(n);
        self.groups.accept();
    }

    /// Removes the new names and anchors of a step that has failed.
    fn rollback(&mut self, n: usize) {
        let known = n.min(self.slots.len());
        self.slots.first(known).iter_mut().for_each(Slot::release);
        self.slots.rollback(n);
        self.groups.rollback();
    }

    /// Decides what this step will do with each parameter, and checks that it may.
    fn decide(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.groups.iter_mut().for_each(|group| group.plan.active = 0);
        (self.numbers, self.gradients) = (0, 0);
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            self.groups.check(slot.group, param)?;
            let group = &mut self.groups[slot.group];
            (slot.step.rate, slot.step.law, slot.step.displacement, slot.step.lent) = (1.0, None, 0.0, 0.0);
            slot.step.status = match param.grad {
                _ if param.frozen || group.settings.frozen => Status::Frozen,
                None => Status::NoGradient,
                Some(_) => Status::Updated,
            };
            if slot.is_active() {
                group.plan.active += 1;
                self.gradients += slot.len;
                self.numbers = self.numbers.saturating_add(slot.numbers());
                if group.anchor == Anchor::Given && param.anchor.is_none() {
                    return Err(Error::AnchorMissing { name: param.name.into(), group: group.name.to_string() });
                }
                let decay = &group.settings.decay;
                if decay.needs_shape() && slot.shape.is_none() {
                    return Err(Error::ShapeNeeded { name: param.name.into(), by: format!("decay `{decay}`") });
                }
                if let Some(needs) = decay.refuses(slot.state.of) {
                    let found = slot.shape.map(|shape| shape.axes().into());
                    return Err(Error::ShapeRefused { name: param.name.into(), found, by: "decay", needs });
                }
            }
        }
        Ok(())
    }

    /// Works out learning rates, strengths and scalars of this step.
    fn plan(&mut self, params: &[Param<'_, T>], survey: &Survey) -> Result<(), Refusal> {
        for place in 0..self.groups.len() {
            if self.groups[place].plan.active > 0 {
                let norms = self.norms(place, params, survey)?;
                let group = &mut self.groups[place];
                group.prepare(&self.run, norms)?;
                let ([_, coupled], name) = (group.plan.effect.coupled(), &group.name);
                let average = group.settings.decay.adaptive_lambda().map_or(0.0, |_| group.plan.average.strength());
                for strength in [average, coupled] {
                    self.run.require(strength, T::LARGEST, || format!("the adaptive decay of group `{name}`"))?;
                }
            }
        }
        let mut last = None;
        for slot in self.slots.first(params.len()) {
            if slot.is_active() {
                // Most slots are as the one before.
                let wanted = (slot.group, slot.t);
                slot.step.scalars = match last {
                    Some((known, entry)) if known == wanted && !slot.state.keeps() => entry,
                    _ => self.groups[slot.group].scalars_at(slot.t.saturating_add(1), slot.state.kept())?,
                };
                last = Some((wanted, slot.step.scalars));
            }
        }
        Ok(())
    }

    /// Makes memory for parameters that are here for the first time.
    fn prepare_slots(&mut self, params: &[Param<'_, T>]) {
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            slot.prepare(param.value);
        }
    }

    fn apply(&mut self, params: &mut [Param<'_, T>], survey: &Survey) {
        let sweep = Sweep { scaling: self.run.scaling(survey), run: &self.run, groups: &self.groups };
        self.pieces.sweep(&sweep, params, self.slots.first(params.len()), self.numbers);
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
                slot.state.commit(|| *self.groups[slot.group].kept_after(slot.step.scalars));
                slot.memory.commit_law();
                slot.ceiling = slot.step.ceiling;
                slot.doubted = false;
                updated += 1;
            }
        }
        let Survey { norm, clip_factor, .. } = *survey;
        Report { updated, left_alone: n - updated, grad_norm: norm, clip_factor, skipped: false }
    }

    /// Ends a step that is skipped: new names become known, and nothing else happens.
    fn skip(&mut self, params: &[Param<'_, T>]) -> Report {
        self.run.ended = self.run.ended.saturating_add(1);
        self.slots.first(params.len()).iter_mut().for_each(|slot| slot.step.status = Status::Skipped);
        self.prepare_slots(params);
        self.accept(params.len());
        self.slots.first(params.len()).iter_mut().for_each(|slot| slot.end(self.run.ended));
        Report { updated: 0, left_alone: params.len(), grad_norm: None, clip_factor: 1.0, skipped: true }
    }
}

/// What the sweep over all parameters of a step needs beside them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep<'a, T: Real> {
    pub(crate) run: &'a Run,
    pub(crate) scaling: Scaling<T>,
    pub(crate) groups: &'a Groups<T>,
}

impl<'a, T: Real> Sweep<'a, T> {
    /// Updates these parameters.
    pub(crate) fn all(&self, params: &mut [Param<'_, T>], slots: &mut [Slot<T>], desk: &mut Desk<T>) {
        for (param, slot) in params.iter_mut().zip(slots) {
            if slot.is_active() && !self.fused(param, slot) {
                self.task(param, slot).run(desk);
            }
        }
    }

    /// Updates a parameter in one loop, if its rule and its law have one, and returns whether they
    /// have. No [`Task`] is made for it, which takes as long as updating a small parameter.
    #[inline(always)]
    fn fused(&self, param: &mut Param<'_, T>, slot: &mut Slot<T>) -> bool {
        let group = &self.groups[slot.group];
        if param.undecayed.is_some() || self.run.denormals == Denormals::Flush {
            return false;
        }
        let anchor = match group.anchor {
            Anchor::Origin | Anchor::Average { .. } => &[],
            Anchor::Start => slot.memory.first().unwrap_or_default(),
            Anchor::Given => param.anchor.unwrap_or_default(),
        };
        let motion = group.plan.scalars.rule(slot.step.scalars, slot.state.of);
        let law = slot.step.law.as_ref().unwrap_or(&group.plan.law);
        let at = Fused {
            level: self.run.level,
            scaling: self.scaling,
            rate: T::of(motion.rate * slot.step.rate),
            x: param.value,
            g: param.grad.unwrap_or_default(),
            anchor,
            state: &mut slot.state.full_columns(),
        };
        motion.rule.fused(law, at)
    }

    /// Returns what the decay of a group pulls towards, and the column of its law's own, among the columns
    /// that are kept for it. An empty slice stands for 0, and for no column.
    pub(crate) fn of_law<'t>(
        &self,
        lent: Option<&'t [T]>,
        group: usize,
        columns: [&'t mut [T]; MAX_COLUMNS],
    ) -> (&'t [T], &'t mut [T]) {
        match (self.groups[group].anchor, columns) {
            (Anchor::Start, [anchor, own, ..]) => (anchor, own),
            (Anchor::Given, [own, ..]) => (lent.unwrap_or_default(), own),
            (Anchor::Origin | Anchor::Average { .. }, [own, ..]) => (&[], own),
        }
    }

    /// Returns the work order of a parameter.
    pub(crate) fn task<'t>(&self, param: &'t mut Param<'_, T>, slot: &'t mut Slot<T>) -> Task<'t, T>
    where
        'a: 't,
    {
        let group = &self.groups[slot.group];
        let (columns, beside) = slot.memory.cells();
        let (anchor, own) = self.of_law(param.anchor, slot.group, columns);
        let motion = group.plan.scalars.rule(slot.step.scalars, slot.state.of);
        let mask = Mask::new(param.undecayed, slot.state.of);
        let (state, short) = slot.state.cells();
        Task {
            level: self.run.level,
            scaling: self.scaling,
            denormals: self.run.denormals,
            rule: motion.rule,
            rate: T::of(motion.rate * slot.step.rate),
            law: slot.step.law.as_ref().unwrap_or(&group.plan.law),
            x: param.value,
            g: param.grad.unwrap_or_default(),
            state,
            short,
            anchor,
            mask,
            own,
            beside,
            start: 0,
        }
    }
}

impl Run {
    /// Returns what a step does to every gradient.
    pub(crate) fn scaling<T: Real>(&self, survey: &Survey) -> Scaling<T> {
        let direction = if self.maximize { -1.0 } else { 1.0 };
        Scaling { factor: T::of(direction * survey.factor), bound: T::of(self.clip.bound()) }
    }
}
