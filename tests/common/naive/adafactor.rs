//! Adafactor, after Shazeer & Stern (2018), algorithms 4 and 5, as `torch.optim.Adafactor` has them.

use super::{Keep, Naive};

pub(crate) struct Adafactor {
    beta2_decay: f64,
    eps: (Option<f64>, f64),
    threshold: f64,
    t: i32,
    shape: Vec<usize>,
    scale: f64,
    /// R, C and, for a parameter of one axis, V.
    memory: [Vec<f64>; 3],
    metric: Vec<f64>,
}

impl Adafactor {
    /// No ε₁ is the machine epsilon of the weights' type.
    pub(crate) fn new(beta2_decay: f64, eps: (Option<f64>, f64), threshold: f64) -> Self {
        Self { beta2_decay, eps, threshold, t: 0, shape: vec![], scale: 0.0, memory: Default::default(), metric: vec![] }
    }

    /// V, or R·C/mean(R) in each matrix of the last two axes.
    fn second_moments(&mut self, g: &[f64], eps1: f64, keep: Keep) -> Vec<f64> {
        let new = f64::from(self.t).powf(self.beta2_decay);
        let [rows, columns, whole] = &mut self.memory;
        let [.., r, c] = self.shape[..] else {
            follow(whole, g.iter().map(|g| g * g), new, keep);
            return whole.clone();
        };
        follow(rows, g.chunks(c).map(|row| rms(row).powi(2)), new, keep);
        let column = |k: usize| (0..r).map(|i| g[(k / c * r + i) * c + k % c]).collect::<Vec<_>>();
        follow(columns, (0..g.len() / r).map(|k| rms(&column(k)).powi(2)), new, keep);
        let mean: Vec<_> = rows.chunks(r).map(|rows| at_least(eps1, rows.iter().sum::<f64>() / r as f64)).collect();
        (0..g.len()).map(|k| rows[k / c] * columns[k / (r * c) * c + k % c] / mean[k / (r * c)]).collect()
    }
}

impl Naive for Adafactor {
    fn sees(&mut self, x: &[f64], shape: &[usize], lr: f64) {
        self.shape = shape.to_vec();
        self.t += 1;
        self.scale = self.eps.1.max(rms(x)) * (1.0 / (lr * f64::from(self.t).sqrt())).min(1.0);
    }

    /// max(ε₂, RMS(x))·min(η, 1/√t)/η · U / max(1, RMS(U)/d), U = g/√max(V, ε₁²)
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        if g.is_empty() {
            return vec![];
        }
        let machine = if keep(1.0 + f64::EPSILON) == 1.0 { f32::EPSILON.into() } else { f64::EPSILON };
        let eps1 = self.eps.0.unwrap_or(machine);
        let v = self.second_moments(g, eps1, keep);
        self.metric = v.into_iter().map(|v| at_least(eps1 * eps1, v).sqrt()).collect();
        let u: Vec<_> = g.iter().zip(&self.metric).map(|(g, metric)| g / metric).collect();
        let clip = (rms(&u) / self.threshold).max(1.0);
        u.iter().map(|u| self.scale * u / clip).collect()
    }

    fn metric(&self, i: usize) -> f64 {
        self.metric[i]
    }
}

/// The larger one; a NaN stays a NaN.
fn at_least(least: f64, x: f64) -> f64 {
    if x < least { least } else { x }
}

/// An average that gives the new value the share `new`.
fn follow(memory: &mut Vec<f64>, means: impl ExactSizeIterator<Item = f64>, new: f64, keep: Keep) {
    memory.resize(means.len(), 0.0);
    memory.iter_mut().zip(means).for_each(|(old, mean)| *old = keep(*old + new * (mean - *old)));
}

fn rms(x: &[f64]) -> f64 {
    (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt()
}
