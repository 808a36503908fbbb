//! Sums over a parameter in a fixed order: fixed lanes, a fixed chunk, a fixed tree. So neither the
//! CPU level, nor work that is cut at whole chunks, can change a bit of them. Every norm of the
//! crate comes from here.
//!
//! Squares of f32 are exact in f64, but it takes as long to widen them as to read them. So four of
//! a lane are added up in f32 first, and their sum is widened: a norm is then right to 1e-7 of
//! itself where a single one is of four squares, and to much less where there are many. Where such
//! a square may have overflowed or vanished, the sum is made again, of squares in f64.

use super::{Level, vectorize};
use crate::float::Real;

/// Partial sums kept side by side; lane l takes the elements l, l + 64, l + 128 ...
const LANES: usize = 64;

/// Rows of lanes whose squares are added up in f32 before they are widened.
const QUICK: usize = 4;

/// Elements whose lanes are summed up before the next chunk begins.
pub(crate) const CHUNK: usize = 1 << 14;

/// How squares are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// The fast way: four squares of f32 at a time are added up in f32.
    First,
    /// Each square in f64, of terms that are divided by 2^power.
    Again(i32),
}

/// The numbers that are squared.
trait Terms<T>: Copy {
    /// Returns the numbers of the elements from `start` on, a whole row of lanes.
    fn lanes(&self, start: usize) -> [T; LANES];

    /// Returns the number of element i.
    fn one(&self, i: usize) -> T;
}

/// A sum over the numbers of a parameter, or of a row of it, that come tile after tile: in the
/// lanes, chunks and tree of every sum here.
pub(crate) struct TileSum {
    lanes: [f64; LANES],
    /// How many numbers the lanes hold.
    held: usize,
    total: f64,
}

impl TileSum {
    pub(crate) fn new() -> Self {
        Self { lanes: [0.0; LANES], held: 0, total: 0.0 }
    }

    /// Adds the next tile, each number by `add`, which has a lane's sum and the number.
    pub(crate) fn fold<T: Real>(&mut self, level: Level, x: &[T], add: impl Fn(f64, T) -> f64) {
        let lanes = &mut self.lanes;
        vectorize(
            level,
            #[inline(always)]
            || {
                let rest = x.len() - x.len() % LANES;
                for at in (0..rest).step_by(LANES) {
                    let values = row(x, at);
                    for l in 0..LANES {
                        lanes[l] = add(lanes[l], values[l]);
                    }
                }
                for i in rest..x.len() {
                    lanes[i - rest] = add(lanes[i - rest], x[i]);
                }
            },
        );
        self.hold(x.len());
    }

    /// Adds the squares of the next tile.
    pub(crate) fn add_squares<T: Real>(&mut self, level: Level, x: &[T], pass: Pass) {
        let lanes = &mut self.lanes;
        vectorize(
            level,
            #[inline(always)]
            || fill(lanes, 0, x.len(), Elements(x), pass),
        );
        self.hold(x.len());
    }

    /// Adds the products of the next tile of two columns.
    pub(crate) fn add_products<T: Real>(&mut self, level: Level, x: &[T], y: &[T], pass: Pass) {
        let (lanes, scale) = (&mut self.lanes, pass.scale::<T>());
        vectorize(
            level,
            #[inline(always)]
            || {
                let (n, rest) = (x.len(), x.len() - x.len() % LANES);
                let y = &y[..n];
                for at in (0..rest).step_by(LANES) {
                    let (x, y) = (row(x, at), row(y, at));
                    for l in 0..LANES {
                        lanes[l] = x[l].widen().mul_add((y[l] * scale).widen(), lanes[l]);
                    }
                }
                for i in rest..n {
                    lanes[i - rest] = x[i].widen().mul_add((y[i] * scale).widen(), lanes[i - rest]);
                }
            },
        );
        self.hold(x.len());
    }

    fn hold(&mut self, more: usize) {
        self.held += more;
        if self.held >= CHUNK {
            self.close();
        }
    }

    fn close(&mut self) {
        self.total += tree(&mut std::mem::replace(&mut self.lanes, [0.0; LANES]), LANES);
        self.held = 0;
    }

    pub(crate) fn sum(mut self) -> f64 {
        if self.held > 0 {
            self.close();
        }
        self.total
    }
}

/// Adds the square of each x to its sum in `sums`.
pub(crate) fn add_squares<T: Real>(level: Level, x: &[T], sums: &mut [f64]) {
    vectorize(
        level,
        #[inline(always)]
        || {
            let x = &x[..sums.len()];
            for i in 0..sums.len() {
                sums[i] = add_square(sums[i], x[i]);
            }
        },
    );
}

/// Returns Σx².
pub(crate) fn sum_of_squares<T: Real>(level: Level, x: &[T]) -> SquareSum {
    completed(level, first_squares(level, x), x)
}

/// Returns Σx·y; an empty `y` stands for 0.
pub(crate) fn dot<T: Real>(level: Level, x: &[T], y: &[T]) -> f64 {
    vectorize(
        level,
        #[inline(always)]
        || {
            let n = x.len().min(y.len());
            let mut total = 0.0;
            for start in (0..n).step_by(CHUNK) {
                let end = n.min(start + CHUNK);
                let mut lanes = [0.0; LANES];
                let rest = end - (end - start) % LANES;
                for at in (start..rest).step_by(LANES) {
                    let (x, y) = (row(x, at), row(y, at));
                    for l in 0..LANES {
                        lanes[l] = x[l].widen().mul_add(y[l].widen(), lanes[l]);
                    }
                }
                for i in rest..end {
                    lanes[i - rest] = x[i].widen().mul_add(y[i].widen(), lanes[i - rest]);
                }
                total += tree(&mut lanes, LANES);
            }
            total
        },
    )
}

/// Returns Σx² as the first pass has it.
pub(crate) fn first_squares<T: Real>(level: Level, x: &[T]) -> f64 {
    squares(level, x.len(), Elements(x), Pass::First)
}

/// Returns Σx² from what the first passes over all chunks have added up to.
pub(crate) fn completed<T: Real>(level: Level, first: f64, x: &[T]) -> SquareSum {
    SquareSum::of::<T>(first, x.len(), |pass| squares(level, x.len(), Elements(x), pass))
}

/// Returns Σ(x − a)²; an empty `a` stands for 0.
pub(crate) fn squared_distance<T: Real>(level: Level, x: &[T], a: &[T]) -> SquareSum {
    if a.is_empty() {
        return sum_of_squares(level, x);
    }
    let squares = |pass| squares(level, x.len(), Differences(x, a), pass);
    SquareSum::of::<T>(squares(Pass::First), x.len(), squares)
}

/// Returns Σ of the squares of n terms, chunk after chunk. Plain loops: what an iterator adapter
/// calls is not inlined for certain.
#[inline]
fn squares<T: Real>(level: Level, n: usize, terms: impl Terms<T>, pass: Pass) -> f64 {
    vectorize(
        level,
        #[inline(always)]
        || {
            let mut total = 0.0;
            for start in (0..n).step_by(CHUNK) {
                let end = n.min(start + CHUNK);
                let mut lanes = [0.0; LANES];
                fill(&mut lanes, start, end, terms, pass);
                total += tree(&mut lanes, if end - start <= FEW { FEW } else { LANES });
            }
            total
        },
    )
}

/// Adds the squares of the terms from `start` to `end` to their lanes.
#[inline(always)]
fn fill<T: Real>(lanes: &mut [f64; LANES], start: usize, end: usize, terms: impl Terms<T>, pass: Pass) {
    let (n, scale) = (end - start, pass.scale());
    let quick = if T::IS_SHORT && pass == Pass::First { start + n - n % (QUICK * LANES) } else { start };
    for at in (start..quick).step_by(QUICK * LANES) {
        let mut sums = [T::zero(); LANES];
        for k in 0..QUICK {
            let values = terms.lanes(at + k * LANES);
            for l in 0..LANES {
                sums[l] = values[l].mul_add(values[l], sums[l]);
            }
        }
        for l in 0..LANES {
            lanes[l] += sums[l].widen();
        }
    }
    let rest = end - n % LANES;
    for at in (quick..rest).step_by(LANES) {
        let values = terms.lanes(at);
        for l in 0..LANES {
            lanes[l] = add_square(lanes[l], values[l] * scale);
        }
    }
    for i in rest..end {
        lanes[i - rest] = add_square(lanes[i - rest], terms.one(i) * scale);
    }
}

impl Pass {
    /// Returns the pass that keeps all digits of squares and products of numbers of this size.
    pub(crate) fn about<T: Real>(size: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is cut to what two can be raised to")]
        let power = (size.log2() as i32).clamp(-1000, 1000);
        Self::Again(if T::IS_SHORT { 0 } else { power })
    }

    /// Returns the factor on the terms.
    #[inline(always)]
    fn scale<T: Real>(self) -> T {
        match self {
            Self::First => T::one(),
            Self::Again(power) => T::of(two_to(-power)),
        }
    }
}

/// Returns sum + x², rounded once: a quarter faster than two operations, and the same for f32,
/// whose squares are exact in f64.
#[inline(always)]
pub(crate) fn add_square<T: Real>(sum: f64, x: T) -> f64 {
    let x = x.widen();
    x.mul_add(x, sum)
}

/// Lanes that a small parameter fills; the others are 0, and change no bit of the sum.
const FEW: usize = 16;

/// Returns the sum of the first lanes, halves added to halves; the others are 0.
#[inline(always)]
fn tree(lanes: &mut [f64; LANES], used: usize) -> f64 {
    let mut width = used;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}

/// Returns a row of lanes of a column, of a length that the compiler knows.
#[expect(clippy::expect_used, reason = "the slice before it has this length, and the compiler sees it")]
#[inline(always)]
fn row<T>(column: &[T], start: usize) -> &[T; LANES] {
    column[start..start + LANES].try_into().expect("it has this length")
}

/// The elements themselves.
#[derive(Clone, Copy)]
struct Elements<'a, T>(&'a [T]);

impl<T: Real> Terms<T> for Elements<'_, T> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [T; LANES] {
        *row(self.0, start)
    }
    #[inline(always)]
    fn one(&self, i: usize) -> T {
        self.0[i]
    }
}

/// Distances from an anchor.
#[derive(Clone, Copy)]
struct Differences<'a, T>(&'a [T], &'a [T]);

impl<T: Real> Terms<T> for Differences<'_, T> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [T; LANES] {
        let (x, a) = (row(self.0, start), row(self.1, start));
        let mut d = [T::zero(); LANES];
        for l in 0..LANES {
            d[l] = x[l] - a[l];
        }
        d
    }
    #[inline(always)]
    fn one(&self, i: usize) -> T {
        self.0[i] - self.1[i]
    }
}

/// A sum of squares that neither overflows nor vanishes: Σx² = sum·4^power. The power is 0 wherever
/// that is exact enough, always for f32.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SquareSum {
    sum: f64,
    power: i32,
}

/// The power that is tried where 0 does not do: squares of f64 reach from 4^−1074 to 4^1024.
const POWER: i32 = 600;

/// A sum of squares below this has lost digits, or all of them, to underflow.
const SMALLEST: f64 = 1e-270;

/// Returns 2^power, for powers of the size of [`POWER`].
fn two_to(power: i32) -> f64 {
    if power == 0 { 1.0 } else { 2.0_f64.powi(power) }
}

impl SquareSum {
    /// Returns the sum of n squares of which the first pass has made `first`; they are added up
    /// again where that may be far off.
    #[inline]
    pub(crate) fn of<T: Real>(first: f64, n: usize, again: impl FnOnce(Pass) -> f64) -> Self {
        let power = match first {
            // Less than 2⁻¹⁴⁹ of each square was lost, less than 2⁻²⁴ of the sum in all.
            sum if T::IS_SHORT && sum.is_finite() && sum >= (n as f64) * 2.0_f64.powi(-125) => return Self { sum, power: 0 },
            _ if T::IS_SHORT => 0,
            sum if (SMALLEST..f64::INFINITY).contains(&sum) => return Self { sum, power: 0 },
            sum if sum < SMALLEST => -POWER,
            _ => POWER,
        };
        Self { sum: again(Pass::Again(power)), power }
    }

    /// Returns a sum that is there already.
    pub(crate) fn plain(sum: f64) -> Self {
        Self { sum, power: 0 }
    }

    /// Returns the sum of n squares, which each pass adds up anew.
    pub(crate) fn in_passes<T: Real>(n: usize, mut squares: impl FnMut(Pass) -> f64) -> Self {
        Self::of::<T>(squares(Pass::First), n, squares)
    }

    /// Returns √Σx², which is infinite only if it is larger than every f64. For `f32` it is finite
    /// exactly when every element is.
    pub(crate) fn norm(self) -> f64 {
        self.sum.sqrt() * two_to(self.power)
    }

    /// Returns the sum of both, at the power of the larger one.
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = self.sum + other.sum;
        if self.power == other.power && sum.is_finite() { Self { sum, ..self } } else { self.plus_scaled(other) }
    }

    fn plus_scaled(self, other: Self) -> Self {
        let power = match (self.sum == 0.0, other.sum == 0.0) {
            (true, _) => other.power,
            (_, true) => self.power,
            _ => self.power.max(other.power),
        };
        let sum = self.at(power) + other.at(power);
        if sum.is_infinite() && power < POWER && self.sum.is_finite() && other.sum.is_finite() {
            let power = power + POWER;
            return Self { sum: self.at(power) + other.at(power), power };
        }
        Self { sum, power }
    }

    /// Returns the sum in units of 4^power.
    fn at(self, power: i32) -> f64 {
        let scale = two_to(self.power - power);
        self.sum * scale * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, size: f64) -> Vec<f64> {
        (0..n).map(|i| size * (1.0 + (i * i % 97) as f64 / 50.0)).collect()
    }

    #[test]
    fn whole_chunks_may_be_summed_apart() {
        let x = numbers(5 * CHUNK / 2, 1.0);
        let whole = sum_of_squares(Level::baseline(), &x);
        let parts = x.chunks(CHUNK).map(|part| sum_of_squares(Level::baseline(), part));
        assert_eq!(parts.reduce(SquareSum::plus), Some(whole));
    }

    /// A power of two scales a norm and changes no digit of it, wherever its squares lie.
    #[test]
    fn norms_of_huge_and_tiny_numbers() {
        let near_one = sum_of_squares(Level::best(), &numbers(1000, 1.0)).norm();
        for power in [-1000, -560, -530, -480, 0, 480, 505, 530, 1000] {
            let scaled = sum_of_squares(Level::best(), &numbers(1000, two_to(power))).norm();
            assert!((scaled / two_to(power) / near_one - 1.0).abs() < 1e-15, "2^{power}: {scaled:e}");
        }
        assert_eq!(sum_of_squares(Level::best(), &[5e-324]).norm(), 5e-324);
        assert_eq!(sum_of_squares(Level::best(), &[f64::MAX]).norm(), f64::MAX);
        assert_eq!(sum_of_squares(Level::best(), &[f64::MAX, f64::MAX]).norm(), f64::INFINITY);
        assert_eq!(sum_of_squares::<f64>(Level::best(), &[0.0, -0.0]).norm(), 0.0);
        assert!(sum_of_squares(Level::best(), &[1.0, f64::NAN]).norm().is_nan());
        assert_eq!(sum_of_squares(Level::best(), &[1.0, f64::NEG_INFINITY]).norm(), f64::INFINITY);
    }

    #[test]
    fn sums_of_different_powers_add_up() {
        for (a, b) in
            [(3e200, 4e200), (3e-200, 4e-200), (3.0, 4e200), (3e-200, 4.0), (3e-200, 4e200), (0.0, 4e-200), (1e154, 1e154)]
        {
            let [x, y] = [a, b].map(|x| sum_of_squares(Level::best(), &[x]));
            let both = f64::hypot(a, b);
            for sum in [x.plus(y), y.plus(x)] {
                assert!((sum.norm() / both - 1.0).abs() < 1e-15, "{a:e} and {b:e}: {sum:?}");
            }
        }
    }

    #[test]
    fn distances_are_norms_of_differences() {
        let (x, a) = (numbers(200, 1e200), numbers(200, 3e200));
        let expected = sum_of_squares(Level::best(), &x).norm() * 2.0;
        let found = squared_distance(Level::best(), &x, &a).norm();
        assert!((found / expected - 1.0).abs() < 1e-14, "{found:e} for {expected:e}");
    }
}
