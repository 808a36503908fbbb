//! Sums over a parameter in a fixed order: fixed lanes, a fixed chunk, a fixed tree. So neither the CPU level, nor threads
//! that take whole chunks, can change a bit of them.

use super::{Level, vectorize};
use crate::float::Float;

/// Partial sums kept side by side; lane l takes the elements l, l + 64, l + 128 ...
pub(crate) const LANES: usize = 64;

/// Elements whose lanes are summed up before the next chunk begins.
const CHUNK: usize = 1 << 14;

/// Σx² in f64. For `f32` it is finite exactly when every element is; for `f64` the squares may overflow.
pub(crate) fn sum_of_squares<T: Float>(level: Level, x: &[T]) -> f64 {
    vectorize(
        level,
        #[inline(always)]
        || x.chunks(CHUNK).map(|x| chunk(x, [], |x, []| x)).sum(),
    )
}

/// Σ(x − a)² in f64; an empty `a` stands for 0.
pub(crate) fn squared_distance<T: Float>(level: Level, x: &[T], a: &[T]) -> f64 {
    if a.is_empty() {
        return sum_of_squares(level, x);
    }
    vectorize(
        level,
        #[inline(always)]
        || x.chunks(CHUNK).zip(a.chunks(CHUNK)).map(|(x, a)| chunk(x, [a], |x, [a]| x - a)).sum(),
    )
}

/// Σ of the squares of `value` over one chunk.
#[inline(always)]
fn chunk<T: Float, const M: usize>(x: &[T], cols: [&[T]; M], value: impl Fn(T, [T; M]) -> T) -> f64 {
    let n = x.len();
    let cols = cols.map(|column| &column[..n]);
    let square = |i: usize| {
        let value = value(x[i], cols.map(|column| column[i])).widen();
        value * value
    };
    let mut lanes = [0.0; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += square(start + l);
        }
    }
    for (i, lane) in (whole..n).zip(&mut lanes) {
        *lane += square(i);
    }
    tree(lanes)
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
