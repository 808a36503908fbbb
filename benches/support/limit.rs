//! The limit: loops with the memory traffic of a step and next to no arithmetic, on the CPU's best vectors.
//!
//! Every column c becomes g − c, so values stay in bounds however often a loop runs.

use std::array::from_fn;
use std::hint::black_box;

use multiversion::multiversion;

use super::common::Element;
use super::tensors::{Tensor, Tensors};

/// One walk over all tensors. A step is a sequence of such walks, and so is its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// The gradient is read: the check for values that are not finite.
    ReadGradient,
    /// Weights, gradient and state are read: the norms of a trust ratio.
    ReadAll,
    /// Weights, gradient and state are read, weights and state are written: the update.
    Update,
    /// The same with one square root and two divisions per element: what Adam leaves to do once its data is in cache.
    Divide,
}

impl Pass {
    /// Numbers moved per element, with this many columns of state.
    pub(crate) fn traffic(self, columns: usize) -> usize {
        match self {
            Self::ReadGradient => 1,
            Self::ReadAll => 2 + columns,
            Self::Update | Self::Divide => 1 + 2 * (1 + columns),
        }
    }

    pub(crate) fn run<T: Element>(self, tensors: &mut Tensors<T>) {
        let columns = tensors.columns;
        for tensor in &mut tensors.list {
            match (self, columns) {
                (Self::ReadGradient, _) => read(&tensor.grad),
                (Self::ReadAll, _) => [&tensor.value, &tensor.grad, &tensor.state].into_iter().for_each(|column| read(column)),
                (Self::Update, 0) => update::<T, 0>(tensor),
                (Self::Update, 1) => update::<T, 1>(tensor),
                (Self::Update, 2) => update::<T, 2>(tensor),
                (Self::Update, 3) => update::<T, 3>(tensor),
                (Self::Divide, 2) => divide(tensor),
                _ => unreachable!("no limit is asked for {columns} columns"),
            }
        }
    }
}

// Everything is loaded before anything is stored: storing column by column is up to a tenth slower.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
fn update<T: Element, const N: usize>(tensor: &mut Tensor<T>) {
    let (x, g, state) = tensor.columns::<N>();
    for i in 0..x.len() {
        let next: [T; N] = from_fn(|k| g[i] - state[k][i]);
        x[i] = g[i] - x[i];
        for k in 0..N {
            state[k][i] = next[k];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
fn divide<T: Element>(tensor: &mut Tensor<T>) {
    let (x, g, [m, v]) = tensor.columns::<2>();
    let c = black_box(T::one());
    for i in 0..x.len() {
        let (next_m, next_v) = (g[i] - m[i], c - v[i]);
        x[i] = next_m / (next_v.sqrt() / c + c) - x[i];
        (m[i], v[i]) = (next_m, next_v);
    }
}

/// Sums side by side, as a single one would wait for every addition.
const LANES: usize = 128;

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
fn read<T: Element>(column: &[T]) {
    let mut lanes = [T::zero(); LANES];
    let (blocks, rest) = column.as_chunks::<LANES>();
    for block in blocks {
        for l in 0..LANES {
            lanes[l] = lanes[l] + block[l];
        }
    }
    for l in 0..rest.len() {
        lanes[l] = lanes[l] + rest[l];
    }
    black_box(lanes);
}
