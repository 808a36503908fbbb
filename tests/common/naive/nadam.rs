//! NAdam, after Dozat (2016), with PyTorch's product of momenta.

use super::{Keep, Naive};

pub(crate) struct NAdam {
    betas: [f64; 2],
    fall: f64,
    eps: f64,
    t: i32,
    product: f64,
    m: Vec<f64>,
    v: Vec<f64>,
}

impl NAdam {
    pub(crate) fn new(betas: [f64; 2], fall: f64, eps: f64) -> Self {
        Self { betas, fall, eps, t: 0, product: 1.0, m: vec![], v: vec![] }
    }

    fn mu(&self, t: i32) -> f64 {
        self.betas[0] * (1.0 - 0.5 * 0.96_f64.powf(f64::from(t) * self.fall))
    }
}

impl Naive for NAdam {
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        self.m.resize(g.len(), 0.0);
        self.v.resize(g.len(), 0.0);
        self.t += 1;
        let [beta1, beta2] = self.betas;
        let (now, next) = (self.mu(self.t), self.mu(self.t + 1));
        self.product = keep(self.product * now);
        let mut u = vec![];
        for (i, g) in g.iter().enumerate() {
            self.m[i] = keep(beta1 * self.m[i] + (1.0 - beta1) * g);
            self.v[i] = keep(beta2 * self.v[i] + (1.0 - beta2) * g * g);
            let ahead = (1.0 - now) / (1.0 - self.product) * g + next / (1.0 - self.product * next) * self.m[i];
            u.push(ahead / ((self.v[i] / (1.0 - beta2.powi(self.t))).sqrt() + self.eps));
        }
        u
    }

    fn metric(&self, i: usize) -> f64 {
        (self.v[i] / (1.0 - self.betas[1].powi(self.t))).sqrt() + self.eps
    }
}
