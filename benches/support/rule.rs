//! The optimizers that are timed.

use wane::{Adam, Algorithm, Decay, Lamb, Lion, NonFinite, Optimizer, Settings, Sgd};

/// Small, so that weights stay what they are however often a step is repeated.
const RATE: f64 = 1e-6;

/// An update rule, or a variant of one that has a loop of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Sgd,
    Momentum,
    Nesterov,
    Adam,
    AmsGrad,
    Lion,
    Lamb,
}

impl Rule {
    /// Columns of state.
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum | Self::Nesterov | Self::Lion => 1,
            Self::Adam | Self::Lamb => 2,
            Self::AmsGrad => 3,
        }
    }

    pub(crate) fn optimizer<T: Element>(self, decay: &Decay, policy: NonFinite) -> Box<dyn Optimizer<T>> {
        match self {
            Self::Sgd => boxed(Sgd::new(RATE), decay, policy),
            Self::Momentum => boxed(Sgd::new(RATE).momentum(0.9), decay, policy),
            Self::Nesterov => boxed(Sgd::new(RATE).momentum(0.9).nesterov(true), decay, policy),
            Self::Adam => boxed(Adam::new(RATE), decay, policy),
            Self::AmsGrad => boxed(Adam::new(RATE).amsgrad(true), decay, policy),
            Self::Lion => boxed(Lion::new(RATE), decay, policy),
            Self::Lamb => boxed(Lamb::new(RATE), decay, policy),
        }
    }
}

fn boxed<A: Algorithm, T: Element>(settings: Settings<A>, decay: &Decay, policy: NonFinite) -> Box<dyn Optimizer<T>> {
    let settings = settings.weight_decay(decay.clone()).non_finite(policy);
    settings.build().expect("the settings of the benches are valid").into()
}

/// `f32` and `f64`.
pub(crate) trait Element: wane::Float + num_traits::Float {}

impl<T: wane::Float + num_traits::Float> Element for T {}
