//! An optimizer with its memory: what `build` makes, and how it is asked and told. What a step does is in `step.rs`.

use crate::clip::{Clip, NonFinite};
use crate::describe::Description;
use crate::error::{Result, in_range};
use crate::float::Float;
use crate::group::{Group, Policy};
use crate::kernel::Level;
use crate::optimizer::Optimizer;
use crate::param::Param;
use crate::report::{Report, Status};
use crate::rule::{Algorithm, Formula};
use crate::schedule::Schedule;
use crate::slots::{Slot, Slots};

/// An optimizer ready to step: made by [`Settings::build`](crate::Settings::build), used through [`Optimizer`].
///
/// `A` is the optimizer ([`Sgd`](crate::Sgd), [`Adam`](crate::Adam), [`Lion`](crate::Lion)), `T` the type of the weights. It keeps a slot of state
/// per parameter name, and allocates only when a name is new or has its first gradient.
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
    pub(crate) run: Run,
    pub(crate) groups: Vec<Group<A>>,
    pub(crate) policies: Vec<(usize, Policy)>,
    pub(crate) slots: Slots<T>,
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

impl<A: Formula, T: Float> Stepper<A, T> {
    pub(crate) fn new(run: Run, groups: Vec<Group<A>>, policies: Vec<(usize, Policy)>) -> Self {
        Self { run, groups, policies, slots: Slots::new() }
    }
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
