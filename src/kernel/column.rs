//! Columns: the numbers that are kept beside a parameter's weights.

use std::ops::Range;

/// The most columns that a rule reads of one parameter.
pub(crate) const MAX_COLUMNS: usize = 4;

/// The most of them that have fewer numbers than weights.
pub(crate) const MAX_SPREAD: usize = 3;

/// What a column is: its name, how many numbers it has, and what they are before the first update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    /// PyTorch's name, where it has one.
    pub(crate) name: &'static str,
    pub(crate) extent: Extent,
    pub(crate) start: Start,
}

/// How many numbers a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One for each weight.
    Weights,
    /// One for each row of the last two axes.
    Rows,
    /// One for each column of the last two axes.
    Columns,
    /// One for the whole parameter.
    One,
}

/// What a column holds before the first update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    /// The same number everywhere.
    Value(f64),
    /// The weights as they are then.
    Weights,
}

impl Column {
    /// A number for each weight, 0 at first.
    pub(crate) const fn zeros(name: &'static str) -> Self {
        Self { name, extent: Extent::Weights, start: Start::Value(0.0) }
    }
}

/// The last two axes of a parameter, and how many such matrices there are; a parameter with fewer axes
/// is one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// How many axes the parameter has; one without a shape has one.
    pub(crate) rank: usize,
    pub(crate) count: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Matrices {
    /// Of a parameter of this shape.
    pub(crate) fn of(axes: &[usize]) -> Self {
        let (count, rows, columns) = match *axes {
            // The product of the others may not fit.
            _ if axes.contains(&0) => (0, 0, 0),
            [] => (1, 1, 1),
            [columns] => (1, 1, columns),
            [ref outer @ .., rows, columns] => (outer.iter().product(), rows, columns),
        };
        Self { rank: axes.len(), count, rows, columns }
    }

    /// Returns how many numbers a column of this extent has.
    pub(crate) fn len(self, extent: Extent) -> usize {
        match extent {
            Extent::Weights => self.count * self.rows * self.columns,
            Extent::Rows => self.count * self.rows,
            Extent::Columns => self.count * self.columns,
            Extent::One => 1,
        }
    }
}

/// A column of a law as the tiles of a parameter read it.
#[derive(Debug)]
pub(crate) enum Cells<'a, T> {
    /// One number for each weight.
    Each(&'a mut [T]),
    /// Fewer numbers, spread over the weights; not written.
    Spread(Spread<'a, T>),
}

/// The numbers of rows or columns, one for every weight in them.
#[derive(Debug)]
pub(crate) struct Spread<'a, T> {
    values: &'a [T],
    /// Weights of one matrix, and its numbers.
    matrix: usize,
    numbers: usize,
    /// Neighbouring weights that share a number.
    share: usize,
    /// The first weight, among all of the parameter.
    start: usize,
}

impl<T> Clone for Spread<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Spread<'_, T> {}

impl<T> Spread<'_, T> {
    /// Returns the same without the first n weights.
    pub(crate) fn skip(self, n: usize) -> Self {
        Self { start: self.start + n, ..self }
    }
}

impl<'a, T: Copy> Spread<'a, T> {
    pub(crate) fn new(values: &'a [T], of: Matrices, extent: Extent) -> Self {
        let matrix = of.rows * of.columns;
        let (matrix, numbers, share) = match extent {
            Extent::Weights => (matrix, matrix, 1),
            Extent::Rows => (matrix, of.rows, of.columns),
            Extent::Columns => (matrix, of.columns, 1),
            Extent::One => (of.count * matrix, 1, of.count * matrix),
        };
        Self { values, matrix, numbers, share, start: 0 }
    }

    /// Writes the numbers of the weights from `at` on, run by run.
    pub(crate) fn fill(&self, at: usize, out: &mut [T]) {
        let (mut i, mut rest) = (self.start + at, out);
        while !rest.is_empty() {
            let (matrix, within) = (i / self.matrix, i % self.matrix);
            let number = within / self.share % self.numbers;
            let values = &self.values[matrix * self.numbers..][..self.numbers];
            let run = if self.share > 1 { self.share - within % self.share } else { self.numbers - number };
            let run = run.min(rest.len());
            let (now, later) = rest.split_at_mut(run);
            if self.share > 1 {
                now.fill(values[number])
            } else {
                now.copy_from_slice(&values[number..][..run])
            }
            (i, rest) = (i + run, later);
        }
    }
}

impl<'a, T> Default for Cells<'a, T> {
    fn default() -> Self {
        Self::Each(&mut [])
    }
}

impl<'a, T> Cells<'a, T> {
    /// Cuts at a weight, so that both parts can be worked on.
    pub(crate) fn split_at(self, n: usize) -> (Self, Self) {
        match self {
            Self::Each(cells) => {
                let (left, right) = cells.split_at_mut(n.min(cells.len()));
                (Self::Each(left), Self::Each(right))
            }
            Self::Spread(spread) => (Self::Spread(spread), Self::Spread(spread.skip(n))),
        }
    }
}

impl<T: Copy> Cells<'_, T> {
    /// Returns the numbers of a tile; those that are spread are written to scratch memory.
    pub(crate) fn tile<'s>(&'s mut self, tile: Range<usize>, scratch: &'s mut [T]) -> &'s mut [T] {
        match self {
            Self::Each([]) => &mut [],
            Self::Each(cells) => &mut cells[tile],
            Self::Spread(_) => self.copy(tile, scratch),
        }
    }

    /// Returns a copy of the numbers of a tile.
    pub(crate) fn copy<'s>(&self, tile: Range<usize>, scratch: &'s mut [T]) -> &'s mut [T] {
        let out = &mut scratch[..tile.len()];
        match self {
            Self::Each([]) => return &mut [],
            Self::Each(cells) => out.copy_from_slice(&cells[tile]),
            Self::Spread(spread) => spread.fill(tile.start, out),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_rows_and_columns_are_spread_over_the_weights() {
        let of = Matrices::of(&[2, 3, 4]);
        let mut out = [0; 24];
        for (extent, expected) in [
            (Extent::Rows, (0..24).map(|i| i / 4).collect::<Vec<_>>()),
            (Extent::Columns, (0..24).map(|i| i / 12 * 4 + i % 4).collect()),
            (Extent::One, vec![0; 24]),
        ] {
            let values: Vec<_> = (0..of.len(extent)).collect();
            let spread = Spread::new(&values, of, extent);
            for start in 0..24 {
                out.fill(99);
                spread.fill(start, &mut out[start..]);
                assert_eq!(out[start..], expected[start..], "{extent:?} from {start}");
            }
            let (_, Cells::Spread(right)) = Cells::Spread(spread).split_at(7) else { unreachable!("a spread stays one") };
            right.fill(2, &mut out[9..]);
            assert_eq!(out[9..], expected[9..], "{extent:?}, cut");
        }
    }
}
