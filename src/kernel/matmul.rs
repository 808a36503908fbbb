//! Matrix products. Each number is Σ aᵢₖ·bₖⱼ with k upwards, a fused multiply-add for each term, in
//! blocks of [`DEPTH`] terms whose sums are added up in turn. So neither the CPU level nor the size
//! of a register tile can change a bit.
//!
//! Rows of `a` and columns of `b` are copied side by side first, so that the innermost loop reads
//! both from end to end and keeps a tile of the product in registers.

use super::{Level, vectorize};
use crate::float::Real;

/// Terms that are summed up before the next block begins.
const DEPTH: usize = 256;

/// Rows of `a` that are copied at a time: a multiple of the height of every tile.
const BAND: usize = 48;

/// The widest tile.
const WIDEST: usize = 16;

/// How many numbers of memory a product needs beside its matrices.
pub(crate) const ROOM: usize = (BAND + WIDEST) * DEPTH;

/// A matrix in borrowed memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a, T> {
    numbers: &'a [T],
    rows: usize,
    columns: usize,
    /// Whether the numbers lie column by column.
    by_columns: bool,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// Returns the matrix of numbers that lie row by row.
    pub(crate) fn new(numbers: &'a [T], rows: usize, columns: usize) -> Self {
        Self { numbers: &numbers[..rows * columns], rows, columns, by_columns: false }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, by_columns: !self.by_columns, ..self }
    }

    /// Copies a part of at most W rows: the W numbers of each column side by side, 0
    /// where no row is.
    #[inline(always)]
    fn pack<const W: usize>(self, row: usize, columns: Block, out: &mut [T]) {
        let (n, rows) = (columns.len, W.min(self.rows - row));
        if rows < W {
            out[..n * W].fill(T::zero());
        }
        if self.by_columns {
            for k in 0..n {
                let from = (columns.start + k) * self.rows + row;
                out[k * W..][..rows].copy_from_slice(&self.numbers[from..][..rows]);
            }
        } else {
            for i in 0..rows {
                let from = &self.numbers[(row + i) * self.columns + columns.start..][..n];
                for k in 0..n {
                    out[k * W + i] = from[k];
                }
            }
        }
    }
}

/// A range of terms.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    len: usize,
}

/// Which part of a product is worked out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// Its diagonal and what is above; tiles that are cut by the diagonal are whole.
    Upper,
}

/// Writes a·b to `out`; `room` has [`ROOM`] numbers.
pub(crate) fn multiply<T: Real>(level: Level, a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T], room: &mut [T]) {
    product(level, (a, b, Part::All), out, room);
}

/// Writes a·aᵀ to `out`, with the bits of [`multiply`] and half of its work: the product is
/// symmetric to the bit, as the terms of all its sums come in one order.
pub(crate) fn square<T: Real>(level: Level, a: Matrix<'_, T>, out: &mut [T], room: &mut [T]) {
    product(level, (a, a.transposed(), Part::Upper), out, room);
    for i in 0..a.rows {
        for j in 0..i {
            out[i * a.rows + j] = out[j * a.rows + i];
        }
    }
}

/// Two factors, and what is wanted of their product.
type Factors<'a, T> = (Matrix<'a, T>, Matrix<'a, T>, Part);

fn product<T: Real>(level: Level, factors: Factors<'_, T>, out: &mut [T], room: &mut [T]) {
    debug_assert_eq!(factors.0.columns, factors.1.rows);
    // Height and width of a tile, as large as the registers of a level hold.
    match (size_of::<T>(), Some(level) == Level::avx512()) {
        (4, _) => at_level::<T, 6, 16>(level, factors, out, room),
        (_, true) => at_level::<T, 8, 8>(level, factors, out, room),
        (_, false) => at_level::<T, 8, 4>(level, factors, out, room),
    }
}

fn at_level<T: Real, const H: usize, const W: usize>(level: Level, factors: Factors<'_, T>, out: &mut [T], room: &mut [T]) {
    let (a, ..) = factors;
    let (left, right) = room.split_at_mut(BAND * DEPTH);
    vectorize(
        level,
        #[inline(always)]
        || {
            // Without terms no block runs that would write the product.
            if a.columns == 0 {
                out.fill(T::zero());
            }
            for start in (0..a.columns).step_by(DEPTH) {
                let block = Block { start, len: DEPTH.min(a.columns - start) };
                for row in (0..a.rows).step_by(BAND) {
                    band::<T, H, W>(factors, (row, block), out, (left, right));
                }
            }
        },
    );
}

/// Adds the terms of a block to a band of the product's rows; the first block begins the sums.
#[inline(always)]
fn band<T: Real, const H: usize, const W: usize>(
    (a, b, part): Factors<'_, T>,
    (top, block): (usize, Block),
    out: &mut [T],
    (left, right): (&mut [T], &mut [T]),
) {
    let bottom = a.rows.min(top + BAND);
    for row in (top..bottom).step_by(H) {
        a.pack::<H>(row, block, &mut left[(row - top) * DEPTH..]);
    }
    let wanted = |row: usize, column: usize| part == Part::All || row < column + W;
    for column in (0..b.columns).step_by(W).filter(|&column| wanted(top, column)) {
        b.transposed().pack::<W>(column, block, right);
        let width = W.min(b.columns - column);
        for row in (top..bottom).step_by(H).filter(|&row| wanted(row, column)) {
            let sums = tile::<T, H, W>(&left[(row - top) * DEPTH..][..block.len * H], &right[..block.len * W]);
            for i in 0..H.min(bottom - row) {
                let out = &mut out[(row + i) * b.columns + column..][..width];
                for j in 0..width {
                    out[j] = if block.start == 0 { sums[i][j] } else { out[j] + sums[i][j] };
                }
            }
        }
    }
}

/// Returns the sums of a tile of the product.
#[expect(clippy::expect_used, reason = "the slices before it have these lengths, and the compiler sees it")]
#[inline(always)]
fn tile<T: Real, const H: usize, const W: usize>(left: &[T], right: &[T]) -> [[T; W]; H] {
    let mut sums = [[T::zero(); W]; H];
    for k in 0..left.len() / H {
        let a: &[T; H] = left[k * H..][..H].try_into().expect("it has this length");
        let b: [T; W] = right[k * W..][..W].try_into().expect("it has this length");
        for i in 0..H {
            for j in 0..W {
                sums[i][j] = a[i].mul_add(b[j], sums[i][j]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<T: Real>(n: usize, seed: usize) -> Vec<T> {
        (0..n).map(|i| T::of(((i * 7919 + seed * 104_729) % 1009) as f64 / 505.0 - 1.0)).collect()
    }

    /// The order of operations that is promised, number by number.
    fn by_hand<T: Real>(a: impl Fn(usize, usize) -> T, b: impl Fn(usize, usize) -> T, [m, n, k]: [usize; 3]) -> Vec<T> {
        let number = |i, j| {
            let block = |start| (start..k.min(start + DEPTH)).fold(T::zero(), |sum, k| a(i, k).mul_add(b(k, j), sum));
            (0..k).step_by(DEPTH).map(block).reduce(|sum, block| sum + block).unwrap_or(T::zero())
        };
        (0..m * n).map(|at| number(at / n, at % n)).collect()
    }

    fn products_have_the_promised_bits<T: Real>() {
        let mut room = numbers(ROOM, 9);
        for [m, n, k] in [[1, 1, 1], [2, 3, 0], [5, 17, 3], [6, 16, 8], [13, 9, 300], [50, 33, 257], [97, 40, 520]] {
            let (a, b) = (numbers::<T>(m * k, 1), numbers::<T>(k * n, 2));
            for level in Level::all() {
                // The product overwrites what is there.
                let mut out = numbers(m * n, 3);
                multiply(level, Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut out, &mut room);
                assert_eq!(out, by_hand(|i, j| a[i * k + j], |i, j| b[i * n + j], [m, n, k]), "{m}×{k}×{n} on {level}");
                multiply(level, Matrix::new(&a, k, m).transposed(), Matrix::new(&b, n, k).transposed(), &mut out, &mut room);
                assert_eq!(out, by_hand(|i, j| a[j * m + i], |i, j| b[j * k + i], [m, n, k]), "transposed, on {level}");
            }
        }
    }

    fn squares_have_the_bits_of_products<T: Real>() {
        let mut room = numbers(ROOM, 9);
        for [m, k] in [[1, 1], [3, 0], [5, 17], [49, 300], [130, 20]] {
            let numbers = numbers::<T>(m * k, 4);
            for a in [Matrix::new(&numbers, m, k), Matrix::new(&numbers, k, m).transposed()] {
                let [mut expected, mut found] = [(); 2].map(|()| vec![T::one(); m * m]);
                multiply(Level::best(), a, a.transposed(), &mut expected, &mut room);
                square(Level::best(), a, &mut found, &mut room);
                assert_eq!(found, expected, "{m}×{k}");
            }
        }
    }

    #[test]
    fn half_the_work_of_a_square_leaves_its_bits() {
        squares_have_the_bits_of_products::<f32>();
        squares_have_the_bits_of_products::<f64>();
    }

    #[test]
    fn products_have_the_promised_bits_on_every_level() {
        products_have_the_promised_bits::<f32>();
        products_have_the_promised_bits::<f64>();
    }
}
