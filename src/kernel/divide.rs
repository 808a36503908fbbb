//! Division of many numbers by one with the bits of a division, but without the divider: a product
//! and its correction.
//!
//! ```text
//! once:  y = RN(1/b)      then:  n = RN(a·y)    r = RN(n·b − a)    RN(n − r·y) = RN(a/b)
//! ```
//!
//! This holds for all a and b where nothing overflows or becomes denormal: there is no divisor to
//! look out for.
//!
//! *Proof.* Let p be the number of bits, u = 2⁻ᵖ, and by powers of two 1 ≤ a, b < 2, both multiples
//! of 2u. Let q = a/b and e = b·y − 1. If b = 1, all is exact. Else ½ < y < 1, so |y − 1/b| ≤ u/2
//! and |e| ≤ b·u/2 < u.
//!
//! 1. If a = b, n is 1, or it is 1 − u and the correction adds u(1 + e): the result is 1. From here
//!    on |a − b| ≥ 2u.
//! 2. Let U be the spacing of numbers in q's binade: 2u in [1, 2] if a > b, u in [½, 1] if a < b.
//!    It has a·y = q(1 + e) in it too: a·y ≥ y > ½, and from the other ends q is farther than
//!    q·|e|. So n = a·y + ρ with |ρ| ≤ U/2, and s = (q − n)/U = −(ρ + q·e)/U.
//! 3. Thus |s| > ½ only if s and e have opposite signs. As q·|e| = a·|y − 1/b| ≤ a·u/2, |s| < 1 if
//!    a > b. If a < b, q ≤ 1 − 2u/b and |s| ≤ ½ + q·b/2 ≤ 3/2 − 2u.
//! 4. r is a multiple of 2u·U, and exact where b·|s| ≤ 2. Elsewhere |s| > 1, and r is off
//!    by at most 2u·U.
//! 5. q is nowhere halfway between two numbers, (2j + 1)·U/2: 2ᵖ would divide b/(2u) < 2ᵖ. The
//!    difference is a whole number of U·u/b, so | |s| − ½ | ≥ u/b.
//! 6. What the last operation rounds is n + s(1 + e)·U, plus at most 2u·y·U < 2u·U where r is off.
//!    It lies in q's binade, as n and q do.
//!    * If |s| < ½, RN(q) = n, and |s|(1 + |e|) ≤ (½ − u/b)(1 + b·u/2) < ½ − u/b +
//!      b·u/4 < ½ by b < 2.
//!    * If |s| > ½, RN(q) is the number after n towards q, as |s| < 3/2. By 3 the step is
//!      |s|(1 − |e|) ≥ (½ + u/b)(1 − b·u/2) = ½ + u/b − b·u/4 − u²/2 > ½ by b ≤ 2 − 2u, and with
//!      what r is off, it is less than |s| + 2u ≤ 3/2. ∎
//!
//! Source: known since Markstein, 1990; Brisebarre, Muller & Raina, *Accelerating Correctly Rounded
//! Floating-Point Division when the Divisor Is Known in Advance*, IEEE Trans. Computers 53 (2004).
//! They save one more operation, for divisors that pass a test.

use crate::float::Real;

/// A number that square roots are divided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor<T> {
    by: T,
    inverse: T,
}

impl<T: Real> Divisor<T> {
    /// Returns the divisor `by`, from 2⁻⁶⁰ to 1.
    pub(crate) fn new(by: T) -> Self {
        debug_assert!(by >= T::of(2.0_f64.powi(-60)) && by <= T::one(), "{by} is not from 2⁻⁶⁰ to 1");
        Self { by, inverse: T::one() / by }
    }

    /// Returns a/by for any square root a: ±0, ∞, NaN, from 2⁻⁷⁵ to 2⁶⁴ in `f32`, from 2⁻⁵³⁷ to
    /// 2⁵¹² in `f64`. Thus no quotient overflows, and every r is a multiple of 2⁻¹²³ or 2⁻⁶⁴³,
    /// which are normal numbers.
    #[inline(always)]
    pub(crate) fn divide(self, a: T) -> T {
        let near = a * self.inverse;
        // ∞ − ∞ would be NaN. This is one instruction (min); a choice at the end would be two.
        let finite = if near < T::max_value() { near } else { T::max_value() };
        // n·b − a and not a − n·b, which would make 0 of −0.
        let excess = finite.mul_add(self.by, -a);
        (-excess).mul_add(self.inverse, near)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::LowerExp;

    use super::*;

    /// Odd divisors of p bits: just below powers of two, where b·y is farthest from 1, just above
    /// them, and scattered ones.
    fn divisors(p: u32) -> impl Iterator<Item = u64> {
        let half = 1_u64 << (p - 1);
        let scattered = move |i: u64| half | (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (65 - p)) | 1;
        (0..5_000).flat_map(move |i| [2 * half - 1 - 2 * i, half + 1 + 2 * i, scattered(i)])
    }

    /// Dividends a with a/b as near to the middle between two numbers as it gets: 2ᵖ·a = c·b + n
    /// for an odd c of p + 1 bits and a small n.
    fn hardest(p: u32, b: u64) -> impl Iterator<Item = u64> {
        let inverse = (0..6).fold(b, |x, _| x.wrapping_mul(2_u64.wrapping_sub(b.wrapping_mul(x))));
        let c = move |n: i64| (1 << p) + (n.wrapping_neg().cast_unsigned().wrapping_mul(inverse) & ((1 << p) - 1));
        let dividend = move |n: i64| (i128::from(c(n)) * i128::from(b) + i128::from(n)) >> p;
        let fits = move |a: &i128| *a < 1 << p || a % 2 == 0;
        [-3, -1, 1, 3].into_iter().map(dividend).filter(fits).map(|a| a.try_into().expect("at most p + 1 bits"))
    }

    fn check<T: Real + LowerExp>(p: u32) {
        #[expect(clippy::cast_precision_loss, reason = "numbers of p bits, or of one more that is 0")]
        let scaled = |x: u64| T::of(x as f64 * 0.5_f64.powi(p.cast_signed()));
        let [mut cases, mut easy] = [0; 2];
        for b in divisors(p) {
            let by = Divisor::new(scaled(b));
            for a in hardest(p, b).map(scaled) {
                assert_eq!(by.divide(a), a / by.by, "{a:e} / {:e}", by.by);
                cases += 1;
                easy += u32::from(a * by.inverse == a / by.by);
            }
        }
        assert!(cases > 30_000 && easy < cases * 3 / 5, "the product alone is right at {easy} of {cases}");
    }

    #[test]
    fn quotients_next_to_a_middle_are_rounded_correctly() {
        check::<f32>(24);
        check::<f64>(53);
    }

    /// A few thousand significands from every part of two binades.
    #[test]
    fn quotients_all_over_are_rounded_correctly() {
        for b in divisors(24).step_by(100) {
            #[expect(clippy::cast_precision_loss, reason = "24 bits")]
            let by = Divisor::new(b as f32 / (1 << 24) as f32);
            for a in (0.5_f32.to_bits()..2.0_f32.to_bits()).step_by(4_999).map(f32::from_bits) {
                assert_eq!(by.divide(a), a / by.by, "{a:e} / {:e}", by.by);
            }
        }
    }

    fn check_ends<T: Real + LowerExp>() {
        for by in [1.0, 0.999, 0.5, 0.03, 2.0_f64.powi(-60), 1e-18].map(T::of) {
            let ends = [T::min_positive_value() * T::epsilon(), T::max_value()].map(T::sqrt);
            for a in ends.into_iter().chain([T::zero(), -T::zero(), T::infinity(), T::nan()]) {
                let (found, expected) = (Divisor::new(by).divide(a), a / by);
                let same = found == expected && found.is_sign_negative() == expected.is_sign_negative();
                assert!(same || found.is_nan() && expected.is_nan(), "{a:e} / {by:e}: {found:e}, not {expected:e}");
            }
        }
    }

    #[test]
    fn zeros_infinity_nan_and_the_ends_of_the_range() {
        check_ends::<f32>();
        check_ends::<f64>();
    }
}
