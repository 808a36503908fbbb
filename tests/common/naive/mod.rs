//! Every optimizer a second time, in plain loops straight from its paper.

mod adafactor;
mod adagrad;
mod adam;
mod lamb;
mod lion;
mod matrix;
mod muon;
mod nadam;
mod sgd;

pub(crate) use adafactor::Adafactor;
pub(crate) use adagrad::Adagrad;
pub(crate) use adam::{Adam, Denominator, Maximum};
pub(crate) use lamb::Lamb;
pub(crate) use lion::Lion;
pub(crate) use muon::Muon;
pub(crate) use nadam::NAdam;
pub(crate) use sgd::Sgd;

/// What is kept between steps is a number of the weights' type: the oracle rounds it there, and nowhere else.
pub(crate) type Keep = fn(f64) -> f64;

/// An optimizer for one tensor.
pub(crate) trait Naive {
    /// u, where a step without decay is x − η·u.
    fn direction(&mut self, g: &[f64], keep: Keep) -> Vec<f64>;

    /// Before each direction, for an optimizer that looks at more than gradients: the parameter as it is, and its learning rate.
    fn sees(&mut self, _x: &[f64], _shape: &[usize], _lr: f64) {}

    /// What the last direction of weight i was divided by.
    fn metric(&self, _i: usize) -> f64 {
        1.0
    }

    /// A factor on the whole displacement.
    fn trust(&self, _lr: f64, _x: &[f64], _displacement: &[f64]) -> f64 {
        1.0
    }
}
