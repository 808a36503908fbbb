//! Columns: the numbers that are kept beside a parameter's weights.

use super::Level;
use super::reduce::sum_of_squares;
use crate::float::{Float, Real};

/// The most columns that a rule reads of one parameter.
pub(crate) const MAX_COLUMNS: usize = 4;

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
    /// One for each slice along the first axis.
    First,
    /// One for each slice along the second axis.
    Second,
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
    /// The norm of the weights as they are then; the largest number where it is larger.
    Norm,
    /// Numbers spread over (0, 1) without a pattern: multiples of the golden ratio, without what stands before
    /// the point.
    Uneven,
}

/// The golden ratio, without what stands before the point.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

impl Start {
    /// Returns the number that a column starts from; 0 for weights that are not known.
    pub(crate) fn number<T: Float>(self) -> T {
        match self {
            Self::Value(start) => T::of(start),
            Self::Weights | Self::Norm | Self::Uneven => T::of(0.0),
        }
    }

    /// Returns whether it says something of the weights.
    pub(crate) fn is_of_weights(self) -> bool {
        matches!(self, Self::Weights | Self::Norm)
    }

    /// Fills a column of a parameter with these weights; those that are not given count as 0.
    pub(crate) fn fill<T: Real>(self, column: &mut [T], weights: &[T]) {
        match self {
            Self::Weights if weights.len() == column.len() => column.copy_from_slice(weights),
            Self::Norm => {
                let norm = sum_of_squares(Level::baseline(), weights).norm();
                column.fill(T::of(if norm > T::LARGEST { T::LARGEST } else { norm }));
            }
            Self::Uneven => (1_u32..).zip(column).for_each(|(i, number)| *number = T::of((f64::from(i) * GOLDEN).fract())),
            Self::Value(_) | Self::Weights => column.fill(self.number()),
        }
    }
}

impl Column {
    /// Returns a column with a number for each weight, 0 at first.
    pub(crate) const fn zeros(name: &'static str) -> Self {
        Self { name, extent: Extent::Weights, start: Start::Value(0.0) }
    }
}

/// The last two axes of a parameter, and how many such matrices there are; a parameter with fewer
/// axes is one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matrices {
    /// How many axes the parameter has; one without a shape has one.
    pub(crate) rank: usize,
    pub(crate) count: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The lengths of the first two axes; 1 where there is none.
    pub(crate) first: usize,
    pub(crate) second: usize,
}

impl Matrices {
    /// Returns the matrices of a parameter of this shape.
    pub(crate) fn of(axes: &[usize]) -> Self {
        let (count, rows, columns) = match *axes {
            // The product of the others may not fit.
            _ if axes.contains(&0) => (0, 0, 0),
            [] => (1, 1, 1),
            [columns] => (1, 1, columns),
            [ref outer @ .., rows, columns] => (outer.iter().product(), rows, columns),
        };
        let length = |axis: usize| if count == 0 { 0 } else { axes.get(axis).copied().unwrap_or(1) };
        Self { rank: axes.len(), count, rows, columns, first: length(0), second: length(1) }
    }

    /// Returns how many numbers a column of this extent has.
    pub(crate) fn len(self, extent: Extent) -> usize {
        match extent {
            Extent::Weights => self.count * self.rows * self.columns,
            Extent::Rows => self.count * self.rows,
            Extent::Columns => self.count * self.columns,
            Extent::First => self.first,
            Extent::Second => self.second,
            Extent::One => 1,
        }
    }
}

/// Columns that have fewer numbers than weights, one after another: tiles read them spread over the
/// weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) extents: &'a [Extent],
    pub(crate) of: Matrices,
}

impl<T> Default for Short<'_, T> {
    fn default() -> Self {
        Self { numbers: &[], extents: &[], of: Matrices::of(&[]) }
    }
}

impl<'a, T: Copy> Short<'a, T> {
    /// Returns the columns.
    pub(crate) fn columns(self) -> impl Iterator<Item = Spread<'a, T>> {
        let mut rest = self.numbers;
        self.extents.iter().map(move |&extent| {
            let (numbers, later) = rest.split_at(self.of.len(extent));
            rest = later;
            Spread::new(numbers, self.of, extent)
        })
    }
}

/// The numbers of rows or columns, one for every weight in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread<'a, T> {
    values: &'a [T],
    /// Weights after which the numbers begin anew, or others follow.
    matrix: usize,
    /// The numbers of so many weights, and where those of the next ones begin.
    numbers: usize,
    stride: usize,
    /// Neighbouring weights that share a number.
    share: usize,
}

impl<'a, T: Copy> Spread<'a, T> {
    pub(crate) fn new(values: &'a [T], of: Matrices, extent: Extent) -> Self {
        let matrix = of.rows * of.columns;
        let len = of.count * matrix;
        let slice = len / of.first.max(1);
        let (matrix, numbers, share) = match extent {
            Extent::Weights => (matrix, matrix, 1),
            Extent::Rows => (matrix, of.rows, of.columns),
            Extent::Columns => (matrix, of.columns, 1),
            Extent::First => (len, of.first, slice),
            Extent::Second => (slice, of.second, slice / of.second.max(1)),
            Extent::One => (len, 1, len),
        };
        // Every slice along the first axis has the same numbers of the second.
        let stride = if extent == Extent::Second { 0 } else { numbers };
        Self { values, matrix, numbers, stride, share }
    }

    /// Writes the numbers of the weights from `at` on, run by run.
    pub(crate) fn fill(&self, at: usize, out: &mut [T]) {
        let (mut i, mut rest) = (at, out);
        while !rest.is_empty() {
            let (matrix, within) = (i / self.matrix, i % self.matrix);
            let number = within / self.share % self.numbers;
            let values = &self.values[matrix * self.stride..][..self.numbers];
            let run = if self.share > 1 { self.share - within % self.share } else { self.numbers - number };
            let run = run.min(rest.len());
            let (now, later) = rest.split_at_mut(run);
            if self.share > 1 {
                now.fill(values[number]);
            } else {
                now.copy_from_slice(&values[number..][..run]);
            }
            (i, rest) = (i + run, later);
        }
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
            (Extent::First, (0..24).map(|i| i / 12).collect()),
            (Extent::Second, (0..24).map(|i| i / 4 % 3).collect()),
            (Extent::One, vec![0; 24]),
        ] {
            let values: Vec<_> = (0..of.len(extent)).collect();
            let spread = Spread::new(&values, of, extent);
            for start in 0..24 {
                out.fill(99);
                spread.fill(start, &mut out[start..]);
                assert_eq!(out[start..], expected[start..], "{extent:?} from {start}");
            }
        }
    }
}
