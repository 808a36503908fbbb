//! The optimizers that are compared, and how decay is kept to the weight matrices.

use std::fmt;

use clap::ValueEnum;
use wane::{Adam, AdamW, Algorithm, Decay, Error, Optimizer, Selector, Settings, Sgd};

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
