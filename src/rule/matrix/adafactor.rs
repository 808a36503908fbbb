//! Adafactor: Adam's second moment, kept as one number for each row and column.

#![expect(clippy::indexing_slicing, reason = "rows and columns of one parameter, as its axes say")]

use crate::engine::{Hyperparameters, Kept, Motion, Parameter, Prepared, Reach, Setting, Settings, algorithm, compiled, numbers};
use crate::error::{Result, in_range};
use crate::float::{Real, rounded};
use crate::kernel::column::{Column, Extent, Matrices, Short, Start};
use crate::kernel::reduce::{self, Pass, TileSum};
use crate::kernel::{Move, Rule, TILE};
use crate::rule::adam::Lerp;

/// Adafactor: steps divided by a second moment that takes r + c numbers for a matrix
/// of r × c weights.
///
/// ```text
/// matrix:  R ← R + t^τ·(mean of g² over each row − R)         τ = −0.8
///          C ← C + t^τ·(mean of g² over each column − C)
///          V = R·C / max(mean of R, ε₁)
/// else:    V ← V + t^τ·(g² − V)
/// always:  U = g / max(√V, ε₁)
///          x ← x − min(η, 1/√t)·max(ε₂, RMS(x)) · U / max(1, RMS(U)/d)
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Adafactor::new`]`(lr)` | η | – (PyTorch: 0.01) | finite, ≥ 0 | [`OutOfRange`] |
/// | [`beta2_decay`](Settings::beta2_decay) | τ | −0.8 | finite, ≤ 0 | [`OutOfRange`] |
/// | [`eps1`](Settings::eps1) | ε₁ | 2⁻²³ in `f32`, 2⁻⁵² in `f64` | finite, ≥ 0 | [`OutOfRange`] |
/// | [`eps2`](Settings::eps2) | ε₂ | 1e-3 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`clip_threshold`](Settings::clip_threshold) | d | 1 | finite, ≥ 1 | [`OutOfRange`] |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State of a parameter whose [shape](crate::Param::shape) has two axes or more: `row_var` (R)
/// and `col_var` (C), over its last two axes, for each matrix of the others. Any other:
/// `variance` (V), one number for each weight. t counts a parameter's own updates from 1. RMS(x)
/// is the root of the mean square over the whole parameter, before the step; a decoupled decay
/// takes η·λ, with η as it is.
///
/// A step reads a gradient twice before anything is written, and needs no memory of the size of the
/// weights. Rows are summed in 64 lanes and columns from the first row to the last, in f64: so
/// neither threads nor the CPU level change a bit.
///
/// # Differences
///
/// * PyTorch: `torch.optim.Adafactor` 2.15, the same to rounding; √V is √(R/mean)·√C here, which
///   neither overflows nor underflows on its way. Its ε₁ by default is the first parameter's
///   machine epsilon, for all parameters; here it is that of the weights' type, which is the same.
///   Its `weight_decay` is [`Decay::decoupled`](crate::Decay::decoupled).
/// * The paper and optax add ε₁ = 1e-30 to g² and have no floor under √V; the paper has η = 0.01
///   fixed, and no decay. optax factors only axes of 128 and more, and its `weight_decay_rate` is
///   not multiplied by the learning rate: that is [`Decay::fixed`](crate::Decay::fixed).
/// * Keras: ε₁ = 1e-30, η·λ as here. Hugging Face multiplies λ by the whole step size, RMS(x)
///   included.
///
/// # Example
///
/// ```
/// use wane::{Adafactor, Optimizer, Param};
///
/// let mut opt = Adafactor::new(0.01).build()?;
/// let mut w = [3.0_f64; 6];
/// opt.step(&mut [Param::new("w", &mut w, &[0.5, -4.0, 1.0, 1.0, -8.0, 2.0]).shape(&[2, 3])])?;
/// assert_eq!(opt.state("w", "row_var").unwrap().len() + opt.state("w", "col_var").unwrap().len(), 5);
/// assert!((w[0] - (3.0 - 0.01 * 3.0)).abs() < 1e-3);                     // about η·RMS(x)
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Shazeer & Stern, *Adafactor: Adaptive Learning Rates with Sublinear Memory Cost*, ICML 2018,
/// arXiv 1804.04235.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[doc(alias = "row_var")]
#[doc(alias = "col_var")]
#[derive(Clone, Debug, PartialEq)]
pub struct Adafactor {
    beta2_decay: f64,
    eps1: Option<f64>,
    eps2: f64,
    threshold: f64,
}

impl Adafactor {
    /// Returns the settings of Adafactor at learning rate η = `lr`, the largest relative
    /// step, without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { beta2_decay: -0.8, eps1: None, eps2: 1e-3, threshold: 1.0 }, lr)
    }
}

impl<S> Settings<Adafactor, S> {
    /// Sets the exponent τ of t in the share t^τ that a new square has in its average.
    #[must_use]
    pub fn beta2_decay(mut self, beta2_decay: f64) -> Self {
        self.algorithm.beta2_decay = beta2_decay;
        self
    }

    /// Sets ε₁, the least √V, in place of the machine epsilon of the weights' type.
    #[must_use]
    pub fn eps1(mut self, eps1: f64) -> Self {
        self.algorithm.eps1 = Some(eps1);
        self
    }

    /// Sets ε₂, the least RMS of the weights that a step is measured by, so that weights
    /// of 0 move as well.
    #[must_use]
    pub fn eps2(mut self, eps2: f64) -> Self {
        self.algorithm.eps2 = eps2;
        self
    }

    /// Sets d, the largest RMS of a parameter's U; a longer U is scaled down to it.
    #[must_use]
    pub fn clip_threshold(mut self, threshold: f64) -> Self {
        self.algorithm.threshold = threshold;
        self
    }
}

/// What a step of Adafactor is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    /// min(η, 1/√t).
    rate: f64,
    means: Lerp<f64>,
    eps1: f64,
    factored: Factored<T>,
    full: Full<T>,
}

impl Hyperparameters for Adafactor {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        const AT_LEAST_0: &str = "a finite number, at least 0";
        let (tau, eps1) = (self.beta2_decay, self.eps1.unwrap_or(0.0));
        in_range("beta2_decay", tau, tau <= 0.0, "a finite number, at most 0")?;
        in_range("eps1", eps1, eps1 >= 0.0, AT_LEAST_0)?;
        in_range("eps2", self.eps2, self.eps2 >= 0.0, AT_LEAST_0)?;
        in_range("clip_threshold", self.threshold, self.threshold >= 1.0, "a finite number, at least 1")
    }

    fn list(&self) -> Vec<Setting> {
        let mut list = vec![numbers("beta2_decay", &[self.beta2_decay])];
        list.extend(self.eps1.map(|eps1| numbers("eps1", &[eps1])));
        list.push(numbers("eps2", &[self.eps2]));
        list.push(numbers("clip_threshold", &[self.threshold]));
        list
    }

    fn columns(&self, of: Matrices) -> Vec<Column> {
        if !is_factored(of) {
            return vec![Column::zeros("variance")];
        }
        let zeros = |name, extent| Column { name, extent, start: Start::Value(0.0) };
        vec![zeros("row_var", Extent::Rows), zeros("col_var", Extent::Columns)]
    }

    /// Returns the extents of the two factors of √V.
    fn work(&self, of: Matrices) -> Vec<Extent> {
        if is_factored(of) { ROOTS.to_vec() } else { Vec::new() }
    }

    fn scalars<T: Real>(&self, lr: f64, t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        rounded::<T>("learning rate", lr)?;
        #[expect(clippy::cast_precision_loss, reason = "a step count, exact up to 2⁵³")]
        let t = t as f64;
        let share = t.powf(self.beta2_decay);
        let eps1 = self.eps1.unwrap_or(T::EPS);
        let near = rounded("eps1", eps1)?;
        Ok(Scalars {
            rate: lr.min(1.0 / t.sqrt()),
            means: Lerp::new(share),
            eps1,
            factored: Factored { eps1: near },
            full: Full { means: Lerp::new(T::of(share)), eps1: near },
        })
    }

    // All averages are of squares. The displacement is known when the parameter has been looked at.
    fn reach<T: Real>(&self, _scalars: &Scalars<T>, g: f64) -> Reach {
        Reach { state: g.max(g * g), displacement: 0.0 }
    }

    fn rule<'a, T: Real>(&self, scalars: &'a Scalars<T>, of: Matrices) -> Motion<'a, T> {
        let Scalars { rate, factored, full, .. } = scalars;
        if is_factored(of) { Motion { rule: factored, rate: *rate } } else { Motion { rule: full, rate: *rate } }
    }

    fn looks(&self) -> bool {
        true
    }

    fn prepare<T: Real>(&self, scalars: &Scalars<T>, whole: &mut Parameter<'_, T>) -> Result<Prepared> {
        if whole.task.x.is_empty() {
            return Ok(Prepared::default());
        }
        if is_factored(whole.of) {
            scalars.average(whole);
            scalars.factor(whole);
        }
        let root = count(whole.task.x.len()).sqrt();
        let weights = reduce::sum_of_squares(whole.task.level, whole.task.x).norm();
        let update = whole.task.directions(whole.desk).norm();
        // `max` drops a NaN, as Python's does: PyTorch's other weights then stay numbers.
        let (size, excess) = (self.eps2.max(weights / root), (update / root / self.threshold).max(1.0));
        Ok(Prepared { rate: size / excess, decay: 1.0, weights, displacement: scalars.rate * update })
    }
}

compiled!(Adafactor);
algorithm!(Adafactor: Adafactor = "adafactor");

fn is_factored(of: Matrices) -> bool {
    of.rank > 1
}

#[expect(clippy::cast_precision_loss, reason = "numbers in memory, fewer than 2⁵³")]
fn count(n: usize) -> f64 {
    n as f64
}

/// The columns of a step: roots of R and of C.
const ROOTS: [Extent; 2] = [Extent::Rows, Extent::Columns];

impl<T: Real> Scalars<T> {
    /// Works out R and C of this step.
    fn average(&self, whole: &mut Parameter<'_, T>) {
        let Matrices { count: matrices, rows, columns, .. } = whole.of;
        let mut sums = std::mem::take(&mut whole.desk.sums);
        for matrix in 0..matrices {
            sums.clear();
            sums.resize(columns, 0.0);
            for row in matrix * rows..(matrix + 1) * rows {
                let sum = add_row(whole, row, &mut sums);
                self.follow(&mut whole.next[row], sum / count(columns));
            }
            let c = &mut whole.next[matrices * rows..][matrix * columns..][..columns];
            c.iter_mut().zip(&sums).for_each(|(c, sum)| self.follow(c, sum / count(rows)));
        }
        whole.desk.sums = sums;
    }

    fn follow(&self, average: &mut T, mean: f64) {
        *average = T::of(self.means.between(average.widen(), mean));
    }

    /// Works out √(R / max(mean of R, ε₁)) and √C, whose product is √V.
    fn factor(&self, whole: &mut Parameter<'_, T>) {
        let (of, split) = (whole.of, whole.of.len(Extent::Rows));
        let (r, c) = whole.next.split_at(split);
        let roots = std::mem::take(&mut whole.work);
        let (row_roots, column_roots) = roots.split_at_mut(split);
        for (roots, r) in row_roots.chunks_exact_mut(of.rows).zip(r.chunks_exact(of.rows)) {
            let mean = r.iter().map(|r| r.widen()).sum::<f64>() / count(of.rows);
            // Written so that a NaN stays.
            let mean = if mean < self.eps1 { self.eps1 } else { mean };
            roots.iter_mut().zip(r).for_each(|(root, r)| *root = T::of((r.widen() / mean).sqrt()));
        }
        column_roots.iter_mut().zip(c).for_each(|(root, c)| *root = c.sqrt());
        whole.task.short = Short { numbers: roots, extents: &ROOTS, of };
    }
}

/// Returns Σg² of a row, and adds each g² to the sum of its column.
fn add_row<T: Real>(whole: &mut Parameter<'_, T>, row: usize, sums: &mut [f64]) -> f64 {
    let (level, start) = (whole.task.level, row * sums.len());
    let mut row_sum = TileSum::new();
    for (at, sums) in (start..).step_by(TILE).zip(sums.chunks_mut(TILE)) {
        let g = whole.task.gradient(at..at + sums.len(), whole.desk);
        row_sum.add_squares(level, g, Pass::Again(0));
        reduce::add_squares(level, g, sums);
    }
    row_sum.sum()
}

/// Returns g / max(√V, ε₁); the least root is written so that a NaN stays.
#[inline(always)]
fn divided<T: Real>(g: T, root: T, eps1: T) -> Move<T> {
    let metric = if root < eps1 { eps1 } else { root };
    Move { u: g / metric, lean: g, metric }
}

/// The rule where √V is a product of two factors.
#[derive(Clone, Copy, Debug)]
struct Factored<T> {
    eps1: T,
}

impl<T: Real> Rule<T> for Factored<T> {
    type State = [T; 2];

    #[inline(always)]
    fn update(&self, _x: T, g: T, [row, column]: [T; 2]) -> (Move<T>, [T; 2]) {
        (divided(g, row * column, self.eps1), [row, column])
    }
}

/// The rule where V has a number for each weight.
#[derive(Clone, Copy, Debug)]
struct Full<T> {
    means: Lerp<T>,
    eps1: T,
}

impl<T: Real> Rule<T> for Full<T> {
    type State = [T; 1];

    #[inline(always)]
    fn update(&self, _x: T, g: T, [v]: [T; 1]) -> (Move<T>, [T; 1]) {
        let v = self.means.between(v, g * g);
        (divided(g, v.sqrt(), self.eps1), [v])
    }
}
