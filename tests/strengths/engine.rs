//! Decays with memory as they live in an optimizer: a step that is refused leaves no trace in it, and a state has all of it.

use wane::state::{Loading, State};
use wane::{Anchor, Decay, Optimizer, Param, Penalty, Place, Result, Sgd, Untouched};

use crate::common::cells;
use crate::common::data::{Tensor, kept, matrix, patterns, tensors};
use crate::common::{Apart, Element, OPTIMIZERS, Row, Setup, for_f32_and_f64};

for_f32_and_f64!(a_refused_step_leaves_no_trace, a_loaded_run_goes_on, a_mask_holds_off_the_decay);

/// All decays that keep something, towards all anchors; some are refused.
fn with_memory() -> impl Iterator<Item = Decay> {
    let found =
        cells::found().into_iter().map(|strength| Decay::new(Penalty::L2, Place::Exact, cells::with_number(strength, 1e-5)));
    let others = [
        Decay::adaptive(0.1),
        Decay::start_norm(0.7, 0.8),
        Decay::hyperball(),
        Decay::spectral(0.7),
        Decay::spectral_cap(0.4),
        Decay::exact(0.7).untouched(Untouched::CatchUp),
    ];
    let anchors = [Anchor::Origin, Anchor::Start, Anchor::Given, cells::AVERAGE];
    found.chain(others).flat_map(move |decay| anchors.map(|anchor| decay.clone().towards(anchor)))
}

/// With a group of which a step with little gradient, or without an anchor, is refused.
fn build<T: Element>(row: &Row, decay: &Decay) -> Result<Box<dyn Optimizer<T>>> {
    let with = |apart| row.try_build(&Setup { apart: Some(Apart { lr_factor: 1.0, decay: apart }), ..row.setup(decay.clone()) });
    with(Decay::stable(1e6)).or_else(|_| with(Decay::fixed(0.5).towards(Anchor::Given)))
}

/// Runs `judge` with every optimizer that is not much like another, and every decay that it takes.
fn each<T: Element>(judge: impl Fn(&str, &dyn Fn() -> Box<dyn Optimizer<T>>)) {
    let rows = OPTIMIZERS.iter().filter(|row| ["sgd momentum", "adam", "nadam", "lamb", "adafactor", "muon"].contains(&row.name));
    for (row, decay) in rows.flat_map(|row| with_memory().map(move |decay| (row, decay))) {
        if build::<T>(row, &decay).is_ok() {
            judge(&format!("{} with {decay}", row.name), &|| build(row, &decay).unwrap());
        }
    }
}

/// A matrix, a weight, another matrix, and no weight at all.
const LENGTHS: [usize; 4] = [6, 1, 9, 0];

/// Gradients, of which the first row is 0 in two steps of three.
fn gradients<T: Element>(tensors: &[Tensor<T>], k: u64) -> Vec<Vec<T>> {
    let gradient = |tensor: &Tensor<T>| {
        let (mut grad, row) = (tensor.gradient(k), matrix(tensor.value.len())[1]);
        if !k.is_multiple_of(3) {
            grad.iter_mut().take(row).for_each(|g| *g = T::near(0.0));
        }
        grad
    };
    tensors.iter().map(gradient).collect()
}

/// The tensors with their gradients; one has none.
fn params<'a, T: Element>(tensors: &'a mut [Tensor<T>], grads: &'a [Vec<T>], k: u64) -> Vec<Param<'a, T>> {
    let given = (0..).zip(tensors).zip(grads);
    given.map(|((i, tensor), grad)| tensor.param((i != k % 5).then_some(&grad[..]))).collect()
}

fn step<T: Element>(opt: &mut dyn Optimizer<T>, tensors: &mut [Tensor<T>], k: u64) {
    let grads = gradients(tensors, k);
    opt.step(&mut params(tensors, &grads, k)).unwrap_or_else(|error| panic!("{error}"));
}

/// All that is remembered, with the parameters in the order of their names; and the bits of weights and columns.
type Image = (State<'static>, [Option<u64>; 2], Vec<Vec<Vec<u64>>>);

fn image<T: Element>(opt: &dyn Optimizer<T>, tensors: &[Tensor<T>]) -> Image {
    let mut state = opt.export().into_owned();
    state.parameters.sort_by(|a, b| a.name.cmp(&b.name));
    let strengths = ["default", Apart::NAME].map(|group| opt.decay_strength(group).map(f64::to_bits));
    let bits = tensors.iter().map(|tensor| kept(opt, &tensor.name, &tensor.value).into_iter().map(patterns).collect());
    (state, strengths, bits.collect())
}

/// Why a step is refused, always or often: from late to early.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Why {
    /// Squares that are infinite; some optimizers have none.
    Overflow,
    /// A new parameter, of another group, would lose all, or has no anchor.
    Group,
    NonFinite,
    Length,
}

fn attempt<T: Element>(opt: &mut dyn Optimizer<T>, tensors: &mut [Tensor<T>], why: Why) -> Result<()> {
    let mut grads = gradients(tensors, 0);
    let (mut x, little) = ([T::near(0.5); 2], [T::near(1e-9); 2]);
    match why {
        Why::NonFinite => grads[2][8] = T::near(f64::NAN),
        Why::Overflow => grads[2][8] = T::near(if size_of::<T>() == 4 { 3e38 } else { 1e308 }),
        Why::Group | Why::Length => {}
    }
    let mut params = params(tensors, &grads, 4);
    match why {
        Why::Group => params.push(Param::new("new", &mut x, &little).shape(&[1, 2]).in_group(Apart::NAME)),
        Why::Length => {
            params.push(Param::new("new", &mut x, &little[..1]));
            opt.register(&params).unwrap_err();
            opt.capture_anchors(&params).unwrap_err();
            opt.catch_up(&mut params).unwrap_err();
            opt.tune_decay(&params).unwrap_err();
        }
        Why::NonFinite | Why::Overflow => {}
    }
    opt.step(&mut params).map(|_| ())
}

/// What is refused changes nothing, and the steps after it are those of a run in which it has not happened.
fn a_refused_step_leaves_no_trace<T: Element>() {
    each::<T>(|label, build| {
        let [(mut opt, mut given), (mut calm, mut expected)] = [(); 2].map(|()| (build(), tensors::<T>(&LENGTHS)));
        for k in 0..4 {
            for why in [Why::Overflow, Why::Group, Why::NonFinite, Why::Length].into_iter().filter(|_| k > 0) {
                if why == Why::Overflow && attempt(&mut *opt.clone(), &mut given.clone(), why).is_ok() {
                    continue;
                }
                let before = image(&*opt, &given);
                assert!(attempt(&mut *opt, &mut given, why).is_err(), "{label}: {why:?}");
                assert_eq!(image(&*opt, &given), before, "{label}: {why:?} before step {k}");
            }
            step(&mut *opt, &mut given, k);
            step(&mut *calm, &mut expected, k);
            assert_eq!(image(&*opt, &given), image(&*calm, &expected), "{label}, step {k}");
        }
    });
}

/// A run that is loaded before every step, also after its strength was tuned and its rows have caught up.
fn a_loaded_run_goes_on<T: Element>() {
    each::<T>(|label, build| {
        let [(mut opt, mut given), (mut whole, mut expected)] = [(); 2].map(|()| (build(), tensors::<T>(&LENGTHS)));
        for k in 0..6 {
            let before = std::mem::replace(&mut opt, build());
            opt.import(before.export(), &Loading::strict()).unwrap_or_else(|error| panic!("{label}: {error}"));
            for (opt, tensors) in [(&mut opt, &mut given), (&mut whole, &mut expected)] {
                let grads = gradients(tensors, k + 90);
                if k == 3 && opt.decay_strength("default").is_some() {
                    // Refused where the decay is none that is tuned.
                    let _ = opt.tune_decay(&params(tensors, &grads, k));
                }
                if k == 4 {
                    opt.catch_up(&mut params(tensors, &grads, k)).unwrap();
                }
                step(&mut **opt, tensors, k);
            }
            // A state may bound gradients better than the run did.
            let [(_, strengths, bits), (_, wanted, expected)] = [image(&*opt, &given), image(&*whole, &expected)];
            assert_eq!((strengths, bits), (wanted, expected), "{label}, step {k}");
        }
    });
}

/// Masks that come and go: the weights under one get the update of a step without decay, all others decay as without it.
fn a_mask_holds_off_the_decay<T: Element>() {
    // A trust ratio and a decay in the gradient join the weights.
    each::<T>(|label, build| {
        if label.starts_with("lamb") || label.contains("adaptive") {
            return;
        }
        let (mut opt, mut tensors) = (build(), tensors::<T>(&LENGTHS));
        for k in 0..4 {
            let grads = gradients(&tensors, k);
            let masks: Vec<Vec<bool>> =
                grads.iter().map(|grad| (0..grad.len() as u64).map(|i| (i + k) % 3 == 1).collect()).collect();
            let run = |opt: &mut dyn Optimizer<T>, tensors: &mut [Tensor<T>], masked: bool| {
                let given = params(tensors, &grads, 4).into_iter().zip(&masks);
                let mut given: Vec<_> = given.map(|(param, mask)| if masked { param.undecayed(mask) } else { param }).collect();
                opt.step(&mut given).unwrap_or_else(|error| panic!("{label}: {error}"));
            };
            let [(mut free, mut undecayed), (mut pulled, mut decayed)] = [(); 2].map(|()| (opt.clone(), tensors.clone()));
            free.set_weight_decay("default", Decay::none()).unwrap();
            run(&mut *free, &mut undecayed, false);
            run(&mut *pulled, &mut decayed, false);
            run(&mut *opt, &mut tensors, k % 2 == 1);
            for (((found, undecayed), decayed), mask) in tensors.iter().zip(&undecayed).zip(&decayed).zip(&masks) {
                let held = |i: usize| k % 2 == 1 && mask[i];
                let expected = (0..mask.len()).map(|i| if held(i) { undecayed.value[i] } else { decayed.value[i] });
                assert_eq!(patterns(&found.value), patterns(&expected.collect::<Vec<_>>()), "{label}, step {k}");
            }
        }
    });
}

/// What a refused step has worked out, or what was there before a column was put back, is not kept by a step in which
/// the law has no part.
#[test]
fn a_law_that_does_not_act_keeps_what_is_there() {
    let mut opt = Sgd::new(0.5).weight_decay(Decay::spectral(0.5)).build::<f64>().unwrap();
    let mut w = [4.0, 0.0, 0.0, 1.0];
    let step = |opt: &mut dyn Optimizer<f64>, w: &mut [f64], g: f64| opt.step(&mut [Param::new("w", w, &[g; 4]).shape(&[2, 2])]);
    step(&mut opt, &mut w, 0.0).unwrap();
    opt.restore_state("w", "singular_vector", &[0.0, 1.0]).unwrap();
    let kept = w;
    w[0] = f64::MAX;
    step(&mut opt, &mut w, -f64::MAX).unwrap_err();
    w = kept;
    opt.set_learning_rate(0.0).unwrap();
    step(&mut opt, &mut w, 0.0).unwrap();
    assert_eq!((w, opt.state("w", "singular_vector")), (kept, Some(&[0.0, 1.0][..])));
}
