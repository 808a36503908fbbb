//! A group: parameters that share settings, and what these amount to in one step.

use std::collections::HashMap;

use crate::decay::{Anchor, Average, Decay, Effect, Pull, Rates};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, faded, rounded};
use crate::rule::Formula;
use crate::schedule::{self, Schedule};
use crate::stepper::Run;

/// The settings that a group may have of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member<F> {
    pub(crate) formula: F,
    pub(crate) decay: Decay,
    pub(crate) lr_factor: f64,
    pub(crate) frozen: bool,
}

/// A group: its settings, what a decay keeps for it, and what it works out for one step.
#[derive(Clone, Debug)]
pub(crate) struct Group<F: Formula, T: Real> {
    pub(crate) name: Box<str>,
    /// The edits that made its settings, by their place among the optimizer's edits.
    pub(crate) edits: Vec<usize>,
    pub(crate) settings: Member<F>,
    /// The running strength of an adaptive decay.
    average: Average,
    /// Of this step.
    pub(crate) plan: Plan<F, T>,
}

/// What a group works out for one step, the same for all its parameters of one step count.
#[derive(Debug)]
pub(crate) struct Plan<F: Formula, T: Real> {
    pub(crate) lr: f64,
    pub(crate) pull: Pull,
    pub(crate) average: Average,
    /// How many parameters of the group are updated.
    pub(crate) active: usize,
    /// Scalars by step count; emptied at each step, its memory is kept.
    scalars: Vec<(u64, F::Scalars<T>)>,
    /// Where the scalars of a step count are; used from the second count on.
    places: HashMap<u64, usize>,
}

/// A copy has room for as many step counts, so that its steps need not allocate either.
impl<F: Formula, T: Real> Clone for Plan<F, T> {
    fn clone(&self) -> Self {
        let mut scalars = Vec::with_capacity(self.scalars.capacity());
        scalars.extend_from_slice(&self.scalars);
        let mut places = HashMap::with_capacity(self.places.capacity());
        places.extend(&self.places);
        Self { scalars, places, ..*self }
    }
}

impl<F: Formula> Member<F> {
    /// Checks every number, and what the schedules will make of it in every step that can be foreseen, for weights of type `T`.
    pub(crate) fn check<T: Real>(&self, group: &str, run: &Run) -> Result<()> {
        self.formula.check()?;
        self.decay.check()?;
        in_range("lr_factor", self.lr_factor, self.lr_factor >= 0.0, "a finite number, at least 0")?;
        if self.decay.needs_peak() && run.peak == 0.0 {
            return Err(Error::conflict("independent or timescale decay", "a peak learning rate above 0", "0"));
        }
        let at_peak = Rates::at(run.peak, 1.0, self.lr_factor);
        rounded::<T>("learning rate", at_peak.now)?;
        self.formula.scalars::<T>(at_peak.now, 1)?;
        self.decay.effect(at_peak, 1.0, 0.0).check::<T>()?;
        let course = |k, [lr, decay]: [f64; 2]| self.strength::<T>(group, Rates::at(run.peak, lr, self.lr_factor), decay, 0.0, k);
        let schedules = [&run.schedule, self.decay.strength_schedule()];
        match schedule::first_step(schedules, |k, multipliers| course(k, multipliers).is_err()) {
            Some(k) => course(k, schedules.map(|schedule: &Schedule| schedule.multiplier(k))).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Returns the rate, and what the decay amounts to, at these rates, at this multiplier of its schedule and with this average.
    pub(crate) fn strength<T: Real>(
        &self,
        group: &str,
        rates: Rates,
        multiplier: f64,
        average: f64,
        step: u64,
    ) -> Result<(f64, Effect)> {
        let effect = self.decay.effect(rates, multiplier, average);
        let share = effect.share();
        if !(0.0..1.0).contains(&share) {
            return Err(Error::ShrinkOutOfRange { group: group.into(), decay: self.decay.to_string(), share, step });
        }
        let effect = if self.decay.adaptive_lambda().is_some() { effect } else { effect.faded::<T>()? };
        Ok((faded::<T>("learning rate", rates.now)?, effect))
    }
}

impl<F: Formula, T: Real> Group<F, T> {
    pub(crate) fn new(name: &str, edits: Vec<usize>, settings: Member<F>) -> Self {
        let pull = Pull { effect: Effect::Free, anchored: settings.decay.anchor() != Anchor::Origin };
        let average = Average::default();
        let plan = Plan { lr: 0.0, pull, average, active: 0, scalars: Vec::new(), places: HashMap::new() };
        Self { name: name.into(), edits, settings, average, plan }
    }

    /// The rate and strength of step k, from the norms of gradient and distance where the decay looks at them.
    pub(crate) fn prepare(&mut self, run: &Run, norms: Option<[f64; 2]>) -> Result<()> {
        let decay = &self.settings.decay;
        let average = match (decay.adaptive_lambda(), norms) {
            (Some(lambda), Some([gradient, distance])) => self.average.next(lambda, gradient, distance),
            _ => self.average,
        };
        let (lr, effect) = self.strength(run, average)?;
        self.plan.lr = lr;
        self.plan.average = average;
        self.plan.pull.effect = effect;
        self.plan.clear();
        Ok(())
    }

    /// Returns the rate and what the decay will amount to in the next step; for an adaptive one, at its average so far.
    pub(crate) fn outlook(&self, run: &Run) -> (f64, Effect) {
        let rates = Rates::of(run, self.settings.lr_factor);
        let multiplier = self.settings.decay.strength_schedule().multiplier(run.completed);
        (rates.now, self.settings.decay.effect(rates, multiplier, self.average.strength()))
    }

    /// Checks what the next step would make of these settings.
    pub(crate) fn check_next(&self, run: &Run) -> Result<()> {
        rounded::<T>("learning rate", run.rate() * self.settings.lr_factor)?;
        self.strength(run, self.average).map(|_| ())
    }

    fn strength(&self, run: &Run, average: Average) -> Result<(f64, Effect)> {
        let rates = Rates::of(run, self.settings.lr_factor);
        let multiplier = self.settings.decay.strength_schedule().multiplier(run.completed);
        self.settings.strength::<T>(&self.name, rates, multiplier, average.strength(), run.completed)
    }

    /// Returns the place in the plan of the scalars for update number `t`, which are worked out if they are not there.
    pub(crate) fn scalars_at(&mut self, t: u64) -> Result<usize> {
        if let Some(known) = self.plan.find(t) {
            return Ok(known);
        }
        let scalars = self.settings.formula.scalars(self.plan.lr, t)?;
        Ok(self.plan.insert(t, scalars))
    }

    pub(crate) fn scalars(&self, index: usize) -> &F::Scalars<T> {
        &self.plan.scalars[index].1
    }

    /// Room for as many step counts as there are parameters, so that a step need not allocate.
    pub(crate) fn reserve(&mut self, params: usize) {
        self.plan.scalars.reserve(params);
        self.plan.places.reserve(params);
    }

    /// The step has been taken. A strength that is not finite, which only `LetThrough` lets pass, is forgotten.
    pub(crate) fn commit(&mut self) {
        if self.plan.active > 0 && self.plan.average.strength().is_finite() {
            self.average = self.plan.average;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.average = Average::default();
    }
}

impl<F: Formula, T: Real> Plan<F, T> {
    /// Most steps have one count for all, so the last one is tried before the table is asked.
    fn find(&self, t: u64) -> Option<usize> {
        match self.scalars.last() {
            Some((last, _)) if *last == t => Some(self.scalars.len() - 1),
            _ => self.places.get(&t).copied(),
        }
    }

    fn insert(&mut self, t: u64, scalars: F::Scalars<T>) -> usize {
        if self.scalars.len() == 1 {
            self.places.insert(self.scalars[0].0, 0);
        }
        if !self.scalars.is_empty() {
            self.places.insert(t, self.scalars.len());
        }
        self.scalars.push((t, scalars));
        self.scalars.len() - 1
    }

    /// Takes out what is there, one by one: emptying a table costs as much as its largest step did.
    fn clear(&mut self) {
        if self.scalars.len() > 1 {
            for (t, _) in &self.scalars {
                self.places.remove(t);
            }
        }
        self.scalars.clear();
    }
}
