//! What is compared with what.

use wane::Decay;

use crate::optimizer::Kind;

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) optimizer: Kind,
    pub(crate) learning_rate: f64,
    pub(crate) decay: Decay,
    /// The share of hidden units that is dropped in training.
    pub(crate) dropout: f64,
}

impl Setting {
    pub(crate) fn is_decayed(&self) -> bool {
        self.decay != Decay::none()
    }

    /// Whether the two differ in nothing but their decay.
    pub(crate) fn differs_in_decay_only(&self, other: &Self) -> bool {
        *self == Self { decay: self.decay.clone(), ..other.clone() }
    }

    /// Optimizer, learning rate, decay and dropout, each as text.
    pub(crate) fn keys(&self) -> [String; 4] {
        let Self { optimizer, learning_rate, decay, dropout } = self;
        [optimizer.to_string(), learning_rate.to_string(), decay.to_string(), dropout.to_string()]
    }

    pub(crate) fn name(&self) -> String {
        let Self { optimizer, decay, .. } = self;
        format!("{optimizer}, {decay}{}", self.with_dropout())
    }

    pub(crate) fn without_decay(&self) -> String {
        let Self { optimizer, learning_rate, .. } = self;
        format!("{optimizer}, rate {learning_rate}{}", self.with_dropout())
    }

    fn with_dropout(&self) -> String {
        if self.dropout > 0.0 { format!(", dropout {}", self.dropout) } else { String::new() }
    }
}

/// What an optimizer is tried with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trial {
    pub(crate) optimizer: Kind,
    pub(crate) learning_rate: f64,
    pub(crate) dropout: f64,
    /// Beside none.
    pub(crate) decays: Vec<Decay>,
}

impl Trial {
    /// Without decay, then with each.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let Self { optimizer, learning_rate, dropout, ref decays } = *self;
        let decays = [Decay::none()].into_iter().chain(decays.iter().cloned());
        decays.map(|decay| Setting { optimizer, learning_rate, decay, dropout }).collect()
    }
}

/// What a decay is called, whatever its strength.
pub(crate) fn kind(decay: &Decay) -> String {
    let text = decay.to_string();
    text.split_once(':').map_or(text.as_str(), |(kind, _)| kind).to_owned()
}

/// The learning rate at which an optimizer learns the training set by heart within the default number of epochs.
pub(crate) fn usual_rate(optimizer: Kind) -> f64 {
    match optimizer {
        Kind::Sgd => 0.05,
        Kind::Adam | Kind::AdamW => 0.003,
    }
}

/// Coupled L2 and decoupled decay of a strength that suits the optimizer on the digits.
///
/// Momentum of 0.9 makes ten steps of one, so SGD's decoupled strength is ten times that of its coupled one for the same pull.
pub(crate) fn usual_decays(optimizer: Kind) -> [Decay; 2] {
    match optimizer {
        Kind::Sgd => [Decay::coupled_l2(0.01), Decay::decoupled(0.1)],
        Kind::Adam | Kind::AdamW => [Decay::coupled_l2(0.01), Decay::decoupled(1.0)],
    }
}
