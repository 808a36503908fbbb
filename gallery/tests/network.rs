//! The network that the examples share: its loss and its gradients.

use ndarray::{Array2, array};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wane::{Optimizer, Sgd};
use wane_gallery::mlp::{Layers, Mlp, NAMES, Parameters};

const TINY: Layers = Layers { inputs: 4, hidden: 6, classes: 3 };
const LABELS: [usize; 3] = [2, 0, 1];

fn images() -> Array2<f64> {
    array![[0.1, 0.9, 0.3, 0.5], [0.7, 0.2, 0.8, 0.4], [0.6, 0.1, 0.0, 1.0]]
}

fn tiny_network(seed: u64) -> Mlp<f64> {
    Mlp::new(TINY, LABELS.len(), &mut ChaCha8Rng::seed_from_u64(seed))
}

/// Every parameter (or gradient), one after the other.
fn flat(parameters: &mut Parameters<f64>) -> Vec<&mut f64> {
    let Parameters { w1, b1, w2, b2 } = parameters;
    w1.iter_mut().chain(b1).chain(w2).chain(b2).collect()
}

/// The loss with one parameter moved.
fn loss_at(net: &Mlp<f64>, index: usize, shift: f64) -> f64 {
    let mut moved = net.clone();
    *flat(&mut moved.params)[index] += shift;
    moved.loss_and_gradients(images().view(), &LABELS)
}

#[track_caller]
fn assert_gradients_are_right(mut net: Mlp<f64>) {
    // The rounding error of the difference, about 1e-16 / SHIFT, and its truncation error, about SHIFT squared, are then alike.
    const SHIFT: f64 = 1e-5;
    net.loss_and_gradients(images().view(), &LABELS);
    let gradients: Vec<f64> = flat(&mut net.grads).into_iter().map(|gradient| *gradient).collect();
    assert_eq!(gradients.len(), 4 * 6 + 6 + 6 * 3 + 3, "every parameter has a gradient");
    for (index, gradient) in gradients.into_iter().enumerate() {
        let difference = (loss_at(&net, index, SHIFT) - loss_at(&net, index, -SHIFT)) / (2.0 * SHIFT);
        assert!((gradient - difference).abs() < 1e-8, "parameter {index}: gradient {gradient}, difference {difference}");
    }
}

#[test]
fn gradients_are_those_of_the_loss() {
    assert_gradients_are_right(tiny_network(1));
}

#[test]
fn gradients_are_those_of_the_loss_under_dropout() {
    let mut net = tiny_network(2);
    net.draw_dropout(0.5, &mut ChaCha8Rng::seed_from_u64(3));
    assert_gradients_are_right(net);
}

/// The last batch of an epoch may be smaller than the others: rows of an earlier batch must not leak into it.
#[test]
fn a_smaller_batch_does_not_see_the_one_before() {
    let (mut used, mut fresh) = (tiny_network(4), tiny_network(4));
    used.loss_and_gradients(images().view(), &LABELS);
    let images = images();
    let first = images.slice(ndarray::s![..1, ..]);
    assert_eq!(used.loss_and_gradients(first, &LABELS[..1]), fresh.loss_and_gradients(first, &LABELS[..1]));
    assert_eq!(used.grads.w1, fresh.grads.w1);
    assert_eq!(used.grads.b2, fresh.grads.b2);
}

/// Two logits differ by 2 with weights and images of ones: p = 1 / (1 + exp(-2)), by hand.
#[test]
fn the_loss_is_cross_entropy() {
    let mut net = Mlp::<f64>::new(Layers { inputs: 1, hidden: 1, classes: 2 }, 2, &mut ChaCha8Rng::seed_from_u64(5));
    net.params.w1.fill(1.0);
    net.params.w2.assign(&array![[2.0, 0.0]]);
    let score = net.evaluate(array![[1.0], [1.0], [1.0]].view(), &[0, 0, 1]);
    let (right, wrong) = ((1.0 + (-2.0_f64).exp()).ln(), (1.0 + 2.0_f64.exp()).ln());
    assert!((score.loss - (2.0 * right + wrong) / 3.0).abs() < 1e-15, "{}", score.loss);
    assert!((score.accuracy - 2.0 / 3.0).abs() < 1e-15, "{}", score.accuracy);
    assert!((net.weight_norm() - 5.0_f64.sqrt()).abs() < 1e-15, "{}", net.weight_norm());
}

#[test]
fn the_loss_of_a_sure_network_is_finite() {
    let mut net = Mlp::<f32>::new(Layers { inputs: 1, hidden: 1, classes: 2 }, 1, &mut ChaCha8Rng::seed_from_u64(6));
    net.params.w1.fill(1.0);
    net.params.w2.assign(&array![[1000.0, 0.0]]);
    assert_eq!(net.loss_and_gradients(array![[1.0]].view(), &[1]), 1000.0);
    assert_eq!(net.grads.b2, array![1.0, -1.0]);
}

#[test]
fn dropout_keeps_the_expected_output_and_is_off_in_evaluation() {
    const UNITS: usize = 20_000;
    let layers = Layers { inputs: 1, hidden: UNITS, classes: 1 };
    let mut net = Mlp::<f64>::new(layers, 1, &mut ChaCha8Rng::seed_from_u64(7));
    net.params.w1.fill(1.0);
    let image = array![[1.0]];
    let before = net.evaluate(image.view(), &[0]);
    net.draw_dropout(0.25, &mut ChaCha8Rng::seed_from_u64(8));
    assert_eq!(net.evaluate(image.view(), &[0]), before);
    // The gradient by the second layer's weights is (probability - 1) times the hidden units; with one class that is 0, so
    // look at a network with two.
    let layers = Layers { classes: 2, ..layers };
    let mut net = Mlp::<f64>::new(layers, 1, &mut ChaCha8Rng::seed_from_u64(7));
    net.params.w1.fill(1.0);
    net.params.w2.fill(0.0);
    net.draw_dropout(0.25, &mut ChaCha8Rng::seed_from_u64(8));
    net.loss_and_gradients(image.view(), &[0]);
    let hidden: Vec<f64> = net.grads.w2.column(1).iter().map(|gradient| gradient / 0.5).collect();
    let dropped = hidden.iter().filter(|&&h| h == 0.0).count() as f64 / UNITS as f64;
    assert!((dropped - 0.25).abs() < 0.02, "a share of {dropped} was dropped");
    assert!(hidden.iter().all(|&h| h == 0.0 || (h - 1.0 / 0.75).abs() < 1e-12), "kept units grow by 1 / 0.75");
}

/// A plain step at rate 1 subtracts each gradient from the parameter that it belongs to.
#[test]
fn an_optimizer_sees_each_parameter_with_its_own_gradient() {
    let mut net = tiny_network(0);
    net.loss_and_gradients(images().view(), &LABELS);
    let expected: Vec<_> = net.params.views().iter().zip(&net.grads.views()).map(|(x, grad)| x - grad).collect();
    let mut optimizer = Sgd::new(1.0).build().expect("good settings");
    optimizer.step(&mut net.params()).expect("a step");
    assert_eq!(net.params.views().to_vec(), expected);
    let shapes = optimizer.export().into_owned().parameters.into_iter().map(|state| (state.name, state.shape));
    let expected = NAMES.into_iter().zip([vec![4, 6], vec![6], vec![6, 3], vec![3]]);
    assert!(shapes.eq(expected.map(|(name, shape)| (name.to_owned(), Some(shape)))));
}
