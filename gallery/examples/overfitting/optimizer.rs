//! The optimizers that are compared, and how decay is kept to the weight matrices.

use std::fmt;

use clap::ValueEnum;
use ndarray::{Array, Dimension};
use wane::{Adam, AdamW, Algorithm, Decay, Error, Optimizer, Param, Selector, Settings, Sgd};

use wane_gallery::mlp::Mlp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Sgd,
    Adam,
    #[value(name = "adamw")]
    AdamW,
}

impl Kind {
    /// Whether the two take equal steps with equal settings: AdamW is Adam with another default of the decay.
    pub(crate) fn is_same_rule(self, other: Self) -> bool {
        self == other || (self != Self::Sgd && other != Self::Sgd)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::AdamW => "AdamW",
        })
    }
}

pub(crate) fn build(kind: Kind, learning_rate: f64, decay: Decay) -> Result<Box<dyn Optimizer<f32>>, Error> {
    match kind {
        Kind::Sgd => matrices_only(Sgd::new(learning_rate).momentum(0.9), decay),
        Kind::Adam => matrices_only(Adam::new(learning_rate), decay),
        Kind::AdamW => matrices_only(AdamW::new(learning_rate), decay),
    }
}

/// Decay is for the weight matrices: biases, of rank 1, go to a group without.
fn matrices_only<A: Algorithm>(settings: Settings<A>, decay: Decay) -> Result<Box<dyn Optimizer<f32>>, Error> {
    let optimizer = settings
        .weight_decay(decay)
        .group("no decay", |s| s.weight_decay(Decay::none()))
        .assign("no decay", Selector::rank_below(2))
        .build()?;
    Ok(Box::new(optimizer))
}

/// One step along the gradients that the last backward pass left.
pub(crate) fn step(optimizer: &mut dyn Optimizer<f32>, net: &mut Mlp<f32>) -> Result<(), Error> {
    let (params, grads) = (&mut net.params, &net.grads);
    optimizer.step(&mut [
        param("fc1.weight", &mut params.w1, &grads.w1),
        param("fc1.bias", &mut params.b1, &grads.b1),
        param("fc2.weight", &mut params.w2, &grads.w2),
        param("fc2.bias", &mut params.b2, &grads.b2),
    ])?;
    Ok(())
}

/// An array of the network and its gradient, with the shape that the selector looks at. The feature `ndarray` offers this as
/// `wane::ndarray::param`, with an error for arrays that are not in standard layout; this example does without features.
fn param<'a, D: Dimension>(name: &'a str, value: &'a mut Array<f32, D>, grad: &'a Array<f32, D>) -> Param<'a, f32> {
    const STANDARD: &str = "the network's arrays are in standard layout";
    let shape = grad.shape();
    Param::new(name, value.as_slice_mut().expect(STANDARD), grad.as_slice().expect(STANDARD)).shape(shape)
}
