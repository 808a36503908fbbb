//! A multilayer perceptron with one hidden layer: ReLU, dropout, softmax cross-entropy.
//!
//! Images are rows, so a layer is `images.dot(weights) + bias` with weights of shape (inputs, outputs). Everything that a pass
//! writes to is allocated once.

use ndarray::{
    Array1, Array2, ArrayView2, ArrayViewD, ArrayViewMut2, ArrayViewMutD, Axis, NdFloat, Zip, azip, linalg::general_mat_mul, s,
};
use num_traits::AsPrimitive;
use rand::{Rng, RngExt};
use wane::Param;

/// f32 to train, f64 to check the gradients.
pub trait Real: NdFloat + AsPrimitive<f64> {
    /// The number of this type that is closest to `value`.
    fn of(value: f64) -> Self;
}

impl<T: NdFloat + AsPrimitive<f64>> Real for T
where
    f64: AsPrimitive<T>,
{
    fn of(value: f64) -> Self {
        value.as_()
    }
}

/// The widths of the layers.
#[derive(Debug, Clone, Copy)]
pub struct Layers {
    /// Pixels per image.
    pub inputs: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Classes that an image may belong to.
    pub classes: usize,
}

/// Weights and biases of both layers, or the loss's gradient by them.
#[derive(Debug, Clone)]
pub struct Parameters<T> {
    /// Weights from the pixels (rows) to the hidden units (columns).
    pub w1: Array2<T>,
    /// Biases of the hidden units.
    pub b1: Array1<T>,
    /// Weights from the hidden units (rows) to the classes (columns).
    pub w2: Array2<T>,
    /// Biases of the classes.
    pub b2: Array1<T>,
}

/// Mean loss and share of right answers on a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The mean cross-entropy, with natural logarithms.
    pub loss: f64,
    /// The share of images whose label is the likeliest class.
    pub accuracy: f64,
}

/// The network, and what its passes work on.
#[derive(Debug, Clone)]
pub struct Mlp<T> {
    /// What is trained.
    pub params: Parameters<T>,
    /// Left by the last backward pass.
    pub grads: Parameters<T>,
    pass: Pass<T>,
}

/// What one pass over a batch works on, with the rows of a full batch.
#[derive(Debug, Clone)]
struct Pass<T> {
    hidden: Array2<T>,
    /// The loss's derivative by the hidden units before ReLU.
    hidden_grad: Array2<T>,
    /// 0 for a dropped hidden unit, else 1 / (share kept): the next layer's expected input is then that without dropout.
    mask: Array2<T>,
    /// Logarithms of the probabilities; in the backward pass, the loss's derivative by the logits.
    output: Array2<T>,
}

/// The hidden units that take part in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    All,
    Kept,
}

/// The names of the parameters, for optimizers and files.
pub const NAMES: [&str; 4] = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"];

const STANDARD: &str = "the network's arrays are in standard layout";

impl<T> Parameters<T> {
    /// The parameters in the order of [`NAMES`].
    #[must_use]
    pub fn views(&self) -> [ArrayViewD<'_, T>; 4] {
        let Self { w1, b1, w2, b2 } = self;
        [w1.view().into_dyn(), b1.view().into_dyn(), w2.view().into_dyn(), b2.view().into_dyn()]
    }

    /// The parameters in the order of [`NAMES`], to be changed.
    #[must_use]
    pub fn views_mut(&mut self) -> [ArrayViewMutD<'_, T>; 4] {
        let Self { w1, b1, w2, b2 } = self;
        [w1.view_mut().into_dyn(), b1.view_mut().into_dyn(), w2.view_mut().into_dyn(), b2.view_mut().into_dyn()]
    }
}

impl<T: Real> Parameters<T> {
    fn zeros(layers: Layers) -> Self {
        Self {
            w1: Array2::zeros((layers.inputs, layers.hidden)),
            b1: Array1::zeros(layers.hidden),
            w2: Array2::zeros((layers.hidden, layers.classes)),
            b2: Array1::zeros(layers.classes),
        }
    }

    /// He initialisation: weights of variance 2 / inputs, here from a uniform distribution; biases zero.
    fn he(layers: Layers, rng: &mut impl Rng) -> Self {
        let mut params = Self::zeros(layers);
        for weights in [&mut params.w1, &mut params.w2] {
            let bound = (6.0 / weights.nrows() as f64).sqrt();
            weights.mapv_inplace(|_| T::of(rng.random_range(-bound..bound)));
        }
        params
    }
}

impl<T: Real> Mlp<T> {
    /// A fresh network that is trained on batches of up to `batch` images.
    pub fn new(layers: Layers, batch: usize, rng: &mut impl Rng) -> Self {
        Self {
            params: Parameters::he(layers, rng),
            grads: Parameters::zeros(layers),
            pass: Pass {
                hidden: Array2::zeros((batch, layers.hidden)),
                hidden_grad: Array2::zeros((batch, layers.hidden)),
                mask: Array2::ones((batch, layers.hidden)),
                output: Array2::zeros((batch, layers.classes)),
            },
        }
    }

    /// What an optimizer steps on: the parameters, with the gradients that the last backward pass left, and the shapes that
    /// selectors look at.
    #[must_use]
    pub fn params(&mut self) -> Vec<Param<'_, T>>
    where
        T: wane::Float,
    {
        let values = self.params.views_mut().into_iter();
        let values_and_grads = NAMES.into_iter().zip(values.zip(self.grads.views()));
        values_and_grads.map(|(name, (value, grad))| param(name, value, grad)).collect()
    }

    /// Draws which hidden units the following training passes drop, each with probability `rate`.
    pub fn draw_dropout(&mut self, rate: f64, rng: &mut impl Rng) {
        let kept = T::of(1.0 / (1.0 - rate));
        self.pass.mask.mapv_inplace(|_| if rng.random_bool(rate) { T::zero() } else { kept });
    }

    /// The mean loss over a batch, with dropout as last drawn; leaves its gradient in `grads`.
    pub fn loss_and_gradients(&mut self, images: ArrayView2<'_, T>, labels: &[usize]) -> f64 {
        self.forward(images, Units::Kept);
        let score = self.score(labels);
        self.backward(images, labels);
        score.loss
    }

    /// Scores any number of images, without dropout.
    pub fn evaluate(&mut self, images: ArrayView2<'_, T>, labels: &[usize]) -> Score {
        let batch = self.pass.output.nrows();
        let mut sum = Score { loss: 0.0, accuracy: 0.0 };
        for (images, labels) in images.axis_chunks_iter(Axis(0), batch).zip(labels.chunks(batch)) {
            self.forward(images, Units::All);
            let score = self.score(labels);
            let share = labels.len() as f64;
            sum.loss += share * score.loss;
            sum.accuracy += share * score.accuracy;
        }
        let n = labels.len() as f64;
        Score { loss: sum.loss / n, accuracy: sum.accuracy / n }
    }

    /// The Euclidean norm of both weight matrices taken together.
    #[must_use]
    pub fn weight_norm(&self) -> f64 {
        let Parameters { w1, w2, .. } = &self.params;
        w1.iter().chain(w2).map(|&w| AsPrimitive::<f64>::as_(w).powi(2)).sum::<f64>().sqrt()
    }

    fn forward(&mut self, images: ArrayView2<'_, T>, units: Units) {
        let Parameters { w1, b1, w2, b2 } = &self.params;
        let rows = s![..images.nrows(), ..];
        let mut hidden = self.pass.hidden.slice_mut(rows);
        layer(images, w1, b1, &mut hidden);
        // Not `max`, which would turn a NaN into a zero and so hide it.
        hidden.mapv_inplace(|h| if h < T::zero() { T::zero() } else { h });
        if units == Units::Kept {
            hidden *= &self.pass.mask.slice(rows);
        }
        let mut output = self.pass.output.slice_mut(rows);
        layer(hidden.view(), w2, b2, &mut output);
        log_softmax(&mut output);
    }

    fn backward(&mut self, images: ArrayView2<'_, T>, labels: &[usize]) {
        let rows = s![..images.nrows(), ..];
        let Pass { hidden, hidden_grad, mask, output } = &mut self.pass;
        let (hidden, mask) = (hidden.slice(rows), mask.slice(rows));
        let (mut hidden_grad, mut output) = (hidden_grad.slice_mut(rows), output.slice_mut(rows));

        cross_entropy_gradient(&mut output, labels);
        gradients(hidden, output.view(), &mut self.grads.w2, &mut self.grads.b2);
        general_mat_mul(T::one(), &output, &self.params.w2.t(), T::zero(), &mut hidden_grad);
        // A unit that is zero was either dropped or cut by ReLU: no gradient passes it.
        azip!((grad in &mut hidden_grad, &h in &hidden, &kept in &mask) {
            *grad = if h > T::zero() { *grad * kept } else { T::zero() };
        });
        gradients(images, hidden_grad.view(), &mut self.grads.w1, &mut self.grads.b1);
    }

    /// Scores the last forward pass.
    fn score(&self, labels: &[usize]) -> Score {
        let (mut loss, mut hits) = (0.0, 0);
        for (answer, &label) in self.pass.output.rows().into_iter().zip(labels) {
            loss -= AsPrimitive::<f64>::as_(answer[label]);
            hits += usize::from(answer.iter().all(|&other| other <= answer[label]));
        }
        let n = labels.len() as f64;
        Score { loss: loss / n, accuracy: hits as f64 / n }
    }
}

/// The feature `ndarray` offers this as `wane::ndarray::param`, with an error for arrays that are not in standard layout; the
/// examples do without.
fn param<'a, T: wane::Float>(name: &'a str, value: ArrayViewMutD<'a, T>, grad: ArrayViewD<'a, T>) -> Param<'a, T> {
    Param::new(name, value.into_slice().expect(STANDARD), grad.to_slice().expect(STANDARD)).shape(grad.shape())
}

/// output = input * weights + bias
fn layer<T: Real>(input: ArrayView2<'_, T>, weights: &Array2<T>, bias: &Array1<T>, output: &mut ArrayViewMut2<'_, T>) {
    general_mat_mul(T::one(), &input, weights, T::zero(), output);
    *output += bias;
}

/// The gradient by a layer's weights and bias, from its input and the derivative by its output.
fn gradients<T: Real>(input: ArrayView2<'_, T>, output: ArrayView2<'_, T>, weights: &mut Array2<T>, bias: &mut Array1<T>) {
    general_mat_mul(T::one(), &input.t(), &output, T::zero(), weights);
    bias.fill(T::zero());
    for row in output.rows() {
        *bias += &row;
    }
}

/// Per row: x - log(sum(exp(x))), with the largest x taken out first, since exp would overflow.
fn log_softmax<T: Real>(rows: &mut ArrayViewMut2<'_, T>) {
    for mut row in rows.rows_mut() {
        let largest = row.fold(T::neg_infinity(), |largest, &x| largest.max(x));
        let sum = row.fold(T::zero(), |sum, &x| sum + (x - largest).exp());
        let log_sum = largest + sum.ln();
        row.mapv_inplace(|x| x - log_sum);
    }
}

/// From logarithms of probabilities to the derivative of the mean loss by the logits: (probability - [right class]) / n.
fn cross_entropy_gradient<T: Real>(rows: &mut ArrayViewMut2<'_, T>, labels: &[usize]) {
    let share = T::one() / T::of(labels.len() as f64);
    Zip::from(rows.rows_mut()).and(labels).for_each(|mut row, &label| {
        row.mapv_inplace(|log_probability| log_probability.exp() * share);
        row[label] -= share;
    });
}
