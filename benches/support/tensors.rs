//! The memory that a contender works on.

use std::array::from_fn;

use wane::Param;

use super::common::{Element, data::matrix};

/// Parameters with their gradients, and columns of state for those contenders that do not keep their own.
pub(crate) struct Tensors<T> {
    pub(crate) list: Vec<Tensor<T>>,
    pub(crate) columns: usize,
}

pub(crate) struct Tensor<T> {
    name: String,
    pub(crate) value: Vec<T>,
    pub(crate) grad: Vec<T>,
    /// The columns one after another, from zero, as an optimizer keeps them.
    pub(crate) state: Vec<T>,
}

impl<T: Element> Tensors<T> {
    pub(crate) fn new(lengths: &[usize], columns: usize) -> Self {
        let list = lengths.iter().enumerate().map(|(i, &len)| Tensor::new(i, len, columns)).collect();
        Self { list, columns }
    }

    pub(crate) fn params(&mut self) -> Vec<Param<'_, T>> {
        self.list.iter_mut().map(|tensor| tensor.param()).collect()
    }

    /// Denormals, infinities and NaN have speeds of their own: a time taken over them means nothing.
    pub(crate) fn expect_ordinary(&self) {
        for tensor in &self.list {
            expect_ordinary(&tensor.name, [&tensor.value[..], &tensor.state[..]]);
        }
    }
}

impl<T: Element> Tensor<T> {
    fn new(index: usize, len: usize, columns: usize) -> Self {
        let column = |first: f64, step: f64| (0..len).map(move |i| T::near(first + step * (i % 17) as f64));
        Self {
            name: format!("layer.{index}.weight"),
            value: column(0.3, 0.02).collect(),
            grad: column(-0.083, 0.01).collect(),
            state: vec![T::zero(); columns * len],
        }
    }

    fn param(&mut self) -> Param<'_, T> {
        let shape = matrix(self.value.len());
        Param::new(&self.name, &mut self.value, &self.grad).shape(&shape)
    }

    /// Weights, gradient and N columns of state, all of one length that the compiler can see.
    #[inline(always)]
    pub(crate) fn columns<const N: usize>(&mut self) -> (&mut [T], &[T], [&mut [T]; N]) {
        let n = self.value.len();
        let mut rest = &mut self.state[..];
        let state = from_fn(|_| rest.split_off_mut(..n).expect("tensors are made with the columns of their contender"));
        (&mut self.value, &self.grad[..n], state.map(|column: &mut [T]| &mut column[..n]))
    }
}

/// Panics at the first number that is neither normal nor 0.
pub(crate) fn expect_ordinary<'a, T: Element>(name: &str, columns: impl IntoIterator<Item = &'a [T]>) {
    for x in columns.into_iter().flatten() {
        assert!(x.is_normal() || x.is_zero(), "{name} holds {x:?}: this time would not be that of ordinary numbers");
    }
}

/// 200 tensors as a network has them: many small ones, few large ones; 558 450 weights in all.
pub(crate) fn mixed_200() -> Vec<usize> {
    [16, 64, 256, 1000, 4096, 16_384, 10, 512].repeat(25)
}
