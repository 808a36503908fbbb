//! Sums of squares over a parameter in a fixed order: fixed lanes, a fixed chunk, a fixed tree. So neither the CPU level, nor work that is
//! cut at whole chunks, can change a bit of them. Every norm of the crate comes from here.

use super::{Level, vectorize};
use crate::float::Real;

/// Partial sums kept side by side; lane l takes the elements l, l + 64, l + 128 ...
pub(crate) const LANES: usize = 64;

/// Elements whose lanes are summed up before the next chunk begins.
pub(crate) const CHUNK: usize = 1 << 14;

/// A sum over the numbers of a parameter, or of a row of it, that come tile after tile: in the lanes,
/// chunks and tree of every sum here.
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
        self.held += x.len();
        if self.held >= CHUNK {
            self.close();
        }
    }

    /// Adds the squares of the next tile, times a power of two.
    pub(crate) fn add_squares<T: Real>(&mut self, level: Level, x: &[T], scale: T) {
        self.fold(
            level,
            x,
            #[inline(always)]
            |sum, x| add_square(sum, x * scale),
        );
    }

    fn close(&mut self) {
        self.total += tree(std::mem::replace(&mut self.lanes, [0.0; LANES]));
        self.held = 0;
    }

    pub(crate) fn sum(mut self) -> f64 {
        if self.held > 0 {
            self.close();
        }
        self.total
    }
}

/// Adds each x² to its sum.
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

/// What is squared: K numbers for every element.
pub(crate) trait Terms<T, const K: usize>: Copy {
    /// The numbers of the elements from `start` on, a whole row of lanes.
    fn lanes(&self, start: usize) -> [[T; LANES]; K];

    /// The numbers of element i.
    fn one(&self, i: usize) -> [T; K];
}

/// Σx²
pub(crate) fn sum_of_squares<T: Real>(level: Level, x: &[T]) -> SquareSum {
    completed(level, plain_squares(level, x), x)
}

/// Returns Σx², unless that is too large or too small for f64.
pub(crate) fn plain_squares<T: Real>(level: Level, x: &[T]) -> f64 {
    let [sum] = vectorize(
        level,
        #[inline(always)]
        || squares(x.len(), Elements(x)),
    );
    sum
}

/// Returns Σx² from the sum of all chunks in their order, which is gone over again where it is too large
/// or too small.
pub(crate) fn completed<T: Real>(level: Level, plain: f64, x: &[T]) -> SquareSum {
    let [sum] = square_sums([plain], &mut |scale| {
        vectorize(
            level,
            #[inline(always)]
            || squares(x.len(), Scaled(Elements(x), scale)),
        )
    });
    sum
}

/// Σ(x − a)²; an empty `a` stands for 0.
pub(crate) fn squared_distance<T: Real>(level: Level, x: &[T], a: &[T]) -> SquareSum {
    if a.is_empty() {
        return sum_of_squares(level, x);
    }
    let sums: &mut dyn FnMut(T) -> [f64; 1] = &mut |scale| {
        vectorize(
            level,
            #[inline(always)]
            || squares(x.len(), Scaled(Differences(x, a), scale)),
        )
    };
    let [sum] = square_sums(sums(T::one()), sums);
    sum
}

/// Σ of the squares of n terms, chunk after chunk. Plain loops: what an iterator adapter calls is not inlined for certain.
#[inline(always)]
pub(crate) fn squares<T: Real, const K: usize>(n: usize, terms: impl Terms<T, K>) -> [f64; K] {
    let mut totals = [0.0; K];
    for start in (0..n).step_by(CHUNK) {
        let sums = chunk(start, n.min(start + CHUNK), terms);
        for k in 0..K {
            totals[k] += sums[k];
        }
    }
    totals
}

#[inline(always)]
fn chunk<T: Real, const K: usize>(start: usize, end: usize, terms: impl Terms<T, K>) -> [f64; K] {
    let mut lanes = [[0.0; LANES]; K];
    let rest = end - (end - start) % LANES;
    for at in (start..rest).step_by(LANES) {
        let values = terms.lanes(at);
        for k in 0..K {
            for l in 0..LANES {
                lanes[k][l] = add_square(lanes[k][l], values[k][l]);
            }
        }
    }
    for i in rest..end {
        let values = terms.one(i);
        for k in 0..K {
            lanes[k][i - rest] = add_square(lanes[k][i - rest], values[k]);
        }
    }
    let mut sums = [0.0; K];
    for k in 0..K {
        sums[k] = if end - start <= FEW { tree_of(&mut lanes[k], FEW) } else { tree_of(&mut lanes[k], LANES) };
    }
    sums
}

/// sum + x², rounded once: a quarter faster than two operations, and the same for f32, whose squares are exact in f64.
#[inline(always)]
fn add_square<T: Real>(sum: f64, x: T) -> f64 {
    let x = x.widen();
    x.mul_add(x, sum)
}

/// Lanes that a small parameter fills; the others are 0, and change no bit of the sum.
const FEW: usize = 16;

/// The sum of the lanes, halves added to halves.
fn tree(mut lanes: [f64; LANES]) -> f64 {
    tree_of(&mut lanes, LANES)
}

/// The sum of the first lanes, the others being 0.
#[inline(always)]
fn tree_of(lanes: &mut [f64; LANES], used: usize) -> f64 {
    let mut width = used;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}

/// A row of lanes of a column, of a length that the compiler knows.
#[inline(always)]
pub(crate) fn row<T>(column: &[T], start: usize) -> &[T; LANES] {
    column[start..start + LANES].try_into().expect("it has this length")
}

/// The elements themselves.
#[derive(Clone, Copy)]
struct Elements<'a, T>(&'a [T]);

impl<T: Real> Terms<T, 1> for Elements<'_, T> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [[T; LANES]; 1] {
        [*row(self.0, start)]
    }
    #[inline(always)]
    fn one(&self, i: usize) -> [T; 1] {
        [self.0[i]]
    }
}

/// Distances from an anchor.
#[derive(Clone, Copy)]
struct Differences<'a, T>(&'a [T], &'a [T]);

impl<T: Real> Terms<T, 1> for Differences<'_, T> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [[T; LANES]; 1] {
        let (x, a) = (row(self.0, start), row(self.1, start));
        let mut d = [T::zero(); LANES];
        for l in 0..LANES {
            d[l] = x[l] - a[l];
        }
        [d]
    }
    #[inline(always)]
    fn one(&self, i: usize) -> [T; 1] {
        [self.0[i] - self.1[i]]
    }
}

/// Terms times a power of two, so that their squares fit.
#[derive(Clone, Copy)]
pub(crate) struct Scaled<S, T>(pub(crate) S, pub(crate) T);

impl<T: Real, S: Terms<T, K>, const K: usize> Terms<T, K> for Scaled<S, T> {
    #[inline(always)]
    fn lanes(&self, start: usize) -> [[T; LANES]; K] {
        let mut values = self.0.lanes(start);
        for row in &mut values {
            for x in row {
                *x = *x * self.1;
            }
        }
        values
    }
    #[inline(always)]
    fn one(&self, i: usize) -> [T; K] {
        self.0.one(i).map(|x| x * self.1)
    }
}

/// A sum of squares that neither overflows nor vanishes: Σx² = sum·4^power. The power is 0 wherever that is exact enough, always for f32.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SquareSum {
    sum: f64,
    power: i32,
}

/// The power that is tried where 0 does not do: squares of f64 reach from 4^−1074 to 4^1024.
const POWER: i32 = 600;

/// A sum of squares below this has lost digits, or all of them, to underflow.
const SMALLEST: f64 = 1e-270;

/// 2^power, for powers of the size of [`POWER`].
fn two_to(power: i32) -> f64 {
    if power == 0 { 1.0 } else { 2.0_f64.powi(power) }
}

/// Sums of squares from the plain ones, and from `scaled` ones, whose terms are multiplied by a power of two, where the plain ones are too large
/// or too small.
#[inline]
pub(crate) fn square_sums<T: Real, const K: usize>(plain: [f64; K], scaled: &mut dyn FnMut(T) -> [f64; K]) -> [SquareSum; K] {
    let fits = (T::LARGEST * T::LARGEST).is_finite();
    std::array::from_fn(|k| match plain[k] {
        sum if fits || (SMALLEST..f64::INFINITY).contains(&sum) => SquareSum { sum, power: 0 },
        sum => {
            let power = if sum < SMALLEST { -POWER } else { POWER };
            SquareSum { sum: scaled(T::of(two_to(-power)))[k], power }
        }
    })
}

impl SquareSum {
    /// √Σx², which is infinite only if it is larger than every f64. For `f32` it is finite exactly when every element is.
    pub(crate) fn norm(self) -> f64 {
        self.sum.sqrt() * two_to(self.power)
    }

    /// The sum of both, at the power of the larger one.
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

    /// The sum in units of 4^power.
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
