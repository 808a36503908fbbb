//! Sums over a parameter in a fixed order: fixed lanes, a fixed chunk, a fixed tree. So neither the CPU level, nor threads
//! that take whole chunks, can change a bit of them.

use super::{Level, vectorize};
use crate::float::Real;

/// Partial sums kept side by side; lane l takes the elements l, l + 64, l + 128 ...
pub(crate) const LANES: usize = 64;

/// Elements whose lanes are summed up before the next chunk begins.
const CHUNK: usize = 1 << 14;

/// Σx² in f64. For `f32` it is finite exactly when every element is; for `f64` the squares may overflow.
pub(crate) fn sum_of_squares<T: Real>(level: Level, x: &[T]) -> f64 {
    vectorize(
        level,
        #[inline(always)]
        || squares(x, [], |x, []| x),
    )
}

/// Σ(x − a)² in f64; an empty `a` stands for 0.
pub(crate) fn squared_distance<T: Real>(level: Level, x: &[T], a: &[T]) -> f64 {
    if a.is_empty() {
        return sum_of_squares(level, x);
    }
    vectorize(
        level,
        #[inline(always)]
        || squares(x, [a], |x, [a]| x - a),
    )
}

/// Σ of the squares of `value`, chunk after chunk. A plain loop: what an iterator adapter calls is not inlined for certain.
#[inline(always)]
fn squares<T: Real, const M: usize>(x: &[T], cols: [&[T]; M], value: impl Fn(T, [T; M]) -> T + Copy) -> f64 {
    let mut total = 0.0;
    for start in (0..x.len()).step_by(CHUNK) {
        let end = x.len().min(start + CHUNK);
        total += chunk(&x[start..end], cols.map(|column| &column[start..end]), value);
    }
    total
}

/// Σ of the squares of `value` over one chunk.
#[inline(always)]
fn chunk<T: Real, const M: usize>(x: &[T], cols: [&[T]; M], value: impl Fn(T, [T; M]) -> T) -> f64 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    let (col_blocks, col_rests) =
        (cols.map(|column| column.as_chunks::<LANES>().0), cols.map(|column| column.as_chunks::<LANES>().1));
    for (i, block) in blocks.iter().enumerate() {
        let at = col_blocks.map(|column| &column[i]);
        for l in 0..LANES {
            lanes[l] = add_square(lanes[l], value(block[l], at.map(|column| column[l])));
        }
    }
    for (l, &x) in rest.iter().enumerate() {
        lanes[l] = add_square(lanes[l], value(x, col_rests.map(|column| column[l])));
    }
    tree(lanes)
}

/// sum + x², rounded once: a quarter faster than two operations, and the same for f32, whose squares are exact in f64.
#[inline(always)]
pub(crate) fn add_square<T: Real>(sum: f64, x: T) -> f64 {
    let x = x.widen();
    x.mul_add(x, sum)
}

/// The sum of the lanes, halves added to halves.
#[inline(always)]
pub(crate) fn tree(mut lanes: [f64; LANES]) -> f64 {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}
