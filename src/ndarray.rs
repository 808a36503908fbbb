//! Parameters from `ndarray` arrays, without a copy: feature `ndarray`.
//!
//! Arrays must be contiguous in row-major (C) order, which is how `ndarray` makes them; others are
//! an error, as this crate's shapes carry no layout yet. Views work as well as owned arrays.
//!
//! ```
//! use ndarray::{Array1, Array2, array};
//! use wane::{AdamW, Decay, Optimizer, Selector, ndarray::param};
//!
//! let (mut w, mut b) = (Array2::<f32>::ones((2, 3)), Array1::<f32>::zeros(3));
//! let (gw, gb) = (Array2::from_elem((2, 3), 0.1), array![0.1, 0.2, 0.3]);
//!
//! let mut opt = AdamW::new(1e-3)
//!     .group("no decay", |s| s.weight_decay(Decay::none()))
//!     .assign("no decay", Selector::rank_below(2))
//!     .build()?;
//! let report = opt.step(&mut [param("fc.weight", &mut w, &gw)?, param("fc.bias", &mut b, &gb)?])?;
//! assert_eq!(report.updated(), 2);
//!
//! let fortran = Array2::<f32>::ones((2, 3)).reversed_axes();
//! let error = param("fc.weight", &mut w.clone().reversed_axes(), &fortran).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "the value of parameter `fc.weight` is not contiguous in row-major order (shape [3, 2], strides [1, 3])"
//! );
//! # Ok::<(), wane::Error>(())
//! ```

use ::ndarray::{ArrayBase, Data, DataMut, Dimension, RawData};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::param::Param;

/// Makes a parameter from an array and its gradient; the shape is the array's.
///
/// # Errors
///
/// [`Error::GradientShape`] where the shapes differ, [`Error::NotRowMajor`] where an array is not
/// contiguous in row-major order.
pub fn param<'a, T, S, G, D>(name: &'a str, value: &'a mut ArrayBase<S, D>, grad: &'a ArrayBase<G, D>) -> Result<Param<'a, T>>
where
    T: Float,
    S: DataMut<Elem = T>,
    G: Data<Elem = T>,
    D: Dimension,
{
    if value.shape() != grad.shape() {
        let (value, gradient) = (value.shape().to_vec(), grad.shape().to_vec());
        return Err(Error::GradientShape { name: name.into(), value, gradient });
    }
    let param = param_without_grad(name, value)?;
    let grad = grad.as_slice().ok_or_else(|| not_row_major(name, "gradient", grad))?;
    Ok(Param { grad: Some(grad), ..param })
}

/// Makes a parameter from an array that has no gradient in this step.
///
/// # Errors
///
/// [`Error::NotRowMajor`] where the array is not contiguous in row-major order.
pub fn param_without_grad<'a, T, S, D>(name: &'a str, value: &'a mut ArrayBase<S, D>) -> Result<Param<'a, T>>
where
    T: Float,
    S: DataMut<Elem = T>,
    D: Dimension,
{
    if !value.is_standard_layout() {
        return Err(not_row_major(name, "value", value));
    }
    let shape = value.raw_dim();
    // `as_slice_mut` is there for exactly the standard layout.
    let slice = value.as_slice_mut().unwrap_or_default();
    Ok(Param::without_grad(name, slice).shape(shape.slice()))
}

fn not_row_major<S: RawData, D: Dimension>(name: &str, role: &'static str, array: &ArrayBase<S, D>) -> Error {
    Error::NotRowMajor { name: name.into(), role, shape: array.shape().to_vec(), strides: array.strides().to_vec() }
}
