//! Muon, after Jordan et al. (2024), as `torch.optim.Muon` has it, but without its bfloat16.

use super::matrix::{product, transposed};
use super::{Keep, Naive};

pub(crate) struct Muon {
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    pub(crate) coefficients: [f64; 3],
    pub(crate) steps: usize,
    pub(crate) eps: f64,
    /// The factor on the learning rate, from rows and columns: √max(1, r/c), or 0.2·√max(r, c).
    pub(crate) adjust: fn(f64, f64) -> f64,
    pub(crate) shape: [usize; 2],
    pub(crate) buffer: Vec<f64>,
}

impl Muon {
    pub(crate) fn new(momentum: f64, eps: f64) -> Self {
        let adjust = |r: f64, c: f64| (r / c).max(1.0).sqrt();
        let coefficients = [3.4445, -4.7750, 2.0315];
        Self { momentum, nesterov: true, coefficients, steps: 5, eps, adjust, shape: [0; 2], buffer: vec![] }
    }

    /// X ← a·X + (b·A + c·A²)·X, A = X·Xᵀ, on a matrix that is not taller than wide.
    fn orthogonal(&self, mut x: Vec<f64>, rows: usize, columns: usize) -> Vec<f64> {
        let [a, b, c] = self.coefficients;
        for _ in 0..self.steps {
            let gram = product(&x, &transposed(&x, rows, columns), rows);
            let square = product(&gram, &gram, rows);
            let factor: Vec<_> = gram.iter().zip(square).map(|(gram, square)| b * gram + c * square).collect();
            x = product(&factor, &x, rows).iter().zip(&x).map(|(product, x)| a * x + product).collect();
        }
        x
    }
}

impl Naive for Muon {
    fn sees(&mut self, _x: &[f64], shape: &[usize], _lr: f64) {
        self.shape = shape.try_into().expect("two axes");
    }

    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64> {
        self.buffer.resize(g.len(), 0.0);
        let ([r, c], mu) = (self.shape, self.momentum);
        self.buffer.iter_mut().zip(g).for_each(|(b, g)| *b = keep(mu * *b + (1.0 - mu) * g));
        let ahead = |(b, g): (&f64, &f64)| if self.nesterov { (1.0 - mu) * g + mu * b } else { *b };
        let moved: Vec<_> = self.buffer.iter().zip(g).map(ahead).collect();
        let norm = moved.iter().map(|x| x * x).sum::<f64>().sqrt().max(self.eps);
        let x: Vec<_> = moved.iter().map(|x| x / norm).collect();
        let x = match r > c {
            true => transposed(&self.orthogonal(transposed(&x, r, c), c, r), c, r),
            false => self.orthogonal(x, r, c),
        };
        x.iter().map(|x| (self.adjust)(r as f64, c as f64) * x).collect()
    }
}
