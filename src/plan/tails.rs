//! Which module needs how much decay, by the tail of its spectrum.

use crate::error::{Error, Result, in_range};

/// Returns the exponent α of a power law that the upper half of a matrix's spectrum follows, by Hill's
/// estimate.
///
/// ```text
/// e₁ ≤ e₂ ≤ …            the eigenvalues of WᵀW: the squares of the singular values
/// α = 1 + k/Σ ln(e_j/e_m)          over the k values from the median e_m on
/// ```
///
/// A heavy tail has a small α: few directions carry the matrix.
///
/// | argument | allowed | else |
/// |---|---|---|
/// | `singular_values`, in any order | finite, ≥ 0 | [`OutOfRange`](Error::OutOfRange) |
/// | those from the median on | above 0, not all equal | [`Conflict`](Error::Conflict) |
///
/// ```
/// use wane::plan::tail_exponent;
///
/// let powers = [0, 1, 2, 3].map(|k| 2.0_f64.powi(k));
/// assert!((tail_exponent(&powers)? - (1.0 + 1.0 / 2.0_f64.ln())).abs() < 1e-12);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// Source: Hill, Ann. Statist. 3, 1975; as in He et al., arXiv 2506.14562, whose code this agrees with.
pub fn tail_exponent(singular_values: &[f64]) -> Result<f64> {
    for &sigma in singular_values {
        in_range("singular value", sigma, sigma >= 0.0, "a finite number, at least 0")?;
    }
    let mut logs: Vec<_> = singular_values.iter().map(|sigma| 2.0 * sigma.ln()).collect();
    logs.sort_unstable_by(f64::total_cmp);
    let tail = logs.get(logs.len() / 2..).unwrap_or_default();
    let sum: f64 = tail.first().map_or(0.0, |least| tail.iter().map(|log| log - least).sum());
    if !(sum > 0.0 && sum.is_finite()) {
        let needs = "singular values that are above 0 and not all equal from the median on";
        return Err(Error::conflict("tail of a spectrum", needs, format!("{} values", singular_values.len())));
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of singular values")]
    Ok(1.0 + tail.len() as f64 / sum)
}

/// The least and the most of λ that a module gets.
const RANGE: [f64; 2] = [0.67, 3.0];

/// Returns λ of each module from its singular values (AlphaDecay): more where the tail of the spectrum
/// is light.
///
/// ```text
/// λ_i = λ·(0.67 + (3 − 0.67)·(α_i − α_min)/(α_max − α_min))          α by [`tail_exponent`]
/// ```
///
/// Where all α are equal every module has λ itself. The paper works it out anew every 500 steps, for the
/// linear layers of a transformer; singular values are lent from a crate for linear algebra. Give each
/// module a group of its own, and its λ by
/// [`Optimizer::set_weight_decay`](crate::Optimizer::set_weight_decay).
///
/// | argument | symbol | allowed | else |
/// |---|---|---|---|
/// | `lambda` | λ | finite, ≥ 0 | [`OutOfRange`](Error::OutOfRange) |
/// | `spectra`, one of each module | | see [`tail_exponent`] | see there |
///
/// ```
/// use wane::plan::alpha_decay;
///
/// let spectrum = |base: f64| [0, 1, 2, 3].map(|k| base.powi(k));
/// let [heavy, between, light] = [4.0, 2.0, 1.5].map(spectrum);
/// let lambdas = alpha_decay(0.1, &[&heavy, &between, &light])?;
/// assert!((lambdas[0] - 0.067).abs() < 1e-12 && (lambdas[2] - 0.3).abs() < 1e-12);
/// assert!(lambdas[0] < lambdas[1] && lambdas[1] < lambdas[2]);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// Source: He, Tu, Jaiswal, Shen, Yuan, Liu & Yin, *AlphaDecay: Module-wise Weight Decay for
/// Heavy-Tailed Balancing in LLMs*, NeurIPS 2025, arXiv 2506.14562.
pub fn alpha_decay(lambda: f64, spectra: &[&[f64]]) -> Result<Vec<f64>> {
    in_range("weight decay", lambda, lambda >= 0.0, "a finite number, at least 0")?;
    let alphas = spectra.iter().map(|spectrum| tail_exponent(spectrum)).collect::<Result<Vec<_>>>()?;
    let least = alphas.iter().copied().fold(f64::INFINITY, f64::min);
    let most = alphas.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [low, high] = RANGE;
    let factor = |alpha: f64| if least == most { 1.0 } else { low + (high - low) * (alpha - least) / (most - least) };
    Ok(alphas.into_iter().map(|alpha| lambda * factor(alpha)).collect())
}
