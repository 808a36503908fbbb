//! Weights and gradients from integer arithmetic alone: the same here as in `tools/golden.py`.

use super::fixture::Tensor;
use crate::common::Element;

/// The weights before step 1.
pub(crate) fn weights<T: Element>(tensors: &[Tensor]) -> Vec<Vec<T>> {
    let of = |(k, tensor): (u64, &Tensor)| values(2 * k, 0, tensor.len(), 0);
    (0..).zip(tensors).map(of).collect()
}

/// The gradients of a step; steps count from 1.
pub(crate) fn gradients<T: Element>(tensors: &[Tensor], step: u64) -> Vec<Vec<T>> {
    let of = |(k, tensor): (u64, &Tensor)| values(2 * k + 1, step, tensor.len(), tensor.gradient_exponent);
    (0..).zip(tensors).map(of).collect()
}

fn values<T: Element>(stream: u64, step: u64, len: usize, exponent: i32) -> Vec<T> {
    let start = (stream << 40) + (step << 20);
    (start..).take(len).map(|counter| value(splitmix64(counter), exponent)).collect()
}

/// The upper 24 bits as a signed fraction of 2^exponent: exact in f32.
fn value<T: Element>(bits: u64, exponent: i32) -> T {
    let fraction = u32::try_from(bits >> 40).expect("24 bits");
    T::near((f64::from(fraction) - 2_f64.powi(23)) * 2_f64.powi(exponent - 23))
}

/// Output number `counter` of splitmix64 from seed 0 (Steele, Lea & Flood 2014; constants of Vigna's C code).
fn splitmix64(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
