//! The type that `build` returns: an engine under the name of its optimizer.

use std::fmt;
use std::marker::PhantomData;

use super::hyperparameters::Algorithm;
use crate::float::Float;
use crate::optimizer::{Optimizer, forward};

/// An optimizer ready to step: made by [`Settings::build`](crate::Settings::build), used
/// through [`Optimizer`].
///
/// `A` is the optimizer ([`Sgd`](crate::Sgd), [`AdamW`](crate::AdamW), [`Lion`](crate::Lion) ...),
/// `T` the type of the weights. It keeps a slot of state per parameter name, and allocates only
/// when a name is new or has its first gradient. `into` makes a `Box<dyn Optimizer<T>>` of it.
///
/// ```
/// use wane::{AdamW, Optimizer, Stepper};
///
/// struct Trainer {
///     optimizer: Stepper<AdamW, f32>,
/// }
///
/// let mut trainer = Trainer { optimizer: AdamW::new(1e-3).build()? };
/// trainer.optimizer.step_slice(&mut [1.0, 2.0], &[0.1, 0.2])?;
/// assert_eq!(trainer.optimizer.completed_steps(), 1);
/// # Ok::<(), wane::Error>(())
/// ```
pub struct Stepper<A: Algorithm, T: Float> {
    engine: Box<dyn Optimizer<T>>,
    algorithm: PhantomData<fn() -> A>,
}

impl<A: Algorithm, T: Float> Stepper<A, T> {
    pub(crate) fn new(engine: Box<dyn Optimizer<T>>) -> Self {
        Self { engine, algorithm: PhantomData }
    }
}

impl<A: Algorithm, T: Float> Clone for Stepper<A, T> {
    fn clone(&self) -> Self {
        Self::new(self.engine.clone())
    }
}

impl<A: Algorithm, T: Float> fmt::Debug for Stepper<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}

impl<A: Algorithm, T: Float> From<Stepper<A, T>> for Box<dyn Optimizer<T>> {
    fn from(stepper: Stepper<A, T>) -> Self {
        stepper.engine
    }
}

impl<A: Algorithm, T: Float> Optimizer<T> for Stepper<A, T> {
    forward!(T, [] self [.engine]);
}
