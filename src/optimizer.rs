//! The trait that every optimizer implements.

use std::fmt::Debug;

use crate::describe::Description;
use crate::error::Result;
use crate::float::Float;
use crate::param::Param;
use crate::report::{Report, Status};

/// An optimizer: object safe, so that a program can pick one at run time.
///
/// A step is all or nothing: names, lengths, shapes, settings, gradients and norms are checked before the first write, and after an
/// error no weight and no state has changed by one bit.
///
/// ```
/// use wane::{AdamW, Lion, Optimizer, Param};
///
/// let mut opt: Box<dyn Optimizer<f32>> = if cfg!(feature = "never") {
///     Box::new(Lion::new(1e-4).build()?)
/// } else {
///     Box::new(AdamW::new(1e-3).build()?)
/// };
/// let (mut w, g) = (vec![0.5_f32; 4], vec![0.1_f32; 4]);
/// opt.step(&mut [Param::new("w", &mut w, &g)])?;
/// assert_eq!(opt.state("w", "exp_avg").map(<[f32]>::len), Some(4));
/// # Ok::<(), wane::Error>(())
/// ```
pub trait Optimizer<T: Float>: Debug + Send + Sync {
    /// One step on gradients that are multiplied by `gradient_factor` first: 1/scale for scaled losses, 1/n after n accumulated
    /// batches. Gradients are not written.
    ///
    /// # Errors
    ///
    /// A bad factor (it must be finite and above 0), name, length, shape or group; a gradient or norm that is not finite under
    /// [`NonFinite::Error`](crate::NonFinite::Error); a decay whose share leaves [0, 1). Nothing has changed then.
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report>;

    /// One step.
    ///
    /// # Errors
    ///
    /// As [`step_scaled`](Self::step_scaled).
    fn step(&mut self, params: &mut [Param<'_, T>]) -> Result<Report> {
        self.step_scaled(params, 1.0)
    }

    /// One step on one flat slice, under the reserved name `(slice)`. The optimizer then has no other parameter: named ones are refused before
    /// and after. Use one optimizer for each slice; another slice of the same length cannot be told from the first.
    ///
    /// The same with a shape, a group or a gradient factor: [`Param::slice`] in [`step_scaled`](Self::step_scaled).
    ///
    /// # Errors
    ///
    /// As [`step_scaled`](Self::step_scaled).
    fn step_slice(&mut self, weights: &mut [T], grads: &[T]) -> Result<Report> {
        self.step(&mut [Param::slice(weights, grads)])
    }

    /// Makes parameters known without a step: checks them, chooses their groups, captures anchors. Optional: a step does it too.
    ///
    /// # Errors
    ///
    /// A bad name, length, shape or group, as in a step.
    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()>;

    /// The learning rate of the next step, before any group's factor.
    fn learning_rate(&self) -> f64;

    /// The peak learning rate, which independent decay is measured against.
    fn peak_learning_rate(&self) -> f64;

    /// From now on the learning rate is `lr`, whatever the schedule says; the peak stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `lr` is finite and at least 0.
    fn set_learning_rate(&mut self, lr: f64) -> Result<()>;

    /// Undoes [`set_learning_rate`](Self::set_learning_rate): the rate is peak × schedule again.
    fn resume_schedule(&mut self);

    /// The number of completed steps k, which schedules see.
    fn completed_steps(&self) -> u64;

    /// The number of updates t of one parameter; `None` for a name not seen.
    fn steps_of(&self, name: &str) -> Option<u64>;

    /// A column of a parameter's state, by PyTorch's name (`exp_avg`, `momentum_buffer` ...); `None` before its first update.
    fn state(&self, name: &str, column: &str) -> Option<&[T]>;

    /// What became of a parameter in the last step; `None` for a name not seen.
    fn status(&self, name: &str) -> Option<Status>;

    /// Drops a parameter's state and name; false if there was none.
    fn forget(&mut self, name: &str) -> bool;

    /// Back to the moment after `build`: no names, no state, no counts, the scheduled learning rate.
    fn reset(&mut self);

    /// All parameters with their groups and effective settings, as a table to print.
    fn describe(&self) -> Description;

    /// A copy with all its state, behind a box.
    fn boxed_clone(&self) -> Box<dyn Optimizer<T>>;
}

impl<T: Float> Clone for Box<dyn Optimizer<T>> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

impl<T: Float, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O>
where
    Self: Debug + Send + Sync,
{
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report> {
        (**self).step_scaled(params, gradient_factor)
    }
    fn step(&mut self, params: &mut [Param<'_, T>]) -> Result<Report> {
        (**self).step(params)
    }
    fn step_slice(&mut self, weights: &mut [T], grads: &[T]) -> Result<Report> {
        (**self).step_slice(weights, grads)
    }
    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        (**self).register(params)
    }
    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }
    fn peak_learning_rate(&self) -> f64 {
        (**self).peak_learning_rate()
    }
    fn set_learning_rate(&mut self, lr: f64) -> Result<()> {
        (**self).set_learning_rate(lr)
    }
    fn resume_schedule(&mut self) {
        (**self).resume_schedule();
    }
    fn completed_steps(&self) -> u64 {
        (**self).completed_steps()
    }
    fn steps_of(&self, name: &str) -> Option<u64> {
        (**self).steps_of(name)
    }
    fn state(&self, name: &str, column: &str) -> Option<&[T]> {
        (**self).state(name, column)
    }
    fn status(&self, name: &str) -> Option<Status> {
        (**self).status(name)
    }
    fn forget(&mut self, name: &str) -> bool {
        (**self).forget(name)
    }
    fn reset(&mut self) {
        (**self).reset();
    }
    fn describe(&self) -> Description {
        (**self).describe()
    }
    fn boxed_clone(&self) -> Box<dyn Optimizer<T>> {
        (**self).boxed_clone()
    }
}
