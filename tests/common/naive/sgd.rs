//! SGD, after `torch.optim.SGD`.

use super::{Keep, Naive};

/// What the update looks at.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Buffer,
    Ahead,
}

pub(crate) struct Sgd {
    momentum: f64,
    dampening: f64,
    look: Look,
    buffer: Option<Vec<f64>>,
}

impl Sgd {
    pub(crate) fn plain() -> Self {
        Self { momentum: 0.0, dampening: 0.0, look: Look::Buffer, buffer: None }
    }

    pub(crate) fn heavy(momentum: f64, dampening: f64) -> Self {
        Self { momentum, dampening, look: Look::Buffer, buffer: None }
    }

    pub(crate) fn nesterov(momentum: f64) -> Self {
        Self { momentum, dampening: 0.0, look: Look::Ahead, buffer: None }
    }
}

impl Naive for Sgd {
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        if self.momentum == 0.0 {
            return g.to_vec();
        }
        let buffer = match self.buffer.take() {
            None => g.to_vec(),
            Some(old) => old.iter().zip(g).map(|(b, g)| keep(self.momentum * b + (1.0 - self.dampening) * g)).collect::<Vec<_>>(),
        };
        let u = match self.look {
            Look::Buffer => buffer.clone(),
            Look::Ahead => buffer.iter().zip(g).map(|(b, g)| g + self.momentum * b).collect(),
        };
        self.buffer = Some(buffer);
        u
    }
}
