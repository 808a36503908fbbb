//! The engine: an optimizer with its memory, behind the trait [`Optimizer`]. It alone knows names
//! and groups. What a step does is in `step.rs`.

mod catch_up;
mod exchange;
mod foresight;
mod group;
mod groups;
mod hyperparameters;
mod norms;
mod outlook;
mod run;
mod selector;
mod settings;
mod share;
mod slot;
mod slots;
mod stable;
mod state;
mod step;
mod stepper;
mod survey;
mod tune;
mod whole;

pub use hyperparameters::Algorithm;
pub(crate) use hyperparameters::{
    Erase, Hyperparameters, Kept, Motion, Options, Reach, Setting, algorithm, compiled, numbers, sealed, switch,
};
pub use selector::Selector;
pub use settings::{GroupScope, OptimizerScope, Settings};
pub use stepper::Stepper;
pub(crate) use whole::{Parameter, Prepared};

use crate::decay::Decay;
use crate::description::Description;
use crate::error::{Result, in_range};
use crate::float::Real;
use crate::optimizer::Optimizer;
use crate::param::Param;
use crate::report::{Report, Status};
use crate::state::{Loaded, Loading, ParameterState, State};
use foresight::Stage;
use group::{Group, Member};
use groups::{Edit, Groups};
use run::Run;
use share::Pieces;
use slot::Slot;
use slots::Slots;

/// Everything that an engine is made from.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) run: Run,
    pub(crate) base: Member,
    pub(crate) edits: Vec<Edit>,
    pub(crate) selectors: Vec<(String, Selector)>,
}

/// What is behind every [`Stepper`](crate::Stepper).
#[derive(Clone, Debug)]
pub(crate) struct Engine<T: Real> {
    pub(crate) run: Run,
    pub(crate) groups: Groups<T>,
    pub(crate) slots: Slots<T>,
    pub(crate) stage: Stage<T>,
    pub(crate) pieces: Pieces<T>,
    /// How many numbers a step reads and writes, and how many gradients these are.
    pub(crate) numbers: usize,
    pub(crate) gradients: usize,
}

impl<T: Real> Engine<T> {
    /// Makes an engine, and checks everything that can be checked before the first step.
    pub(crate) fn new(recipe: Recipe) -> Result<Self> {
        let Recipe { run, base, edits, selectors } = recipe;
        run.check::<T>()?;
        let groups = Groups::new(base, edits, selectors, &run)?;
        let (stage, pieces) = Default::default();
        Ok(Self { run, groups, slots: Slots::new(), stage, pieces, numbers: 0, gradients: 0 })
    }

    fn status_of(&self, slot: &Slot<T>) -> Status {
        match slot.status {
            Status::Registered => Status::Registered,
            status if slot.seen == self.run.ended => status,
            _ => Status::Absent,
        }
    }
}

impl<T: Real> Optimizer<T> for Engine<T> {
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report> {
        self.step_or_skip(params, gradient_factor)
    }

    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.introduce(params)
    }

    fn capture_anchors(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.introduce(params)?;
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            slot.capture(param.value);
        }
        Ok(())
    }

    fn catch_up(&mut self, params: &mut [Param<'_, T>]) -> Result<()> {
        self.settle_debts(params)
    }

    fn assign(&mut self, name: &str, group: &str) -> Result<()> {
        let slot = self.slots.get_mut(name)?;
        let place = self.groups.find(group, &self.run)?;
        let [before, now] = [slot.group, place].map(|place| &self.groups[place].settings);
        slot.regroup(place, now);
        if before.options != now.options && slot.t > 0 {
            // What one optimizer has left in its state is within no bounds of another.
            slot.ceiling.gradient = f64::INFINITY;
        }
        self.reserve_groups();
        Ok(())
    }

    fn resize(&mut self, param: &Param<'_, T>) -> Result<()> {
        let slot = self.slots.get_mut(param.name)?;
        slot.resize(param, &self.groups[slot.group].settings)
    }

    fn set_weight_decay(&mut self, group: &str, decay: Decay) -> Result<()> {
        let place = self.groups.known(group, "`set_weight_decay`")?;
        let next = self.groups[place].clone().decaying(decay);
        next.check(&self.run)?;
        self.slots.of_group(place).for_each(|slot| slot.regroup(place, &next.settings));
        self.groups[place] = next;
        Ok(())
    }

    fn tune_decay(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        self.tune(params)
    }

    fn decay_strength(&self, group: &str) -> Option<f64> {
        let known = self.groups.iter().find(|known| *known.name == *group && known.is_adaptive());
        known.map(Group::average)
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

    fn columns(&self, name: &str) -> Option<Vec<&'static str>> {
        let slot = self.slots.get(name)?;
        let columns = slot.state.columns.iter().chain(&slot.memory.columns);
        Some(columns.map(|column| column.name).collect())
    }

    fn state(&self, name: &str, column: &str) -> Option<&[T]> {
        let slot = self.slots.get(name)?;
        let of_rule = if slot.has_state() { slot.state.get(column) } else { None };
        of_rule.or_else(|| slot.memory.get(column).filter(|numbers| !numbers.is_empty()))
    }

    fn restore_state(&mut self, name: &str, column: &str, values: &[T]) -> Result<()> {
        let slot = self.slots.get_mut(name)?;
        if slot.memory.has(column) {
            slot.memory.restore(name, column, values)?;
            slot.ceiling.weight = f64::INFINITY;
            return Ok(());
        }
        // A length that only a state has spoken of is not made.
        if slot.waits && slot.state.is_missing() && !slot.state.is_worth(values.len()) {
            return Err(slot.state.no_such(name, column, values.len()));
        }
        slot.state.restore(name, column, values)?;
        // Nothing is known of what these numbers come from.
        slot.ceiling.gradient = f64::INFINITY;
        Ok(())
    }

    fn export(&self) -> State<'_> {
        self.lend()
    }

    fn export_parameter(&self, name: &str) -> Option<ParameterState<'_>> {
        self.lend_parameter(name)
    }

    fn import(&mut self, state: State<'_>, loading: &Loading) -> Result<Loaded> {
        self.take(state, loading)
    }

    fn import_parameter(&mut self, state: ParameterState<'_>) -> Result<()> {
        self.take_parameter(state)
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
