//! LAMB, after You et al. (2020), algorithm 2, with the identity for φ.

use super::{Keep, Maximum, Naive};

pub(crate) struct Lamb {
    betas: [f64; 2],
    eps: f64,
    maximum: Maximum,
    t: i32,
    moments: Vec<[f64; 3]>,
    metric: Vec<f64>,
}

impl Lamb {
    pub(crate) fn new(betas: [f64; 2], eps: f64, maximum: Maximum) -> Self {
        Self { betas, eps, maximum, t: 0, moments: vec![], metric: vec![] }
    }
}

impl Naive for Lamb {
    /// r without the decay: m̂ / (√v̂ + ε)
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        self.moments.resize(g.len(), [0.0; 3]);
        self.t += 1;
        let [beta1, beta2] = self.betas;
        self.metric.clear();
        let mut r = vec![];
        for (g, [m, v, largest]) in g.iter().zip(&mut self.moments) {
            *m = keep(beta1 * *m + (1.0 - beta1) * g);
            *v = keep(beta2 * *v + (1.0 - beta2) * g * g);
            if *v > *largest || v.is_nan() {
                *largest = *v;
            }
            let second = if self.maximum == Maximum::On { *largest } else { *v };
            let m_hat = *m / (1.0 - beta1.powi(self.t));
            let v_hat = second / (1.0 - beta2.powi(self.t));
            self.metric.push(v_hat.sqrt() + self.eps);
            r.push(m_hat / (v_hat.sqrt() + self.eps));
        }
        r
    }

    fn metric(&self, i: usize) -> f64 {
        self.metric[i]
    }

    /// ‖x‖ / ‖r‖, with η·r the whole displacement; 1 where a norm is 0
    fn trust(&self, lr: f64, x: &[f64], displacement: &[f64]) -> f64 {
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm(x) == 0.0 || norm(displacement) == 0.0 { 1.0 } else { lr * norm(x) / norm(displacement) }
    }
}
