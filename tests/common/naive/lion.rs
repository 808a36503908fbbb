//! Lion, after Chen et al. (2023), program 1.

use super::{Keep, Naive};

pub(crate) struct Lion {
    beta1: f64,
    beta2: f64,
    m: Vec<f64>,
}

impl Lion {
    pub(crate) fn new(beta1: f64, beta2: f64) -> Self {
        Self { beta1, beta2, m: vec![] }
    }
}

impl Naive for Lion {
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        self.m.resize(g.len(), 0.0);
        let mut u = vec![];
        for (m, g) in self.m.iter_mut().zip(g) {
            // What underflows in the weights' type has no sign.
            let c = keep(self.beta1 * *m + (1.0 - self.beta1) * g);
            u.push(if c == 0.0 { 0.0 } else { c.signum() });
            *m = keep(self.beta2 * *m + (1.0 - self.beta2) * g);
        }
        u
    }
}
