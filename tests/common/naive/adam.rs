//! Adam, after Kingma & Ba (2015), algorithm 1, and AMSGrad and epsilon hat, after PyTorch and Keras.

use super::{Keep, Naive};

pub(crate) struct Adam {
    betas: [f64; 2],
    denominator: Denominator,
    maximum: Maximum,
    t: i32,
    m: Vec<f64>,
    v: Vec<f64>,
    largest: Vec<f64>,
    metric: Vec<f64>,
}

#[derive(Clone, Copy)]
pub(crate) enum Denominator {
    /// √v̂ + ε
    Epsilon(f64),
    /// √v + ε̂, with the corrections in the step size
    EpsilonHat(f64),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Maximum {
    Off,
    On,
}

impl Adam {
    pub(crate) fn new(betas: [f64; 2], denominator: Denominator, maximum: Maximum) -> Self {
        Self { betas, denominator, maximum, t: 0, m: vec![], v: vec![], largest: vec![], metric: vec![] }
    }
}

impl Naive for Adam {
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        for memory in [&mut self.m, &mut self.v, &mut self.largest] {
            memory.resize(g.len(), 0.0);
        }
        self.t += 1;
        let [beta1, beta2] = self.betas;
        let (full1, full2) = (1.0 - beta1.powi(self.t), 1.0 - beta2.powi(self.t));
        self.metric.clear();
        let mut u = vec![];
        for (i, &g) in g.iter().enumerate() {
            self.m[i] = keep(beta1 * self.m[i] + (1.0 - beta1) * g);
            self.v[i] = keep(beta2 * self.v[i] + (1.0 - beta2) * g * g);
            if self.v[i] > self.largest[i] || self.v[i].is_nan() {
                self.largest[i] = self.v[i];
            }
            let v = if self.maximum == Maximum::On { self.largest[i] } else { self.v[i] };
            self.metric.push(match self.denominator {
                Denominator::Epsilon(eps) => (v / full2).sqrt() + eps,
                Denominator::EpsilonHat(eps) => (v.sqrt() + eps) / full2.sqrt(),
            });
            u.push(self.m[i] / full1 / self.metric[i]);
        }
        u
    }

    fn metric(&self, i: usize) -> f64 {
        self.metric[i]
    }
}
