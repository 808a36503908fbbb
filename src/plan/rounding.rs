//! What rounding leaves of a small decay.

use crate::error::{Result, in_range};
use crate::float::Float;

/// Returns the share of a weight that a step really removes, where it was told to remove s = `share`.
///
/// ```text
/// 1 − (1 − s rounded to T)
/// ```
///
/// A step in PyTorch's order, [`Place::Decoupled`](crate::Place::Decoupled), multiplies by 1 − s, rounded to the weights' type. In `f32` numbers below 1 lie 6e-8 apart:
/// a share below 3e-8 is lost, and a larger one becomes a multiple of 6e-8. In `f64` the same happens
/// at 6e-17 and 1.1e-16. The product is rounded again, to the weight's own last place.
///
/// | argument | symbol | allowed | else |
/// |---|---|---|---|
/// | `share` | s, of [`share_at_peak`](super::share_at_peak) or of a step | [0, 1) | [`OutOfRange`](crate::Error::OutOfRange) |
///
/// It is lost where the result is 0 and `share` is not. PyTorch rounds in the same place; a library
/// that subtracts s·x from x instead loses a share that is below half of the weight's own last place. In
/// the [exact order](crate::Place::Exact), which all units have that PyTorch lacks, s keeps its digits.
///
/// ```
/// use wane::plan::really_removed;
///
/// assert_eq!(really_removed::<f32>(1e-8)?, 0.0);
/// assert_eq!(really_removed::<f32>(4e-8)?, 2.0_f64.powi(-24));      // 5.96e-8, half as much again
/// assert!((really_removed::<f64>(1e-8)? - 1e-8).abs() < 1e-16);
/// # Ok::<(), wane::Error>(())
/// ```
pub fn really_removed<T: Float>(share: f64) -> Result<f64> {
    in_range("share of a weight", share, (0.0..1.0).contains(&share), "in [0, 1)")?;
    Ok(1.0 - T::of(1.0 - share).widen())
}
