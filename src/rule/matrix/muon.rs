//! Muon: momentum whose singular values are all made about 1.

#![expect(clippy::indexing_slicing, reason = "tiles and products of one parameter, whose columns are of its length")]

use std::fmt;
use std::str::FromStr;

use crate::decay::Decay;
use crate::engine::{
    Hyperparameters, Kept, Motion, Parameter, Prepared, Reach, Setting, Settings, algorithm, compiled, numbers, switch,
};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, kept, rounded};
use crate::kernel::column::{Column, Extent, Matrices};
use crate::kernel::matmul::{Matrix, ROOM, multiply, square};
use crate::kernel::{Level, Move, Rule, TILE, reduce, vectorize};
use crate::rule::adam::Lerp;
use crate::text::Arguments;

/// Muon, momentum orthogonalised by Newton-Schulz: for the matrices of hidden layers.
///
/// ```text
/// B ← B + (1 − μ)(G − B)              Nesterov: X = G + μ(B − G),  else X = B
/// X ← X / max(‖X‖, ε)
/// k times:  A = X·Xᵀ,  X ← a·X + (b·A + c·A²)·X       on the short side
/// W ← W − η·φ·X                        φ = √max(1, rows/columns)
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Muon::new`]`(lr)` | η | – (PyTorch: 1e-3) | finite, ≥ 0 | [`OutOfRange`] |
/// | [`momentum`](Settings::momentum) | μ | 0.95 | [0, 1) | [`OutOfRange`] |
/// | [`nesterov`](Settings::nesterov)`(on)` | | on | | |
/// | [`ns_coefficients`](Settings::ns_coefficients)`(a, b, c)` | a, b, c | 3.4445, −4.775, 2.0315 | finite | [`OutOfRange`] |
/// | [`ns_steps`](Settings::ns_steps) | k | 5 | 0 to 99 | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-7 | finite, > 0 | [`OutOfRange`] |
/// | [`adjust_lr`](Settings::adjust_lr) | φ | [`AdjustLr::Original`] | see [`AdjustLr`] | see there |
/// | [`weight_decay`](Settings::weight_decay) | λ | `Decay::decoupled(0.1)` | see [`Decay`] | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: `momentum_buffer` (B), and one number more that is made anew in each step.
/// Every parameter needs a [shape](crate::Param::shape) of two axes, rows first; any other is
/// [`ShapeRefused`], so biases, norms and embeddings go to an optimizer of their own, such as
/// [`AdamW`](crate::AdamW). The decay takes η·λ, without φ.
///
/// With these coefficients the singular values of X end between 0.68 and 1.13, not at 1; those that
/// are below a thousandth of the norm are still on their way. A step costs (3·long +
/// short)·short²·k operations on a matrix of these sides.
///
/// Each number of a product is one chain of fused multiply-adds in blocks of 256, whatever the size
/// of registers: so every CPU [`Level`](crate::Level) and any number of threads give the same bits,
/// and so does any machine. (The products of one matrix run on one thread, and on the baseline
/// level of x86-64, which has no fused multiply-add, some 100 times slower.)
///
/// # Differences
///
/// * PyTorch: `torch.optim.Muon` 2.15 works out X in bfloat16, whatever the weights are: near to
///   this within 0.5 % of the largest weight after 100 steps at η = 0.02. Around the same
///   iteration in the weights' type, which is the one here, it is the same to rounding. Its
///   defaults are these.
/// * Keller Jordan's Muon: η = 0.02, no decay; convolutions are flattened to (out, rest) first.
///   Moonlight's: [`AdjustLr::MatchRmsAdamw`]. Keras: λ = 4e-3.
/// * optax: no decay, Nesterov's X corrected for its bias, and rows and columns change places in φ.
///
/// # Example
///
/// ```
/// use wane::{Decay, Muon, Optimizer, Param};
///
/// let mut opt = Muon::new(0.1).weight_decay(Decay::none()).build()?;
/// let mut w = [0.0_f64; 4];
/// opt.step(&mut [Param::new("w", &mut w, &[100.0, 0.0, 0.0, -1e-3 * 100.0]).shape(&[2, 2])])?;
/// assert!(w[0] < -0.06 && w[3] > 1e-4);                                  // about η each, had k been larger
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Jordan et al., *Muon: An optimizer for hidden layers in neural networks*, 2024,
/// <https://kellerjordan.github.io/posts/muon/>; Liu et al., *Muon is Scalable for LLM Training*,
/// arXiv 2502.16982, for the decay.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
/// [`ShapeRefused`]: crate::Error::ShapeRefused
#[doc(alias = "newton-schulz")]
#[doc(alias = "orthogonal")]
#[derive(Clone, Debug, PartialEq)]
pub struct Muon {
    momentum: f64,
    nesterov: bool,
    coefficients: [f64; 3],
    steps: usize,
    eps: f64,
    adjust: AdjustLr,
}

/// A factor φ on the learning rate of a matrix, from its r rows and c columns.
///
/// | value | text | φ | who means this |
/// |---|---|---|---|
/// | `Original` | `original` | √max(1, r/c) | Jordan, PyTorch's default |
/// | `MatchRmsAdamw` | `match-rms-adamw` | 0.2·√max(r, c) | Moonlight: learning rates of AdamW fit |
/// | `SpectralUnclamped` | `spectral-unclamped` | √(r/c) | Bernstein |
///
/// Any other text is [`Parse`](Error::Parse).
///
/// ```
/// use wane::{AdjustLr, Muon};
///
/// let settings = Muon::new(1e-3).adjust_lr("match-rms-adamw".parse()?);
/// assert_eq!(AdjustLr::MatchRmsAdamw.to_string(), "match-rms-adamw");
/// # settings.build::<f32>()?;
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdjustLr {
    /// φ = √max(1, r/c).
    #[default]
    Original,
    /// φ = 0.2·√max(r, c): an update has the RMS of AdamW's.
    MatchRmsAdamw,
    /// φ = √(r/c).
    SpectralUnclamped,
}

impl AdjustLr {
    fn factor(self, of: Matrices) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "lengths in memory, below 2⁵³")]
        let [rows, columns] = [of.rows, of.columns].map(|n| n as f64);
        match self {
            Self::Original => (rows / columns).max(1.0).sqrt(),
            Self::MatchRmsAdamw => 0.2 * rows.max(columns).sqrt(),
            Self::SpectralUnclamped => (rows / columns).sqrt(),
        }
    }
}

impl fmt::Display for AdjustLr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::MatchRmsAdamw => "match-rms-adamw",
            Self::SpectralUnclamped => "spectral-unclamped",
        })
    }
}

impl FromStr for AdjustLr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, next) = Arguments::of("learning rate adjustment", text);
        let all = [Self::Original, Self::MatchRmsAdamw, Self::SpectralUnclamped];
        match all.into_iter().find(|adjust| adjust.to_string() == word) {
            Some(adjust) => next.end(adjust),
            None => Err(next.error("original, match-rms-adamw or spectral-unclamped")),
        }
    }
}

impl Muon {
    /// Returns the settings of Muon at learning rate η = `lr`, with decoupled decay 0.1.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        let coefficients = [3.4445, -4.775, 2.0315];
        let options = Self { momentum: 0.95, nesterov: true, coefficients, steps: 5, eps: 1e-7, adjust: AdjustLr::Original };
        Settings::from_parts(options, lr).weight_decay(Decay::decoupled(0.1))
    }
}

impl<S> Settings<Muon, S> {
    /// Sets μ, the share of the momentum that is kept at each step.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.algorithm.momentum = momentum;
        self
    }

    /// Turns Nesterov momentum on or off: what is orthogonalised looks ahead along the buffer.
    #[must_use]
    pub fn nesterov(mut self, on: bool) -> Self {
        self.algorithm.nesterov = on;
        self
    }

    /// Sets the coefficients of the polynomial a·x + b·x³ + c·x⁵ that each singular value goes
    /// through, k times.
    #[must_use]
    pub fn ns_coefficients(mut self, a: f64, b: f64, c: f64) -> Self {
        self.algorithm.coefficients = [a, b, c];
        self
    }

    /// Sets k, the number of Newton-Schulz steps.
    #[must_use]
    pub fn ns_steps(mut self, steps: usize) -> Self {
        self.algorithm.steps = steps;
        self
    }

    /// Sets ε, the least norm that a matrix is divided by.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.algorithm.eps = eps;
        self
    }

    /// Sets how the learning rate of a matrix depends on its shape.
    #[must_use]
    pub fn adjust_lr(mut self, adjust: AdjustLr) -> Self {
        self.algorithm.adjust = adjust;
        self
    }
}

/// What a step of Muon is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    rule: Orthogonal<T>,
    /// X as a point on the way from the gradient to the buffer; without Nesterov it is the buffer.
    ahead: Lerp<T>,
    coefficients: [T; 3],
}

impl Hyperparameters for Muon {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        in_range("momentum", self.momentum, (0.0..1.0).contains(&self.momentum), "in [0, 1)")?;
        for coefficient in self.coefficients {
            in_range("ns_coefficients", coefficient, true, "a finite number")?;
        }
        #[expect(clippy::cast_precision_loss, reason = "for a message only")]
        in_range("ns_steps", self.steps as f64, self.steps < 100, "at most 99")?;
        in_range("eps", self.eps, self.eps > 0.0, "a finite number above 0")
    }

    fn list(&self) -> Vec<Setting> {
        let mut list = vec![numbers("momentum", &[self.momentum])];
        list.extend(switch("nesterov", self.nesterov));
        list.push(numbers("ns_coefficients", &self.coefficients));
        list.push(("ns_steps", self.steps.to_string()));
        list.push(numbers("eps", &[self.eps]));
        list.push(("adjust_lr", self.adjust.to_string()));
        list
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        vec![Column::zeros("momentum_buffer")]
    }

    fn refuses(&self, of: Matrices) -> Option<&'static str> {
        (of.rank != 2).then_some("a matrix, a shape of two axes")
    }

    /// Returns the extent of X.
    fn work(&self, _of: Matrices) -> Vec<Extent> {
        vec![Extent::Weights]
    }

    fn scalars<T: Real>(&self, lr: f64, _t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        rounded::<T>("learning rate", lr)?;
        let mu = kept("momentum", self.momentum)?;
        let [a, b, c] = self.coefficients.map(|coefficient| rounded("ns_coefficients", coefficient));
        Ok(Scalars {
            lr,
            rule: Orthogonal { momentum: Lerp::new(rounded("1 - momentum", 1.0 - self.momentum)?) },
            ahead: Lerp::new(if self.nesterov { mu } else { T::one() }),
            coefficients: [a?, b?, c?],
        })
    }

    // Buffer and X are between gradients. The displacement is known when the parameter
    // has been looked at.
    fn reach<T: Real>(&self, _scalars: &Scalars<T>, g: f64) -> Reach {
        Reach { state: g, displacement: 0.0 }
    }

    fn rule<'a, T: Real>(&self, Scalars { lr, rule, .. }: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        Motion { rule, rate: *lr }
    }

    fn looks(&self) -> bool {
        true
    }

    fn prepare<T: Real>(&self, scalars: &Scalars<T>, whole: &mut Parameter<'_, T>) -> Result<Prepared> {
        if whole.task.x.is_empty() {
            return Ok(Prepared::default());
        }
        let (level, of, x) = (whole.task.level, whole.of, std::mem::take(&mut whole.work));
        scalars.look_ahead(whole, x);
        let norm = reduce::sum_of_squares(level, x).norm();
        // Written so that a NaN stays.
        divide(level, x, if norm < self.eps { self.eps } else { norm });
        for _ in 0..self.steps {
            newton_schulz(level, x, of, scalars.coefficients, &mut whole.desk.room);
        }
        let displacement = scalars.lr * reduce::sum_of_squares(level, x).norm();
        Ok(Prepared { rate: self.adjust.factor(of), decay: 1.0, weights: 0.0, displacement })
    }
}

compiled!(Muon);
algorithm!(Muon: Muon = "muon");

impl<T: Real> Scalars<T> {
    /// Works out X as it is before it is made orthogonal.
    fn look_ahead(&self, whole: &mut Parameter<'_, T>, x: &mut [T]) {
        let level = whole.task.level;
        for (start, x) in (0..).step_by(TILE).zip(x.chunks_mut(TILE)) {
            let tile = start..start + x.len();
            let g = whole.task.gradient(tile.clone(), whole.desk);
            let b = &whole.task.state[0][tile];
            vectorize(
                level,
                #[inline(always)]
                || {
                    let (g, b) = (&g[..x.len()], &b[..x.len()]);
                    for i in 0..x.len() {
                        x[i] = self.ahead.between(g[i], self.rule.momentum.between(b[i], g[i]));
                    }
                },
            );
        }
    }
}

/// Replaces x by x / norm, worked out in f64: the norm may not be a number of the weights' type.
fn divide<T: Real>(level: Level, x: &mut [T], norm: f64) {
    vectorize(
        level,
        #[inline(always)]
        || {
            for x in x {
                *x = T::of(x.widen() / norm);
            }
        },
    );
}

/// Replaces X by a·X + (b·A + c·A²)·X with A = X·Xᵀ; of a tall matrix, the same of its transpose.
fn newton_schulz<T: Real>(level: Level, x: &mut [T], of: Matrices, [a, b, c]: [T; 3], room: &mut Vec<T>) {
    let Matrices { rows, columns, .. } = of;
    let (short, wide) = (rows.min(columns), rows <= columns);
    room.resize(room.len().max(x.len() + 2 * short * short + ROOM), T::zero());
    let (product, rest) = room.split_at_mut(x.len());
    let (gram, rest) = rest.split_at_mut(short * short);
    let (factor, room) = rest.split_at_mut(short * short);

    let matrix = Matrix::new(x, rows, columns);
    square(level, if wide { matrix } else { matrix.transposed() }, gram, room);
    square(level, Matrix::new(gram, short, short), factor, room);
    combine(level, factor, c, gram, b);
    // The factor is symmetric, so it may stand on either side.
    let factor = Matrix::new(factor, short, short);
    let (left, right) = if wide { (factor, matrix) } else { (matrix, factor) };
    multiply(level, left, right, product, room);
    combine(level, x, a, product, T::one());
}

/// Replaces out by α·out + β·x.
fn combine<T: Real>(level: Level, out: &mut [T], alpha: T, x: &[T], beta: T) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let x = &x[..out.len()];
            for i in 0..out.len() {
                out[i] = x[i].mul_add(beta, alpha * out[i]);
            }
        },
    );
}

/// Moves along X, which has been worked out already.
#[derive(Clone, Copy, Debug)]
struct Orthogonal<T> {
    /// The interpolation of B, with the weight 1 − μ.
    momentum: Lerp<T>,
}

impl<T: Real> Rule<T> for Orthogonal<T> {
    type State = [T; 2];
    const PLAIN: bool = true;

    #[inline(always)]
    fn update(&self, _x: T, g: T, [b, x]: [T; 2]) -> (Move<T>, [T; 2]) {
        (Move::along(x), [self.momentum.between(b, g), x])
    }
}
