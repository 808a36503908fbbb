//! A step allocates nothing once its names have been seen: a counting allocator, around the steps alone.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::cell::Cell;

use common::{Element, OPTIMIZERS, Reach, cells};
use wane::{
    Adafactor, Adam, AdamW, Anchor, Clip, Decay, Kappa, Lamb, Muon, NAdam, NonFinite, Optimizer, Param, Penalty, Place, Schedule,
    Selector, Settings, Sgd, Strength, Tuning, Untouched,
};

// What the present thread asks for, so that tests may run side by side.
thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count(_bytes: usize) {
    // A thread that is ending has no counter any more, and no test either.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// A mask for any of the model's tensors.
const MASK: [bool; 80] = [true; 80];

/// A model of tensors of mixed size; every third is a vector, unless all are matrices; every fifth has a mask.
struct Model<T> {
    all_matrices: bool,
    names: Vec<String>,
    weights: Vec<Vec<T>>,
    grads: Vec<Vec<T>>,
}

impl<T: Element> Model<T> {
    fn new(tensors: usize) -> Self {
        let tensor = |value| (0..tensors).map(|i| vec![T::near(value); 2 + 2 * (i % 40)]).collect();
        Self {
            all_matrices: false,
            names: (0..tensors).map(|i| format!("layer.{i}.weight")).collect(),
            weights: tensor(0.5),
            grads: tensor(0.25),
        }
    }

    /// The parameters in the order of `order`. Anchors are lent to whoever wants one.
    fn params(&mut self, order: &[usize]) -> Vec<Param<'_, T>> {
        let mut given: Vec<_> = self.weights.iter_mut().zip(&self.names).zip(&self.grads).map(Some).collect();
        let param = |i: usize| {
            let ((weights, name), grads) = given[i].take().expect("each parameter once");
            let len = weights.len();
            let shape = if i.is_multiple_of(3) && !self.all_matrices { &[len][..] } else { &[2, len / 2] };
            let param = Param::new(name, weights, grads).shape(shape).anchor(grads);
            if i.is_multiple_of(5) { param.undecayed(&MASK[..len]) } else { param }
        };
        order.iter().copied().map(param).collect()
    }

    /// Allocations of one step in this order, which must end well.
    fn step(&mut self, opt: &mut dyn Optimizer<T>, order: &[usize]) -> usize {
        let mut params = self.params(order);
        allocations(|| {
            opt.step_scaled(&mut params, 0.5).expect("a good step");
        })
    }
}

/// 0, 1, 2 ..., the reverse, and two orders that look like none. (The multipliers have no factor in common with 200.)
fn orders(n: usize) -> Vec<Vec<usize>> {
    let shuffled = |by: usize| (0..n).map(|i| (i * by + 3) % n).collect();
    vec![(0..n).collect(), (0..n).rev().collect(), shuffled(37), shuffled(101)]
}

/// Steps in every order, twice, and steps over a part of the parameters.
fn stays_within_its_memory<T: Element>(mut opt: Box<dyn Optimizer<T>>, all_matrices: bool) {
    for n in [1, 200] {
        opt.reset();
        let mut model = Model { all_matrices, ..Model::new(n) };
        let orders = orders(n);
        let first = model.step(&mut *opt, &orders[0]);
        assert!(first >= n, "the counter counts: {n} new names need memory, and {first} allocations were seen");
        for order in orders.iter().chain(&orders) {
            assert_eq!(model.step(&mut *opt, order), 0, "{n} parameters, {}", opt.describe());
            assert_eq!(model.step(&mut *opt, &order[..n / 2]), 0, "{} parameters, {}", n / 2, opt.describe());
        }
    }
}

fn boxed<A: wane::Algorithm>(settings: Settings<A>) {
    stays_within_its_memory::<f32>(Box::new(settings.clone().build().unwrap()), false);
    stays_within_its_memory::<f64>(Box::new(settings.build().unwrap()), false);
}

#[test]
fn every_optimizer() {
    for row in OPTIMIZERS {
        let setup = row.setup(Decay::decoupled(0.1));
        stays_within_its_memory::<f32>(row.build(&setup), row.reach == Reach::Matrix);
        stays_within_its_memory::<f64>(row.build(&setup), row.reach == Reach::Matrix);
    }
}

/// Matrices of any size, and a clone of their optimizer.
#[test]
fn optimizers_that_look_at_matrices() {
    fn stays<T: Element, A: wane::Algorithm>(settings: Settings<A>) {
        let mut opt = settings.build::<T>().unwrap();
        let shapes = [[3, 4], [40, 30], [5, 700], [1, 1]];
        let mut weights = shapes.map(|[r, c]| vec![T::near(0.5); r * c]);
        let grads = weights.clone();
        let mut step = |opt: &mut dyn Optimizer<T>| {
            let [a, b, c, d] = &mut weights;
            let param = |i: usize, w| Param::new(["a", "b", "c", "d"][i], w, &grads[i]).shape(&shapes[i]);
            let mut params = [param(0, a), param(1, b), param(2, c), param(3, d)];
            allocations(|| {
                opt.step_scaled(&mut params, 0.5).unwrap();
            })
        };
        assert!(step(&mut opt) > 0);
        let mut clone = opt.clone();
        assert_eq!([step(&mut opt), step(&mut clone), step(&mut opt)], [0; 3]);
    }
    stays::<f32, _>(Adafactor::new(0.1));
    stays::<f64, _>(Adafactor::new(0.1).weight_decay(Decay::coupled_l2(0.1)));
    stays::<f32, _>(Muon::new(0.1));
    stays::<f64, _>(Muon::new(0.1).clip(Clip::GlobalNorm(1.0)));
    // Its sums are those of the widest matrix.
    stays::<f32, _>(Sgd::new(0.1).weight_decay(Decay::column_lasso(0.1)));
    stays::<f32, _>(Sgd::new(0.1).weight_decay(Decay::spectral(0.1)));
    stays::<f64, _>(Muon::new(0.1).weight_decay(Decay::spectral_cap(0.1).towards(Anchor::Start)));
}

#[test]
fn every_kind_of_decay() {
    for decay in [
        Decay::coupled_l2(0.1),
        Decay::l1(0.1),
        Decay::cautious(0.1),
        Decay::adaptive(0.1),
        Decay::ada_decay(0.1),
        Decay::metric_l1(0.1),
        Decay::p_norm(0.1, 0.5),
        Decay::selective(1.0).towards(Anchor::Start),
        Decay::group_lasso(0.1),
        Decay::group_lasso(0.1).towards(Anchor::Start),
        Decay::start_norm(0.1, 1.0),
        Decay::hyperball(),
        Decay::clip_to_start(1.0).towards(Anchor::Start),
        Decay::half_life(10.0).schedule(Schedule::warmup_cosine(3, 9, 0.1)),
        Decay::fixed(0.1).towards(Anchor::Start),
        Decay::fixed(0.1).towards(cells::AVERAGE),
        Decay::adaptive(0.1).towards(Anchor::Start),
        Decay::fixed(0.1).untouched(Untouched::Stay),
        Decay::exact(0.1).towards(Anchor::Start).untouched(Untouched::CatchUp),
        Decay::coupled_l1(0.1).towards(Anchor::Given),
        Decay::cpr(Kappa::Inflection { every: 2 }),
        Decay::cpr(Kappa::WarmStart { steps: 2 }),
        Decay::cpr(Kappa::Constant(0.1)).towards(Anchor::Start),
        Decay::new(Penalty::L2, Place::Exact, Strength::AdaCpr { mu: 1.0, kappa: Kappa::Initial { times: 0.5 } }),
        Decay::tuned(0.1, Tuning::Log(1.0)).towards(Anchor::Start),
        Decay::tuned(0.1, Tuning::Linear(1.0)).towards(Anchor::Given),
    ] {
        boxed(Sgd::new(0.1).momentum(0.9).weight_decay(decay.clone()));
        boxed(Lamb::new(0.1).weight_decay(decay));
    }
    for decay in [Decay::stable(1e-3), Decay::stable(1e-3).towards(cells::AVERAGE)] {
        boxed(Adam::new(0.1).weight_decay(decay.clone()));
        boxed(NAdam::new(0.1).weight_decay(decay));
    }
}

#[test]
fn clipping_policies_and_schedules() {
    for clip in [Clip::Value(0.1), Clip::GlobalNorm(0.1), Clip::OptaxGlobalNorm(0.1)] {
        for policy in [NonFinite::Error, NonFinite::Skip, NonFinite::Propagate] {
            boxed(
                AdamW::new(0.1)
                    .clip(clip)
                    .non_finite(policy)
                    .lr_schedule(Schedule::linear(0.0, 1.0, 3).then(5, Schedule::cosine(9, 0.1))),
            );
        }
    }
}

#[test]
fn groups_and_policies() {
    let settings = AdamW::new(0.1)
        .group("flat", |s| s.weight_decay(Decay::none()).lr_factor(0.5))
        .group("some", |s| s.weight_decay(Decay::adaptive(0.1)).amsgrad(true))
        .group("still", |s| s.frozen(true))
        .assign("flat", Selector::rank_below(2))
        .assign("still", Selector::name_ends_with("4.weight"))
        .assign("some", Selector::when("a one in its name", |p| p.name().contains('1')));
    stays_within_its_memory::<f32>(Box::new(settings.build().unwrap()), false);
}

/// A gradient that is not finite, under `Skip`.
#[test]
fn skipped_steps() {
    for clip in [Clip::Off, Clip::GlobalNorm(1.0)] {
        let mut opt = AdamW::new(0.1).clip(clip).non_finite(NonFinite::Skip).build::<f32>().unwrap();
        let mut model = Model::new(200);
        let orders = orders(200);
        model.step(&mut opt, &orders[0]);
        for (k, order) in orders.iter().enumerate() {
            model.grads[k][1] = f32::NAN;
            let completed = opt.completed_steps();
            assert_eq!(model.step(&mut opt, order), 0);
            assert_eq!(opt.completed_steps(), completed, "the step was skipped");
            model.grads[k][1] = 0.25;
            assert_eq!(model.step(&mut opt, order), 0);
        }
    }
}

/// Every parameter with a step count of its own, so that each needs scalars of its own.
#[test]
fn parameters_that_joined_late() {
    let boxed: [Box<dyn Optimizer<f64>>; 2] = [Adam::new(0.1).build().unwrap().into(), Lamb::new(0.1).build().unwrap().into()];
    for mut opt in boxed {
        let mut model = Model::new(60);
        for k in 1..=60 {
            let joined: Vec<_> = (0..k).rev().collect();
            assert!(model.step(&mut *opt, &joined) > 0, "one name is new");
            assert_eq!(model.step(&mut *opt, &joined), 0, "{k} parameters");
        }
        let counts: std::collections::HashSet<_> = model.names.iter().map(|name| opt.steps_of(name)).collect();
        assert_eq!(counts.len(), 60);
        for order in orders(60).iter().take(2) {
            assert_eq!(model.step(&mut *opt, order), 0);
        }
    }
}

/// All join in one step, and then drift apart: the counts become many without a name becoming new.
#[test]
fn step_counts_that_drift_apart() {
    let mut opt = Adam::new(0.1).build::<f32>().unwrap();
    let mut model = Model::new(60);
    let order: Vec<_> = (0..60).collect();
    model.step(&mut opt, &order);
    for k in 0..60 {
        assert_eq!(model.step(&mut opt, &order[k..]), 0);
        assert_eq!(model.step(&mut opt, &order), 0);
    }
}

/// A clone knows the names of its original, and has room for as much.
#[test]
fn a_clone_steps_within_its_memory() {
    let mut original = Adam::new(0.1).build::<f32>().unwrap();
    let mut model = Model::new(60);
    let order: Vec<_> = (0..60).collect();
    model.step(&mut original, &order);
    let mut opt: Box<dyn Optimizer<f32>> = original.boxed_clone();
    for k in 0..60 {
        assert_eq!(model.step(&mut *opt, &order), 0, "step {k}");
        assert_eq!(model.step(&mut *opt, &order[k..]), 0, "step {k} over a part");
    }
}

/// Frozen parameters, missing gradients and registered names come and go without memory.
#[test]
fn parameters_that_are_left_alone() {
    let mut opt = AdamW::new(0.1).clip(Clip::GlobalNorm(1.0)).build::<f32>().unwrap();
    let (mut v, mut w, g) = (vec![0.5; 40], vec![0.5; 30], vec![0.25; 40]);
    opt.step(&mut [Param::new("v", &mut v, &g), Param::new("w", &mut w, &g[..30])]).unwrap();
    for _ in 0..3 {
        let seen = allocations(|| {
            opt.step(&mut [Param::without_grad("w", &mut w), Param::new("v", &mut v, &g).frozen(true)]).unwrap();
            opt.register(&[Param::without_grad("v", &mut v)]).unwrap();
            opt.step(&mut [Param::new("v", &mut v, &g)]).unwrap();
            opt.step(&mut []).unwrap();
            opt.step(&mut [Param::new("w", &mut w, &g[..30]), Param::new("v", &mut v, &g)]).unwrap();
            opt.set_learning_rate(0.5).unwrap();
        });
        assert_eq!(seen, 0);
    }
}

#[test]
fn slices() {
    let lamb = Lamb::new(0.1).clip(Clip::GlobalNorm(1.0)).build().unwrap();
    let boxed: [Box<dyn Optimizer<f64>>; 2] = [AdamW::new(0.1).build().unwrap().into(), lamb.into()];
    for mut opt in boxed {
        let (mut w, g) = (vec![0.5; 100], vec![0.25; 100]);
        opt.step_slice(&mut w, &g).unwrap();
        assert_eq!(allocations(|| drop(opt.step_slice(&mut w, &g))), 0);
    }
}

/// Reading what an optimizer knows costs no memory either, but for the table.
#[test]
fn looking_at_an_optimizer() {
    let mut opt = AdamW::new(0.1).build::<f64>().unwrap();
    opt.step(&mut [Param::new("w", &mut [1.0], &[1.0])]).unwrap();
    let seen = allocations(|| {
        assert_eq!((opt.steps_of("w"), opt.completed_steps(), opt.learning_rate()), (Some(1), 1, 0.1));
        assert!(opt.state("w", "exp_avg").is_some() && opt.status("w").is_some() && opt.status("v").is_none());
    });
    assert_eq!(seen, 0);
}

/// A parameter that names its group in every step, a group that is made by a move, and a clone made between steps over more and fewer names.
#[test]
fn groups_by_word_and_by_move() {
    let mut opt = Adam::new(0.1).group("head", |s| s.lr_factor(2.0)).build::<f32>().unwrap();
    let (mut v, mut w, mut x) = ([0.5], [0.5], [0.5]);
    let mut params = [
        Param::new("v", &mut v, &[0.25]).in_group("head").no_decay(),
        Param::new("w", &mut w, &[0.25]).in_group("default").no_decay(),
        Param::new("x", &mut x, &[0.25]),
    ];
    opt.step(&mut params).unwrap();
    assert_eq!(allocations(|| drop(opt.step(&mut params))), 0);
    opt.assign("x", "head + undecayed").unwrap();
    assert_eq!(allocations(|| drop(opt.step(&mut params))), 0);
    opt.step(&mut params[..1]).unwrap();
    let mut clone = opt.clone();
    assert_eq!(allocations(|| drop(clone.step(&mut params))), 0);
}

/// Columns that were put back, so that every step is rehearsed for overflow.
#[test]
fn rehearsals() {
    for decay in [
        Decay::none(),
        Decay::tuned(0.1, Tuning::Log(1.0)).towards(Anchor::Start),
        Decay::cpr(Kappa::Inflection { every: 2 }),
        Decay::spectral(0.1),
        Decay::exact(0.1).untouched(Untouched::CatchUp),
    ] {
        let mut opt = Adam::new(0.1).weight_decay(decay.clone()).build::<f32>().unwrap();
        let (mut v, mut w) = (vec![0.5; 6], vec![0.5; 40]);
        let mut step = |opt: &mut dyn Optimizer<f32>| {
            let [g, h] = [&[0.25; 6][..], &[0.25; 40]];
            let mut params = [Param::new("v", &mut v, g).shape(&[3, 2]), Param::new("w", &mut w, h).shape(&[4, 10])];
            allocations(|| {
                opt.step(&mut params).unwrap();
            })
        };
        step(&mut opt);
        for (name, n) in [("v", 6), ("w", 40)] {
            opt.restore_state(name, "exp_avg", &vec![0.1; n]).unwrap();
        }
        step(&mut opt);
        assert_eq!([(); 4].map(|()| step(&mut opt)), [0; 4], "{decay}");
    }
}
