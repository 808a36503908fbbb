//! The two contracts of a coordinate, rule and law, which know nothing of each other.
//!
//! ```text
//! g        ← scaling(g)                   unscaling, clipping and the sign of `maximize`
//! g        ← law.couple(g, d)             decay that acts through the gradient
//! u, state ← rule.update(x, g, state)     the optimizer itself
//! d        ← law.settle(d, g, u, rate)    the update, and decay that acts beside it
//! ```
//!
//! d is the weight, or its distance from an anchor. Only correctly rounded operations may be used
//! (+, −, ×, ÷, `sqrt`, `mul_add`, comparisons), so that every CPU level gives the same bits.
//! AdaDecay's exponential and the power of a p-norm are the exceptions: calls of the platform's math
//! library, which are the same on every level.

use std::ops::Range;

use super::Level;
use super::column::Matrices;
use crate::float::{Real, clamp};

/// One coordinate of an optimizer: weight, gradient and state in, the move and the new state out.
pub(crate) trait Rule<T: Real>: Copy + Send + Sync {
    /// The numbers of state that a coordinate has: `[T; N]`, one from each column.
    type State: Numbers<T>;

    /// Whether this rule is joined with the usual laws in one loop. That compiles one more loop for
    /// each of them, so it is for rules that most steps are made of.
    const FUSED: bool = false;

    /// Whether it is joined so with every law of single weights, and with the usual ones towards an anchor
    /// too.
    const FUSED_WITH_ALL: bool = false;

    /// Whether every move is along its direction in the plain metric ([`Move::along`]): then only the
    /// direction of a tile is kept.
    const PLAIN: bool = false;

    /// Whether the displacement of this rule with the usual laws is measured in one loop as well.
    const MEASURED: bool = false;

    fn update(&self, x: T, g: T, state: Self::State) -> (Move<T>, Self::State);
}

/// Where a rule moves a weight: x − rate·u.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move<T> {
    /// The direction u. A rule may have multiplied it by its learning rate already.
    pub(crate) u: T,
    /// Any number with the sign of u, which is still there where the learning rate has made 0 of u.
    pub(crate) lean: T,
    /// The coordinate's metric: what the gradient was divided by, such as Adam's √v̂ + ε. The step
    /// is the minimiser of ⟨g, x⟩ + (metric/2η)·‖x − x₀‖².
    pub(crate) metric: T,
}

impl<T: Real> Move<T> {
    /// Returns the move along a direction in the plain metric, 1.
    #[inline(always)]
    pub(crate) fn along(u: T) -> Self {
        Self { u, lean: u, metric: T::one() }
    }
}

/// One coordinate of a decay.
///
/// A law acts in the gradient (`couple`), beside the update (`settle`), or both, and says so in its
/// constants: what does not act costs no loop.
pub(crate) trait Law<T: Real>: Copy + Send + Sync {
    /// The numbers that the law reads of its own columns, `[T; M]`.
    type Columns: Numbers<T>;

    /// Whether `couple` is more than the gradient itself.
    const COUPLES: bool = false;

    /// Whether `settle` is more than the update itself.
    const SETTLES: bool = false;

    /// Whether the law asks for more of a move than its direction: the sign or the metric.
    const ASKS: bool = false;

    /// Whether `settle` changes the law's columns.
    const WRITES: bool = false;

    /// Whether the law leaves a weight alone where the first number of its columns is 0: it gets the
    /// update without decay, by the bit, whatever `settle` says.
    const RESTS: bool = false;

    /// Whether the law looks at a whole parameter before its tiles are worked on.
    const LOOKS: bool = false;

    /// Looks at a whole parameter, of which nothing has been written yet, and returns the law for it.
    fn prepare(self, _whole: &mut dyn Whole<T>, _notes: Notes<'_, T>) -> Self {
        self
    }

    /// Returns whether the law, once it has looked, leaves the parameter alone: the step then has the bits
    /// of one without decay.
    fn rests(&self) -> bool {
        false
    }

    /// Returns the longest way that the law, once it has looked, moves a weight beside the update and
    /// beside shrinking it.
    fn reach(&self) -> f64 {
        0.0
    }

    /// Returns the gradient that the optimizer sees: that of the loss, or that of loss and penalty.
    #[inline(always)]
    fn couple(&self, g: T, _d: T) -> T {
        g
    }

    /// Returns the new d, after the update and the decay beside it, and the law's new columns.
    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, columns: Self::Columns) -> (T, Self::Columns) {
        (descend(d, step, rate), columns)
    }

    /// Returns the part of d − settle(d) that is not rate·u, for those who need the length of the
    /// displacement.
    #[inline(always)]
    fn drift(&self, _d: T, _g: T, _step: Move<T>, _rate: T, _columns: Self::Columns) -> T {
        T::zero()
    }
}

/// A whole parameter, as a law looks at it before its tiles are worked on.
pub(crate) trait Whole<T> {
    fn level(&self) -> Level;

    /// Returns the parameter's axes.
    fn of(&self) -> Matrices;

    /// Returns ‖d‖.
    fn norm(&self) -> f64;

    /// Calls `each` with the d, tile after tile.
    fn weights(&mut self, each: &mut dyn FnMut(&[T]));

    /// Calls `each` with the gradients as the rule sees them, tile after tile.
    fn gradients(&mut self, each: &mut dyn FnMut(&[T]));

    /// Calls `each` with all that the update without decay does, tile after tile.
    fn moves(&mut self, each: &mut dyn FnMut(Moved<'_, T>));
}

/// What the update without decay does in a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved<'a, T> {
    /// d before it.
    pub(crate) before: &'a [T],
    /// The gradient as the rule sees it.
    pub(crate) g: &'a [T],
    /// The direction u.
    pub(crate) u: &'a [T],
    /// d − rate·u
    pub(crate) after: &'a [T],
}

/// Where a law writes down what it has seen of a whole parameter.
#[derive(Debug)]
pub(crate) struct Notes<'a, T> {
    /// The law's short columns of state. They hold what is there before the step, and are changed to
    /// what they will be after it.
    pub(crate) kept: &'a mut [T],
    /// The law's columns of this step, one after another; what they held is of no use.
    pub(crate) beside: &'a mut [T],
    /// Memory to work in.
    pub(crate) sums: &'a mut Vec<f64>,
}

/// Returns x − rate·u, rounded once.
#[inline(always)]
pub(crate) fn descend<T: Real>(x: T, step: Move<T>, rate: T) -> T {
    step.u.mul_add(-rate, x)
}

/// What happens to a gradient before anything else sees it: a factor, then a bound on its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling<T> {
    pub(crate) factor: T,
    pub(crate) bound: T,
}

impl<T: Real> Scaling<T> {
    #[inline(always)]
    pub(crate) fn apply(&self, g: T) -> T {
        clamp(g * self.factor, self.bound)
    }

    /// Returns whether every gradient stays as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.factor == T::one() && self.bound.is_infinite()
    }
}

/// The numbers of one coordinate, one from each of N columns.
pub(crate) trait Numbers<T>: Copy {
    /// The columns themselves.
    type Columns<'a>
    where
        T: 'a;

    /// Returns the first columns of a list, each cut to length n, so that no bounds check
    /// is left in a loop.
    fn columns<'a>(list: &'a mut [&mut [T]], n: usize) -> Self::Columns<'a>;

    fn read(columns: &Self::Columns<'_>, i: usize) -> Self;

    fn write(self, columns: &mut Self::Columns<'_>, i: usize);

    /// The columns, for reading only.
    type Given<'a>
    where
        T: 'a;

    /// Returns the first columns of a list, each cut to these weights.
    fn lent<'a>(list: &[&'a [T]], part: &Range<usize>) -> Self::Given<'a>;

    fn peek(columns: &Self::Given<'_>, i: usize) -> Self;
}

/// Implements [`Numbers`] for one number of columns, written out: what an array's adapters call is
/// not inlined for certain.
macro_rules! numbers {
    ($n:literal: $($column:ident $k:literal),*) => {
        impl<T: Copy> Numbers<T> for [T; $n] {
            type Columns<'a>
                = [&'a mut [T]; $n]
            where
                T: 'a;

            #[inline(always)]
            fn columns<'a>(list: &'a mut [&mut [T]], _n: usize) -> [&'a mut [T]; $n] {
                match list {
                    [$($column,)* ..] => [$(&mut $column[.._n]),*],
                    #[allow(unreachable_patterns, clippy::unreachable, reason = "a list always has no column, and a task enough")]
                    _ => unreachable!("a task has a column for each number of its rule"),
                }
            }

            #[inline(always)]
            fn read(_columns: &[&mut [T]; $n], _i: usize) -> Self {
                [$(_columns[$k][_i]),*]
            }

            #[inline(always)]
            fn write(self, _columns: &mut [&mut [T]; $n], _i: usize) {
                $(_columns[$k][_i] = self[$k];)*
            }

            type Given<'a>
                = [&'a [T]; $n]
            where
                T: 'a;

            #[inline(always)]
            fn lent<'a>(_list: &[&'a [T]], _part: &Range<usize>) -> [&'a [T]; $n] {
                [$(&_list[$k][_part.clone()]),*]
            }

            #[inline(always)]
            fn peek(_columns: &[&[T]; $n], _i: usize) -> Self {
                [$(_columns[$k][_i]),*]
            }
        }
    };
}

numbers!(0:);
numbers!(1: a 0);
numbers!(2: a 0, b 1);
numbers!(3: a 0, b 1, c 2);
numbers!(4: a 0, b 1, c 2, d 3);
