//! The laws: what a decay does to one coordinate, and the list of all of them.

use crate::float::Real;
use crate::rule::Move;

/// One coordinate of a decay. A law knows nothing of the optimizer it stands beside.
///
/// `at` holds the law's M columns at this coordinate (an anchor). `step.u` is the optimizer's direction; rate·u is its
/// displacement.
pub(crate) trait Law<T: Real, const M: usize>: Copy {
    /// The gradient that the optimizer sees: that of the loss, or that of loss and penalty together.
    #[inline(always)]
    fn couple(&self, g: T, _x: T, _at: [T; M]) -> T {
        g
    }

    /// The new weight: the update, and the decay beside it.
    #[inline(always)]
    fn settle(&self, x: T, step: Move<T>, rate: T, _at: [T; M]) -> T {
        descend(x, step, rate)
    }

    /// The part of x − settle(x, u) that is not rate·u, for those who need the norm of the displacement.
    #[inline(always)]
    fn drift(&self, _x: T, _step: Move<T>, _rate: T, _at: [T; M]) -> T {
        T::zero()
    }
}

/// x − rate·u, rounded once.
#[inline(always)]
pub(crate) fn descend<T: Real>(x: T, step: Move<T>, rate: T) -> T {
    step.u.mul_add(-rate, x)
}

/// No decay.
#[derive(Clone, Copy)]
pub(crate) struct Free;

impl<T: Real> Law<T, 0> for Free {}

/// A law on d = x − a, the distance from an anchor: the decay pulls towards a instead of 0.
#[derive(Clone, Copy)]
pub(crate) struct Anchored<L>(pub(crate) L);

impl<T: Real, L: Law<T, 0>> Law<T, 1> for Anchored<L> {
    #[inline(always)]
    fn couple(&self, g: T, x: T, [a]: [T; 1]) -> T {
        self.0.couple(g, x - a, [])
    }

    #[inline(always)]
    fn settle(&self, x: T, step: Move<T>, rate: T, [a]: [T; 1]) -> T {
        a + self.0.settle(x - a, step, rate, [])
    }

    #[inline(always)]
    fn drift(&self, x: T, step: Move<T>, rate: T, [a]: [T; 1]) -> T {
        self.0.drift(x - a, step, rate, [])
    }
}

/// The same for a law that only couples: the update itself never leaves x, so it is rounded as without decay.
#[derive(Clone, Copy)]
pub(crate) struct AnchoredCoupling<L>(pub(crate) L);

impl<T: Real, L: Law<T, 0>> Law<T, 1> for AnchoredCoupling<L> {
    #[inline(always)]
    fn couple(&self, g: T, x: T, [a]: [T; 1]) -> T {
        self.0.couple(g, x - a, [])
    }
}

/// Runs `$body` with the law of `$pull` for element type `$T` and its columns. Displacements are multiplied by `$trust`.
///
/// This is the list of all law kernels; every line costs two loops, with and without an anchor, per rule, element type and CPU level.
macro_rules! for_law {
    ($T:ty, $pull:expr, $trust:expr, $anchor:expr, |$law:ident, $cols:ident| $body:expr) => {{
        use $crate::decay::effect::Effect;
        use $crate::decay::law::{Anchored, AnchoredCoupling, Free};
        use $crate::decay::{cautious::Cautious, coupled::*, proximal::Proximal, shrink::Shrink};
        let (trust, anchor): (f64, &[$T]) = ($trust, $anchor);
        macro_rules! with {
            ($chosen:expr, $columns:expr) => {{
                let ($law, $cols) = ($chosen, $columns);
                $body
            }};
        }
        // The law as it is, or in its wrapper for an anchor.
        macro_rules! either {
            ($wrapper:ident, $chosen:expr) => {
                if $pull.anchored { with!($wrapper($chosen), [anchor]) } else { with!($chosen, []) }
            };
        }
        match $pull.effect.times(trust) {
            Effect::Free => with!(Free, []),
            Effect::Coupled { l1, l2 } if l1 == 0.0 => either!(AnchoredCoupling, CoupledL2::<$T>::new(l2)),
            Effect::Coupled { l1, l2 } => either!(AnchoredCoupling, CoupledElastic::<$T>::new(l1, l2)),
            Effect::Shrink(share) => either!(Anchored, Shrink::<$T>::new(share)),
            Effect::Cautious(share) => either!(Anchored, Cautious::<$T>::new(share)),
            Effect::Proximal { before, threshold, after } => {
                either!(Anchored, Proximal::<$T>::new(before, threshold, after))
            }
        }
    }};
}
pub(crate) use for_law;
