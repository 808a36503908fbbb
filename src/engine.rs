//! The engine: an optimizer with its memory, and how it is asked and told. What a step does is in `step.rs`.

use crate::decay::Anchor;
use crate::describe::Description;
use crate::error::{Result, in_range};
use crate::float::Real;
use crate::foresight::Stage;
use crate::groups::Groups;
use crate::optimizer::Optimizer;
use crate::param::Param;
use crate::report::{Report, Status};
use crate::rule::Formula;
use crate::settings::Recipe;
use crate::slot::Slot;
use crate::slots::Slots;
use crate::stepper::Run;

/// What is behind every [`Stepper`](crate::Stepper).
#[derive(Clone, Debug)]
pub(crate) struct Engine<F: Formula, T: Real> {
    pub(crate) run: Run,
    pub(crate) groups: Groups<F, T>,
    pub(crate) slots: Slots<T>,
    pub(crate) stage: Stage<T>,
}

impl<F: Formula, T: Real> Engine<F, T> {
    /// Checks everything.
    pub(crate) fn new(recipe: Recipe<F>) -> Result<Self> {
        let Recipe { run, base, edits, policies } = recipe;
        run.check::<T>()?;
        let groups = Groups::new(base, edits, policies, &run)?;
        Ok(Self { run, groups, slots: Slots::new(), stage: Stage::default() })
    }

    fn status_of(&self, slot: &Slot<T>) -> Status {
        match slot.status {
            Status::Registered => Status::Registered,
            status if slot.seen == self.run.ended => status,
            _ => Status::Absent,
        }
    }

    fn columns_of(&self, slot: &Slot<T>) -> &'static [&'static str] {
        self.groups[slot.group].settings.formula.columns()
    }
}

impl<F: Formula, T: Real> Optimizer<T> for Engine<F, T> {
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report> {
        self.advance(params, gradient_factor)
    }

    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.enrol(params)
    }

    fn capture_anchors(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.enrol(params)?;
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            if self.groups[slot.group].settings.decay.anchor() == Anchor::Start {
                slot.capture(param.value);
            }
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, group: &str) -> Result<()> {
        let slot = self.slots.get_mut(name)?;
        let place = self.groups.find(group, &self.run)?;
        let [before, now] = [slot.group, place].map(|place| &self.groups[place].settings);
        slot.regroup(place, before.formula.columns(), now.formula.columns());
        if before.formula != now.formula && slot.t > 0 {
            // What one optimizer has left in its state is within no bounds of another.
            slot.ceiling.gradient = f64::INFINITY;
        }
        if now.decay.anchor() != Anchor::Start {
            slot.anchor = Vec::new();
        }
        let slots = self.slots.len();
        self.groups[place].reserve(slots);
        Ok(())
    }

    fn resize(&mut self, param: &Param<'_, T>) -> Result<()> {
        self.slots.resize(param)
    }

    fn learning_rate(&self) -> f64 {
        self.run.rate()
    }

    fn peak_learning_rate(&self) -> f64 {
        self.run.peak
    }

    fn set_learning_rate(&mut self, lr: f64) -> Result<()> {
        in_range("learning rate", lr, lr >= 0.0, "a finite number, at least 0")?;
        let before = self.run.manual.replace(lr);
        let checked = self.groups.iter().try_for_each(|group| group.check_next(&self.run));
        if checked.is_err() {
            self.run.manual = before;
        }
        checked
    }

    fn resume_schedule(&mut self) {
        self.run.manual = None;
    }

    fn completed_steps(&self) -> u64 {
        self.run.completed
    }

    fn names(&self) -> Vec<&str> {
        self.slots.by_birth().into_iter().map(|slot| &*slot.name).collect()
    }

    fn steps_of(&self, name: &str) -> Option<u64> {
        self.slots.get(name).map(|slot| slot.t)
    }

    fn columns(&self, name: &str) -> Option<&'static [&'static str]> {
        self.slots.get(name).map(|slot| self.columns_of(slot))
    }

    fn state(&self, name: &str, column: &str) -> Option<&[T]> {
        let slot = self.slots.get(name).filter(|slot| slot.t > 0)?;
        let at = self.columns_of(slot).iter().position(|known| *known == column)?;
        slot.state.get(at * slot.len..(at + 1) * slot.len)
    }

    fn status(&self, name: &str) -> Option<Status> {
        self.slots.get(name).map(|slot| self.status_of(slot))
    }

    fn forget(&mut self, name: &str) -> bool {
        self.slots.forget(name)
    }

    fn reset(&mut self) {
        self.slots.clear();
        self.groups.reset();
        self.run.reset();
    }

    fn describe(&self) -> Description {
        Description::of(&self.run, &self.groups, &self.slots.by_birth(), |slot| self.status_of(slot))
    }

    fn boxed_clone(&self) -> Box<dyn Optimizer<T>> {
        Box::new(self.clone())
    }
}
