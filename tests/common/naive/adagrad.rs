//! Adagrad, after Duchi, Hazan & Singer (2011), with PyTorch's falling rate and first sum.

use super::{Keep, Naive};

pub(crate) struct Adagrad {
    fall: f64,
    first: f64,
    eps: f64,
    t: f64,
    sum: Vec<f64>,
}

impl Adagrad {
    pub(crate) fn new(fall: f64, first: f64, eps: f64) -> Self {
        Self { fall, first, eps, t: 0.0, sum: vec![] }
    }
}

impl Naive for Adagrad {
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        self.sum.resize(g.len(), keep(self.first));
        let factor = 1.0 / (1.0 + self.t * self.fall);
        self.t += 1.0;
        let mut u = vec![];
        for (sum, g) in self.sum.iter_mut().zip(g) {
            *sum = keep(*sum + g * g);
            u.push(factor * g / (sum.sqrt() + self.eps));
        }
        u
    }

    fn metric(&self, i: usize) -> f64 {
        self.sum[i].sqrt() + self.eps
    }
}
