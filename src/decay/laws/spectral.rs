//! Spectral decay: the largest singular value of each matrix is pulled down, and nothing else (Yoshida & Miyato,
//! arXiv 1705.10941).

#![expect(clippy::indexing_slicing, reason = "rows and columns are counted as the tiles pass")]

use std::marker::PhantomData;
use std::ops::Range;

use super::AnyLaw;
use super::sets::{After, Beside, Point, Projection, Pull, Set, Wall};
use crate::decay::{Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::{Extent, Matrices};
use crate::kernel::{Level, Notes, reduce, vectorize};

impl Decay {
    /// Makes decoupled spectral decay: the largest singular value σ₁ of each matrix shrinks, and the others stay.
    ///
    /// ```text
    /// W ← W − (η_t·u + s·σ₁·u₁v₁ᵀ),   s = η_t·λ
    /// ```
    ///
    /// Matrices are the last two axes; a parameter with fewer is refused ([`ShapeRefused`]). σ₁ and its vectors come
    /// from one step of power iteration in each step, from the vector v that the one before has left: u = N(W·v),
    /// v ← N(Wᵀ·u), σ₁ = ‖Wᵀ·u‖. So they are those of W only once the iteration has caught up with it, the faster the
    /// further σ₂ is below σ₁. Before that σ₁ is taken for less than it is, and as W − s·σ₁·u₁v₁ᵀ = (I − s·u₁u₁ᵀ)·W no
    /// singular value grows. v is kept, a number for each column of each matrix, as the column `singular_vector`. It
    /// begins with numbers in (0, 1) in no pattern, the same in every run; where W·v is exactly 0 there is no pull.
    ///
    /// With a bound, `Decay::new(Penalty::Spectral { bound: τ }, place, strength)` pulls σ₁ to τ where it is
    /// larger: W − s·max(σ₁ − τ, 0)·u₁v₁ᵀ.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::spectral(0.5)).build()?;
    /// let mut w = [4.0_f64, 0.0, 0.0, 1.0];
    /// for _ in 0..3 {
    ///     opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[2, 2])])?;
    /// }
    /// assert!(w[0] < 0.43 * 4.0 && w[3] > 0.95, "{w:?}");             // 0.75³ = 0.42
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Cost: the weights are read twice more (in the proximal place the update is worked out three times).
    ///
    /// Source: Yoshida & Miyato, *Spectral Norm Regularization*, arXiv 1705.10941, there in the gradient.
    ///
    /// [`ShapeRefused`]: crate::Error::ShapeRefused
    #[doc(alias = "spectral norm")]
    #[must_use]
    pub fn spectral(lambda: f64) -> Self {
        Self::new(Penalty::Spectral { bound: 0.0 }, Place::Decoupled, Strength::LrScaled(lambda))
    }

    /// Makes a cap on the largest singular value of each matrix: after each update it is brought down to τ = `bound`
    /// where it is larger.
    ///
    /// ```text
    /// Y = W − η_t·u,   W ← Y − max(σ₁ − τ, 0)·u₁v₁ᵀ
    /// ```
    ///
    /// σ₁, u₁ and v₁ as in [`spectral`](Self::spectral). One singular value is brought down in a step: where
    /// several are above τ, it takes as many steps and more, so this is the projection to the matrices of norm τ only
    /// where one is, and with vectors that are those of W. Source: Newhouse et al., *Training Transformers with Enforced Lipschitz Constants*, arXiv
    /// 2507.13338, the spectral hammer.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::spectral_cap(2.0)).build()?;
    /// let mut w = [4.0_f64, 0.0, 0.0, 0.125];
    /// for _ in 0..3 {
    ///     opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[2, 2])])?;
    /// }
    /// assert!((w[0] - 2.0).abs() < 1e-3 && (w[3] - 0.125).abs() < 1e-3, "{w:?}");
    /// assert_eq!(Decay::spectral_cap(2.0).to_string(), "hard-spectral:2");
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "spectral hammer")]
    #[must_use]
    pub fn spectral_cap(bound: f64) -> Self {
        Self::new(Penalty::Spectral { bound }, Place::Proximal, Strength::Hard)
    }
}

/// The matrices whose largest singular value is at most τ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ball {
    pub(super) bound: f64,
}

impl Set for Ball {
    fn said(self) -> (&'static str, f64) {
        ("τ", self.bound)
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { bound: change(self.bound)? })
    }

    fn law<T: Real>(self, pull: Pull) -> AnyLaw<T> {
        let largest = Largest { bound: self.bound, outwards: 0.0, of: PhantomData };
        match pull {
            Pull::Beside(share) => AnyLaw::BesideSpectral(Beside::new(largest, share)),
            Pull::After(share) => AnyLaw::AfterSpectral(After::new(largest, share)),
            Pull::Wall => AnyLaw::OntoSpectral(Wall(largest)),
        }
    }
}

/// P(W) = W − max(σ₁ − τ, 0)·u₁v₁ᵀ; its columns are max(σ₁ − τ, 0)·u₁ and v₁, of this step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Largest<T> {
    bound: f64,
    /// The largest σ₁ − τ of all matrices.
    outwards: f64,
    of: PhantomData<T>,
}

impl<T: Real> Projection<T> for Largest<T> {
    type Columns = [T; 2];

    /// Takes a step of power iteration with each matrix.
    fn look(self, point: &mut Point<'_, T>, notes: Notes<'_, T>) -> Self {
        let (level, of) = (point.whole().level(), point.whole().of());
        let Notes { kept: v, beside, sums } = notes;
        let (rows, columns) = (of.len(Extent::Rows), of.len(Extent::Columns));
        sums.clear();
        sums.resize(rows + columns, 0.0);
        let (u, products) = sums.split_at_mut(rows);
        let (above, beside) = beside.split_at_mut(rows);
        each_run(point, of, &mut |run, d| u[run.row] += dot(d, &v[run.columns]));
        for u in u.chunks_mut(of.rows.max(1)) {
            normalise(level, u);
        }
        each_run(point, of, &mut |run, d| add_multiple(level, d, u[run.row], &mut products[run.columns]));
        let mut outwards = 0.0;
        let matrices = u.chunks(of.rows.max(1)).zip(above.chunks_mut(of.rows.max(1)));
        let vectors = products.chunks_mut(of.columns.max(1)).zip(v.chunks_mut(of.columns.max(1)));
        for ((u, above), (product, v)) in matrices.zip(vectors) {
            let sigma = normalise(level, product);
            if sigma != 0.0 {
                v.iter_mut().zip(&*product).for_each(|(v, product)| *v = T::of(*product));
            }
            let over = if sigma <= self.bound { 0.0 } else { sigma - self.bound };
            above.iter_mut().zip(u).for_each(|(above, u)| *above = T::of(over * u));
            outwards = if over <= outwards { outwards } else { over };
        }
        beside.copy_from_slice(v);
        Self { outwards: if outwards.is_nan() { f64::INFINITY } else { outwards }, ..self }
    }

    #[inline(always)]
    fn outside(&self, _d: T, [above, v]: [T; 2]) -> T {
        above * v
    }

    #[inline(always)]
    fn nearest(&self, d: T, [above, v]: [T; 2]) -> T {
        (-above).mul_add(v, d)
    }

    fn outwards(&self) -> f64 {
        self.outwards
    }
}

/// Neighbouring weights of one row.
struct Run {
    /// The row, among those of all matrices.
    row: usize,
    /// The columns, among those of all matrices.
    columns: Range<usize>,
}

/// Calls `each` with the rows, as far as a tile has them.
fn each_run<T: Real>(point: &mut Point<'_, T>, of: Matrices, each: &mut dyn FnMut(Run, &[T])) {
    let mut at = 0;
    point.tiles(&mut |tile| {
        let mut rest = tile;
        while !rest.is_empty() {
            let (row, column) = (at / of.columns, at % of.columns);
            let (now, later) = rest.split_at(rest.len().min(of.columns - column));
            let start = row / of.rows * of.columns + column;
            each(Run { row, columns: start..start + now.len() }, now);
            (rest, at) = (later, at + now.len());
        }
    });
}

/// The partial sums of [`dot`].
const LANES: usize = 16;

/// Returns Σ d·v, in a fixed order.
fn dot<T: Real>(d: &[T], v: &[T]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (d, v) in d.chunks(LANES).zip(v.chunks(LANES)) {
        lanes.iter_mut().zip(d).zip(v).for_each(|((lane, d), v)| *lane += d.widen() * v.widen());
    }
    lanes.iter().sum()
}

/// Adds d·u to the sums.
fn add_multiple<T: Real>(level: Level, d: &[T], u: f64, sums: &mut [f64]) {
    vectorize(
        level,
        #[inline(always)]
        || sums.iter_mut().zip(d).for_each(|(sum, d)| *sum += d.widen() * u),
    );
}

/// Divides by the norm, and returns it; 0 stays.
fn normalise(level: Level, x: &mut [f64]) -> f64 {
    let norm = reduce::sum_of_squares(level, x).norm();
    if norm != 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}
