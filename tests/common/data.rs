//! Parameters with weights and gradients that depend on nothing but a seed, the step and the place in the tensor.

use std::collections::BTreeMap;

use wane::{Optimizer, Param, Report, Result};

use super::{Element, Row};

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<T> {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) value: Vec<T>,
    /// What it lends to a decay towards a lent anchor.
    pub(crate) anchor: Vec<T>,
}

impl<T: Element> Tensor<T> {
    pub(crate) fn new(seed: u64, len: usize) -> Self {
        let size = [1.0, 0.05, 3.0][(seed % 3) as usize];
        Self {
            // Names in another order than the seeds.
            name: format!("{} of seed {seed}", seed * 7 % 10),
            seed,
            value: numbers(size, [1, seed, 0], len),
            anchor: numbers(0.5, [2, seed, 0], len),
        }
    }

    /// As a parameter with this gradient, if it has one.
    pub(crate) fn param<'a>(&'a mut self, grad: Option<&'a [T]>) -> Param<'a, T> {
        let Self { name, value, anchor, .. } = self;
        let shape = matrix(value.len());
        let param = match grad {
            Some(grad) => Param::new(name, value, grad),
            None => Param::without_grad(name, value),
        };
        param.shape(&shape).anchor(anchor)
    }

    /// The gradient at a step: of another scale for each tensor.
    pub(crate) fn gradient(&self, step: u64) -> Vec<T> {
        let size = [1.0, 20.0, 1e-3][(self.seed % 3) as usize];
        numbers(size, [3, self.seed, step], self.value.len())
    }
}

/// The shape of all tensors here, for optimizers that look at rows and columns: two axes, as near to a square as they go.
pub(crate) fn matrix(len: usize) -> [usize; 2] {
    let rows = (1..=len).take_while(|rows| rows * rows <= len).filter(|rows| len.is_multiple_of(*rows)).last();
    rows.map_or([0, 1], |rows| [rows, len / rows])
}

/// A parameter of two axes.
pub(crate) fn param<'a, T: Element>(name: &'a str, value: &'a mut [T], grad: &'a [T]) -> Param<'a, T> {
    let shape = matrix(value.len());
    Param::new(name, value, grad).shape(&shape)
}

/// The same without a gradient.
pub(crate) fn still<'a, T: Element>(name: &'a str, value: &'a mut [T]) -> Param<'a, T> {
    let shape = matrix(value.len());
    Param::without_grad(name, value).shape(&shape)
}

pub(crate) fn tensors<T: Element>(lengths: &[usize]) -> Vec<Tensor<T>> {
    (0..).zip(lengths).map(|(seed, &len)| Tensor::new(seed, len)).collect()
}

fn numbers<T: Element>(size: f64, key: [u64; 3], len: usize) -> Vec<T> {
    (0..len as u64).map(|i| T::near(size * noise([key[0], key[1], key[2], i]))).collect()
}

/// A number in (−1, 1) for every key (splitmix64).
pub(crate) fn noise(key: [u64; 4]) -> f64 {
    let mix = |state: u64, word: u64| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let bits = key.into_iter().fold(17, mix) >> 11;
    bits as f64 / (1_u64 << 52) as f64 - 1.0
}

/// One step of all tensors on their own gradients.
pub(crate) fn step<T: Element>(opt: &mut dyn Optimizer<T>, tensors: &mut [Tensor<T>], k: u64) -> Report {
    step_on(opt, tensors, 1.0, |tensor| tensor.gradient(k))
}

/// One step of all tensors on gradients of your choice, multiplied by `factor`.
pub(crate) fn step_on<T: Element>(
    opt: &mut dyn Optimizer<T>,
    tensors: &mut [Tensor<T>],
    factor: f64,
    gradient: impl Fn(&Tensor<T>) -> Vec<T>,
) -> Report {
    let grads: Vec<_> = tensors.iter().map(gradient).collect();
    let mut params: Vec<_> = tensors.iter_mut().zip(&grads).map(|(tensor, grad)| tensor.param(Some(grad))).collect();
    opt.step_scaled(&mut params, factor).unwrap_or_else(|error| panic!("{opt:?}: {error}"))
}

/// All bits of weights, state and step counts, by name.
pub(crate) type Bits = BTreeMap<String, (Option<u64>, Vec<Vec<u64>>)>;

pub(crate) fn bits<T: Element>(row: &Row, opt: &dyn Optimizer<T>, tensors: &[Tensor<T>]) -> Bits {
    let of = |tensor: &Tensor<T>| {
        let state = row.state.iter().map(|column| patterns(opt.state(&tensor.name, column).unwrap_or_default()));
        let columns = std::iter::once(patterns(&tensor.value)).chain(state).collect();
        (tensor.name.clone(), (opt.steps_of(&tensor.name), columns))
    };
    tensors.iter().map(of).collect()
}

/// The weights of a parameter, and all columns that are kept for it.
pub(crate) fn kept<'a, T: Element>(opt: &'a dyn Optimizer<T>, name: &str, weights: &'a [T]) -> Vec<&'a [T]> {
    let columns = opt.columns(name).unwrap_or_default().into_iter().map(|column| opt.state(name, column).unwrap_or_default());
    std::iter::once(weights).chain(columns).collect()
}

pub(crate) fn patterns<T: Element>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.pattern()).collect()
}

pub(crate) fn exact<T: Element>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.exact()).collect()
}

/// Is it the same number, up to `tolerance`? NaN is NaN, and an infinity is only itself.
pub(crate) fn agree(found: f64, expected: f64, tolerance: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan() || expected.is_finite() && (found - expected).abs() <= tolerance
}

/// Steps of an optimizer on tensors of these lengths.
pub(crate) fn trained<T: Element>(opt: &mut dyn Optimizer<T>, lengths: &[usize], steps: u64) -> Vec<Tensor<T>> {
    let mut tensors = tensors(lengths);
    (0..steps).for_each(|k| {
        step(opt, &mut tensors, k);
    });
    tensors
}

/// One step on a slice of two axes.
pub(crate) fn step_slice<T: Element>(opt: &mut dyn Optimizer<T>, weights: &mut [T], grad: &[T]) -> Result<Report> {
    let shape = matrix(weights.len());
    opt.step(&mut [Param::slice(weights, grad).shape(&shape)])
}

/// The weights of one slice after steps on the same gradient.
pub(crate) fn slice_after<T: Element>(opt: &mut dyn Optimizer<T>, start: &[T], grad: &[T], steps: u64) -> Vec<T> {
    let mut weights = start.to_vec();
    for _ in 0..steps {
        step_slice(opt, &mut weights, grad).unwrap_or_else(|error| panic!("{opt:?}: {error}"));
    }
    weights
}
