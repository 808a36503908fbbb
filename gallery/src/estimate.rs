//! Mean and spread of repeated measurements.

use std::fmt;

/// Mean and sample standard deviation.
///
/// ```
/// use wane_gallery::Estimate;
///
/// assert_eq!(Estimate::of([0.5, 1.0, 1.5].into_iter()).to_string(), "1.000 ± 0.500");
/// assert_eq!(Estimate::of([0.5].into_iter()).to_string(), "0.500");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The arithmetic mean.
    pub mean: f64,
    /// The sample standard deviation; a single value has none.
    pub spread: Option<f64>,
}

impl Estimate {
    /// The estimate from these values; the mean of none is NaN.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        let squares = || values.map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, spread: (n > 1.0).then(|| (squares() / (n - 1.0)).sqrt()) }
    }

    /// One spread below and above the mean; the mean itself where there is no spread.
    #[must_use]
    pub fn band(&self) -> (f64, f64) {
        let spread = self.spread.unwrap_or(0.0);
        (self.mean - spread, self.mean + spread)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.mean)?;
        self.spread.map_or(Ok(()), |spread| write!(f, " ± {spread:.3}"))
    }
}
