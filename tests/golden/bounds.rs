//! How near this crate is to those optimizers of PyTorch that have no fused kernel: shares of the largest number of a tensor, most of them
//! in epsilons of the element type.

use super::fixture::Case;

/// PyTorch moves a weight twice in a step, by the gradient and by the momentum, and so rounds it twice;
/// here it is rounded once. In a hundred steps that made up to 6.9 epsilons (in f32 PyTorch is as far
/// from its own f64 run as this crate is), 8.1 in the second moment, which sees such weights squared
/// under coupled decay, and 0.52 where β₁ = 0 leaves one move.
pub(crate) fn nadam(case: Case) -> f64 {
    if case.options().betas().0 == 0.0 { 1.0 } else { 10.0 }
}

/// PyTorch's product of NAdam's μ in f32, in steps of f64 weights: at most 1.1e-10 after 100 of them.
pub(crate) const PRODUCT_IN_F32: f64 = 1.5e-10;

/// Sums in another order. With all else as in PyTorch 2.6 epsilons were measured.
pub(crate) fn adafactor(_case: Case) -> f64 {
    4.0
}

/// The iteration itself is rounded here, and five steps make an error beside a small singular value up to 3.4⁵ times as large. Plain loops in
/// the weights' type were 4.9 epsilons away.
pub(crate) fn muon(_case: Case) -> f64 {
    8.0
}

/// After 100 steps at η = 0.02, bfloat16 has moved PyTorch's weights by up to 0.51 % of the largest.
pub(crate) const BFLOAT16: f64 = 6e-3;
