//! A group: parameters that share settings, and what these amount to in one step.

#![expect(clippy::indexing_slicing, reason = "a plan's entries are counted as they are added")]

use std::collections::HashMap;

use super::hyperparameters::{AnyScalars, Kept, MAX_KEPT, Options, Setting, numbers, switch};
use super::run::Run;
use super::state::State;
use crate::decay::{Anchor, AnyLaw, Average, Decay, Rates, StepDecay};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, faded, rounded};
use crate::kernel::column::Matrices;
use crate::schedule::{self, Schedule};

/// The settings that a group may have of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) options: Options,
    pub(crate) decay: Decay,
    pub(crate) lr_factor: f64,
    pub(crate) frozen: bool,
}

/// A group: its settings, what a decay keeps for it, and what it works out for one step.
#[derive(Clone, Debug)]
pub(crate) struct Group<T> {
    pub(crate) name: Box<str>,
    /// The edits that made its settings, by their place among the optimizer's edits.
    pub(crate) edits: Vec<usize>,
    pub(crate) settings: Member,
    /// What its decay pulls towards, as in `settings`.
    pub(crate) anchor: Anchor,
    /// The running strength of an adaptive decay.
    average: Average,
    /// What the plan's learning rate and law were worked out from.
    planned: Option<(Rates, f64, Average)>,
    /// What is worked out for the present step.
    pub(crate) plan: Plan<T>,
}

/// What a group works out for one step, the same for all its parameters of one step count.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    pub(crate) lr: f64,
    pub(crate) effect: StepDecay,
    pub(crate) law: AnyLaw<T>,
    pub(crate) average: Average,
    /// How many parameters of the group are updated.
    pub(crate) active: usize,
    /// Scalars, an entry for each step count; emptied at each step, their memory is kept.
    pub(crate) scalars: Box<dyn AnyScalars<T>>,
    entries: Vec<Entry<T>>,
    /// Where the entry of a step count is; used from the second one on.
    places: HashMap<Key, usize>,
}

/// What scalars depend on, beside settings and learning rate, and what is kept after the step.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    t: u64,
    kept: Kept<T>,
    next: Kept<T>,
}

/// A step count, and the bits of the kept numbers.
type Key = (u64, [u64; MAX_KEPT]);

fn key<T: Real>(t: u64, kept: &Kept<T>) -> Key {
    (t, kept.map(|x| x.widen().to_bits()))
}

/// A copy has room for as many step counts, so that its steps need not allocate either.
impl<T: Clone> Clone for Plan<T> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.capacity());
        entries.extend_from_slice(&self.entries);
        let mut places = HashMap::with_capacity(self.places.capacity());
        places.extend(&self.places);
        Self { scalars: self.scalars.clone(), law: self.law.clone(), entries, places, ..*self }
    }
}

impl Member {
    /// Returns the settings as a [state](crate::state) keeps them.
    pub(crate) fn list(&self) -> Vec<Setting> {
        let mut list = vec![("weight_decay", self.decay.to_string()), numbers("lr_factor", &[self.lr_factor])];
        list.extend(switch("frozen", self.frozen));
        list.extend(self.options.any().list());
        list
    }

    /// Checks every number, and what the schedules will make of it in every step that can be
    /// foreseen, for weights of type `T`.
    pub(crate) fn check<T: Real>(&self, group: &str, run: &Run) -> Result<()> {
        self.options.any().check()?;
        self.decay.check()?;
        in_range("lr_factor", self.lr_factor, self.lr_factor >= 0.0, "a finite number, at least 0")?;
        if self.decay.needs_peak() && run.peak == 0.0 {
            return Err(Error::conflict("independent or timescale decay", "a peak learning rate above 0", "0"));
        }
        let at_peak = Rates::at(run.peak, 1.0, self.lr_factor);
        rounded::<T>("learning rate", at_peak.now)?;
        let mut start = State::new(&self.options, Matrices::of(&[])).kept();
        self.options.scalars::<T>().push(at_peak.now, 1, &mut start)?;
        self.check_moments::<T>(run)?;
        let start = self.decay.start().strength();
        self.decay.in_step(at_peak, 1.0, start).check::<T>()?;
        let course =
            |k, [lr, decay]: [f64; 2]| self.strength::<T>(group, Rates::at(run.peak, lr, self.lr_factor), decay, start, k);
        let schedules = [&run.schedule, self.decay.strength_schedule()];
        match schedule::first_step(schedules, |k, multipliers| course(k, multipliers).is_err()) {
            Some(k) => course(k, schedules.map(|schedule: &Schedule| schedule.multiplier(k))).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Checks that the optimizer has second moments, and carries a steady gradient so far, as a decay
    /// that is measured in them needs.
    fn check_moments<T: Real>(&self, run: &Run) -> Result<()> {
        const DECAY: &str = "stable weight decay";
        let pace = self.options.any().pace();
        if !self.decay.is_stable() {
            return Ok(());
        }
        if self.options.scalars::<T>().looks() {
            return Err(Error::conflict(DECAY, "second moments that are known before whole parameters are looked at", run.name));
        }
        if !(0.0..f64::INFINITY).contains(&pace) {
            return Err(Error::conflict(DECAY, "a momentum below 1, and a dampening of at most 1", format!("a pace of {pace}")));
        }
        Ok(())
    }

    /// Returns the learning rate, and what the decay amounts to, at these rates, at this multiplier
    /// of its schedule and with this average.
    pub(crate) fn strength<T: Real>(
        &self,
        group: &str,
        rates: Rates,
        multiplier: f64,
        average: f64,
        step: u64,
    ) -> Result<(f64, StepDecay)> {
        let effect = self.decay.in_step(rates, multiplier, average);
        if let Some((share, allowed)) = effect.refused() {
            return Err(Error::ShrinkOutOfRange { group: group.into(), decay: self.decay.to_string(), share, allowed, step });
        }
        // An adaptive strength is checked in `plan`, where `NonFinite` decides what becomes of it.
        let effect = if self.decay.adaptive_lambda().is_some() { effect } else { effect.faded::<T>()? };
        Ok((faded::<T>("learning rate", rates.now)?, effect))
    }
}

impl<T: Real> Group<T> {
    pub(crate) fn new(name: &str, edits: Vec<usize>, settings: Member) -> Self {
        let (anchor, average) = (settings.decay.anchor(), settings.decay.start());
        let plan = Plan {
            lr: 0.0,
            effect: StepDecay::default(),
            law: AnyLaw::of(StepDecay::default(), anchor),
            average,
            active: 0,
            scalars: settings.options.scalars(),
            entries: Vec::new(),
            places: HashMap::new(),
        };
        Self { name: name.into(), edits, settings, anchor, average, planned: None, plan }
    }

    /// Takes another decay, which begins to find its strength anew.
    pub(crate) fn decaying(mut self, decay: Decay) -> Self {
        (self.anchor, self.average, self.planned) = (decay.anchor(), decay.start(), None);
        self.settings.decay = decay;
        self
    }

    /// Works out the learning rate and the decay's strength of a step, from the norms of gradient
    /// and distance where the decay looks at them.
    pub(crate) fn prepare(&mut self, run: &Run, norms: Option<[f64; 2]>) -> Result<()> {
        let decay = &self.settings.decay;
        let average = match (decay.adaptive_lambda(), norms) {
            (Some(lambda), Some([gradient, distance])) => self.average.next(lambda, gradient, distance),
            // It is worked out once the moves are known.
            _ if decay.is_stable() => Average::default(),
            _ => self.average,
        };
        self.plan.clear();
        let rates = Rates::now(run.peak, run.rate(), self.settings.lr_factor);
        let now = (rates, self.settings.decay.strength_schedule().multiplier(run.completed), average);
        if self.planned != Some(now) {
            let (lr, effect) = self.strength(run, average)?;
            (self.plan.lr, self.plan.effect, self.plan.law) = (lr, effect, AnyLaw::of(effect, self.anchor));
            self.plan.average = average;
            self.planned = Some(now);
        }
        Ok(())
    }

    /// Works out the strength of a decay that is measured in the root of the mean second moment.
    pub(crate) fn stabilize(&mut self, run: &Run, root: f64) -> Result<()> {
        let average = Average::of(if root == 0.0 { 0.0 } else { self.settings.options.any().pace() / root });
        let (_, effect) = self.strength(run, average)?;
        (self.plan.effect, self.plan.law, self.plan.average) = (effect, AnyLaw::of(effect, self.anchor), average);
        self.planned = None;
        Ok(())
    }

    /// Returns whether it was defined as such, and not joined from others.
    pub(crate) fn is_defined(&self) -> bool {
        self.edits.len() < 2
    }

    /// Returns whether the group's optimizer or law looks at whole parameters.
    pub(crate) fn looks(&self) -> bool {
        self.plan.scalars.looks() || self.plan.law.looks()
    }

    /// Returns whether the decay acts on the distance from an anchor.
    pub(crate) fn is_anchored(&self) -> bool {
        self.anchor != Anchor::Origin
    }

    /// Returns the learning rate and what the decay will amount to in the next step; for an
    /// adaptive decay, at its average so far.
    pub(crate) fn outlook(&self, run: &Run) -> (f64, StepDecay) {
        let rates = Rates::now(run.peak, run.rate(), self.settings.lr_factor);
        let multiplier = self.settings.decay.strength_schedule().multiplier(run.completed);
        (rates.now, self.settings.decay.in_step(rates, multiplier, self.average.strength()))
    }

    /// Checks its settings, and what the next step would make of them.
    pub(crate) fn check(&self, run: &Run) -> Result<()> {
        let checked = self.settings.check::<T>(&self.name, run);
        checked.map_err(|error| self.at_fault(error)).and_then(|()| self.check_next(run))
    }

    /// Says that an error is this group's, unless it is the optimizer itself.
    fn at_fault(&self, error: Error) -> Error {
        if self.edits.is_empty() { error } else { error.in_group(&self.name) }
    }

    /// Checks what the next step would make of these settings.
    pub(crate) fn check_next(&self, run: &Run) -> Result<()> {
        self.check_at(run, self.average())
    }

    /// Checks what the next step would make of these settings at this running strength. Where it is
    /// measured in second moments, only the step knows them.
    pub(crate) fn check_at(&self, run: &Run, average: f64) -> Result<()> {
        let average = if self.settings.decay.is_stable() { 0.0 } else { average };
        let checked = rounded::<T>("learning rate", run.rate() * self.settings.lr_factor);
        let checked = checked.and_then(|_| self.strength(run, Average::of(average)).map(|_| ()));
        checked.map_err(|error| self.at_fault(error))
    }

    fn strength(&self, run: &Run, average: Average) -> Result<(f64, StepDecay)> {
        let rates = Rates::now(run.peak, run.rate(), self.settings.lr_factor);
        let multiplier = self.settings.decay.strength_schedule().multiplier(run.completed);
        self.settings.strength::<T>(&self.name, rates, multiplier, average.strength(), run.completed)
    }

    /// Returns the place in the plan of the scalars for update number `t`, which are worked out if
    /// they are not there.
    pub(crate) fn scalars_at(&mut self, t: u64, kept: Kept<T>) -> Result<usize> {
        if let Some(known) = self.plan.find(t, &kept) {
            return Ok(known);
        }
        let mut next = kept;
        self.plan.scalars.push(self.plan.lr, t, &mut next)?;
        Ok(self.plan.insert(Entry { t, kept, next }))
    }

    /// Returns what a parameter keeps after this step.
    pub(crate) fn kept_after(&self, entry: usize) -> &Kept<T> {
        &self.plan.entries[entry].next
    }

    /// Makes room for as many step counts as there are parameters, so that a step
    /// need not allocate.
    pub(crate) fn reserve(&mut self, params: usize) {
        self.plan.scalars.reserve(params);
        self.plan.entries.reserve(params);
        self.plan.places.reserve(params);
    }

    /// Keeps the average of a step that has been taken. A strength that is not finite, which only
    /// `Propagate` lets pass, is not kept.
    pub(crate) fn commit(&mut self) {
        if self.plan.active > 0 && self.plan.average.strength().is_finite() {
            self.average = self.plan.average;
        }
    }

    /// Returns whether it remembers what its decay's strength has found.
    pub(crate) fn is_adaptive(&self) -> bool {
        self.settings.decay.is_remembered()
    }

    /// Returns what its decay's strength has found.
    pub(crate) fn average(&self) -> f64 {
        self.average.strength()
    }

    /// Takes the running strength that a state has.
    pub(crate) fn take(&mut self, average: f64) {
        self.average = Average::of(average);
    }

    /// Goes back to these settings, and forgets what its decay's strength has found.
    pub(crate) fn reset(&mut self, settings: Member) {
        (self.anchor, self.average, self.planned) = (settings.decay.anchor(), settings.decay.start(), None);
        self.settings = settings;
    }
}

impl<T: Real> Plan<T> {
    /// Returns the place of the scalars for this step count, if they are there. In most steps all
    /// parameters have one count, so the last entry is tried before the table.
    fn find(&self, t: u64, kept: &Kept<T>) -> Option<usize> {
        match self.entries.last() {
            Some(last) if last.t == t && last.kept == *kept => Some(self.entries.len() - 1),
            Some(_) if self.entries.len() > 1 => self.places.get(&key(t, kept)).copied(),
            _ => None,
        }
    }

    fn insert(&mut self, entry: Entry<T>) -> usize {
        let place = self.entries.len();
        self.entries.push(entry);
        // The table is filled from the second entry on: most steps have one, and need no table.
        match place {
            0 => {}
            1 => self.places.extend(self.entries.iter().map(|entry| key(entry.t, &entry.kept)).zip(0..)),
            _ => drop(self.places.insert(key(entry.t, &entry.kept), place)),
        }
        place
    }

    /// Takes out all entries; their memory stays.
    fn clear(&mut self) {
        // One by one: clearing the table costs as much as the largest step did, after
        // a small one too.
        if self.entries.len() > 1 {
            for entry in &self.entries {
                self.places.remove(&key(entry.t, &entry.kept));
            }
        }
        self.entries.clear();
        self.scalars.clear();
    }
}
