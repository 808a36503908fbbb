//! An optimizer in the middle of its work, and a step that it must refuse without a trace.

use wane::{Description, Error, Optimizer, Param, Status};

use crate::common::{Element, columns};

/// Asserts an error's variant and its exact text.
macro_rules! assert_error {
    ($error:expr, $variant:pat $(if $guard:expr)?, $text:expr) => {{
        let error: ::wane::Error = $error;
        assert!(matches!(&error, $variant $(if $guard)?), "another variant: {error:?}");
        assert_eq!(error.to_string(), $text);
    }};
}
pub(super) use assert_error;

/// All names that a scene ever mentions.
const NAMES: [&str; 6] = ["first", "second", "last", "fresh", "odd", "(slice)"];

/// Everything that can be seen of an optimizer, by bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    completed: u64,
    rates: [u64; 2],
    params: Vec<Seen>,
    table: String,
    rows: Description,
}

/// Everything that can be seen of one name.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    name: &'static str,
    steps: Option<u64>,
    status: Option<Status>,
    state: Vec<Option<Vec<u64>>>,
}

impl Snapshot {
    pub(super) fn of<T: Element>(opt: &dyn Optimizer<T>) -> Self {
        let state = |name: &str| columns().iter().map(|column| opt.state(name, column).map(all_bits)).collect();
        let seen = |name| Seen { name, steps: opt.steps_of(name), status: opt.status(name), state: state(name) };
        Self {
            completed: opt.completed_steps(),
            rates: [opt.learning_rate(), opt.peak_learning_rate()].map(f64::to_bits),
            params: NAMES.map(seen).to_vec(),
            table: opt.describe().to_string(),
            rows: opt.describe(),
        }
    }
}

pub(super) fn all_bits<T: Element>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.bits()).collect()
}

/// A parameter's memory.
#[derive(Clone, Debug)]
pub(super) struct Tensor<T> {
    name: &'static str,
    pub(super) shape: &'static [usize],
    pub(super) value: Vec<T>,
    pub(super) grad: Vec<T>,
}

impl<T: Element> Tensor<T> {
    fn new(name: &'static str, shape: &'static [usize], start: f64) -> Self {
        let len = (0_u8..).take(shape.iter().product());
        let (value, grad) = len.map(|i| (T::near(start - f64::from(i)), T::near(0.25 + f64::from(i) / 8.0))).unzip();
        Self { name, shape, value, grad }
    }

    fn param(&mut self) -> Param<'_, T> {
        Param::new(self.name, &mut self.value, &self.grad).shape(self.shape).anchor(&self.grad)
    }
}

/// Three parameters after two good steps, and a fourth, `fresh`, that no step has seen.
///
/// Everyone lends an anchor, so that a decay towards one can be asked for.
pub(super) struct Scene<T: Element> {
    pub(super) opt: Box<dyn Optimizer<T>>,
    first: Tensor<T>,
    second: Tensor<T>,
    pub(super) last: Tensor<T>,
    fresh: Tensor<T>,
    /// The gradient factor of the step to be refused.
    pub(super) factor: f64,
}

impl<T: Element> Scene<T> {
    pub(super) fn new(opt: impl Optimizer<T> + 'static) -> Self {
        let mut scene = Self {
            opt: Box::new(opt),
            first: Tensor::new("first", &[5, 1], 2.5),
            second: Tensor::new("second", &[3, 1], 0.75),
            last: Tensor::new("last", &[2, 2], -1.5),
            fresh: Tensor::new("fresh", &[1, 3], 4.0),
            factor: 1.0,
        };
        for _ in 0..2 {
            let Self { opt, first, second, last, .. } = &mut scene;
            opt.step(&mut [first.param(), second.param(), last.param()]).expect("a good step");
        }
        scene
    }

    /// The error of a step over `first`, `second`, the new name `fresh`, and `bad`, which is made from the memory of `last`.
    pub(super) fn refuses(&mut self, bad: impl for<'a> FnOnce(&'a mut [T], &'a [T]) -> Param<'a, T>) -> Error {
        self.unchanged_by(|scene| {
            let Self { opt, first, second, last, fresh, factor } = scene;
            let bad = bad(&mut last.value, &last.grad);
            // Not the usual order, so that a refused step that has begun to sort its slots is noticed.
            opt.step_scaled(&mut [second.param(), first.param(), fresh.param(), bad], *factor).map(|_| ())
        })
    }

    /// The error of a step in which only the numbers are bad.
    pub(super) fn refuses_numbers(&mut self) -> Error {
        self.refuses(|value, grad| Param::new("last", value, grad))
    }

    /// The error of `register` over the same parameters.
    pub(super) fn refuses_to_register(&mut self, bad: impl for<'a> FnOnce(&'a mut [T], &'a [T]) -> Param<'a, T>) -> Error {
        self.unchanged_by(|scene| {
            let Self { opt, first, second, last, fresh, .. } = scene;
            let bad = bad(&mut last.value, &last.grad);
            opt.register(&[second.param(), first.param(), fresh.param(), bad])
        })
    }

    /// The error of `attempt`; no weight and nothing of the optimizer has changed after it, and steps go on as if it had never been.
    pub(super) fn unchanged_by(&mut self, attempt: impl FnOnce(&mut Self) -> Result<(), Error>) -> Error {
        let mut twin = self.opt.clone();
        let (weights, before) = (self.weights(), Snapshot::of(&*self.opt));
        let error = attempt(self).expect_err("this must be refused");
        assert_eq!(self.weights(), weights, "weights have changed: {error}");
        assert_eq!(Snapshot::of(&*self.opt), before, "the optimizer has changed: {error}");
        assert_eq!(self.after(&mut *self.opt.clone()), self.after(&mut *twin), "the next step tells: {error}");
        error
    }

    /// What one more good step, with the new name, would lead to.
    fn after(&self, opt: &mut dyn Optimizer<T>) -> (Vec<Vec<u64>>, Option<Snapshot>) {
        let [mut first, mut second, mut last, mut fresh] =
            self.tensors().map(|tensor| Tensor::new(tensor.name, tensor.shape, 1.25));
        // A slice's optimizer takes no names: there the snapshot before the step has to do.
        let report = opt.step(&mut [last.param(), fresh.param(), first.param(), second.param()]);
        (
            [first, second, last, fresh].iter().map(|tensor| all_bits(&tensor.value)).collect(),
            report.ok().map(|_| Snapshot::of(opt)),
        )
    }

    fn tensors(&self) -> [&Tensor<T>; 4] {
        [&self.first, &self.second, &self.last, &self.fresh]
    }

    fn weights(&self) -> Vec<Vec<u64>> {
        self.tensors().map(|tensor| all_bits(&tensor.value)).to_vec()
    }
}

/// A number as an error shows it.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}
