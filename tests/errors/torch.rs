//! PyTorch's own matrix of errors (`torch.testing._internal.common_optimizers` 2.15, the functions `optim_error_inputs_func_*`), case by case,
//! and what its constructors refuse beyond it: here the same is a typed error, is taken on purpose, or cannot be written.
//!
//! The other way round, NaN and infinity pass most of PyTorch's checks, as they are comparisons; here they are refused (`settings.rs`).

use wane::{
    Adafactor, Adagrad, Adam, AdamW, AdjustLr, Algorithm, Decay, Error, Muon, NAdam, Optimizer, Param, Result, Settings, Sgd,
};

use crate::common::{Row, optimizer};

/// A case of PyTorch's, in our words, for these optimizers.
struct Case {
    of: &'static [&'static str],
    torch: &'static str,
    here: Here,
}

enum Here {
    /// Refused, with an error of this kind.
    Refused(fn(&Row) -> Result<()>, fn(&Error) -> bool),
    /// Taken on purpose, for this reason; the call shows that it is.
    Taken(fn(&Row) -> Result<()>, &'static str),
    /// Not to be written in Rust, for this reason.
    Unwritable(&'static str),
}
use Here::{Taken, Unwritable};

/// A call, and the error that it ends in.
macro_rules! refused {
    ($call:expr, $error:pat) => {
        Here::Refused($call, |error| matches!(error, $error))
    };
}

/// A number out of its range, and how errors call it.
macro_rules! out_of_range {
    ($settings:expr, $name:literal) => {
        refused!(|_| build($settings), Error::OutOfRange { setting: $name, .. })
    };
}

const ALL: &[&str] = &["sgd", "adam", "adamw", "adagrad", "nadam", "adafactor", "muon"];

/// PyTorch's matrix.
#[rustfmt::skip]
const MATRIX: &[Case] = &[
    Case { of: ALL, torch: "a bare tensor in place of a list", here: Unwritable("a step takes a slice of parameters, by its type") },
    Case { of: ALL, torch: "a parameter twice in one group", here: refused!(|row| step(row, [named("w"), named("w")]), Error::DuplicateName { .. }) },
    Case { of: ALL, torch: "a set of parameters, without an order", here: Taken(both_orders, "state is known by name, so order changes no bit") },
    Case {
        of: ALL, torch: "a parameter in two groups",
        here: refused!(|row| step(row, [|w, g| named("w")(w, g).in_group("undecayed"), |w, g| named("w")(w, g).in_group("default")]), Error::DuplicateName { .. }),
    },
    Case { of: ALL, torch: "a learning rate of two numbers", here: Unwritable("a learning rate is an f64") },
    Case { of: ALL, torch: "names for some parameters of a group", here: refused!(|row| step(row, [named("w"), named("")]), Error::EmptyName { position: 1 }) },
    Case { of: ALL, torch: "names in one group and none in another", here: refused!(|row| step(row, [named("w"), |w, g| Param::slice(w, g).shape(&[1, 1])]), Error::SliceAmongNames { .. }) },

    Case { of: &["sgd"], torch: "momentum of -0.5", here: out_of_range!(Sgd::new(1e-2).momentum(-0.5), "momentum") },

    Case { of: &["adam"], torch: "beta1 of 1", here: out_of_range!(Adam::new(1e-2).betas(1.0, 0.0), "beta1") },
    Case { of: &["adamw"], torch: "beta1 of 1", here: out_of_range!(AdamW::new(1e-2).betas(1.0, 0.0), "beta1") },
    Case { of: &["adam"], torch: "weight decay of -1", here: out_of_range!(Adam::new(1e-2).weight_decay(Decay::coupled_l2(-1.0)), "weight decay") },
    Case { of: &["adamw"], torch: "weight decay of -1", here: out_of_range!(AdamW::new(1e-2).weight_decay(Decay::decoupled(-1.0)), "weight decay") },
    Case { of: &["adam", "adamw"], torch: "a tensor as learning rate, with foreach", here: Unwritable("a learning rate is an f64") },
    Case { of: &["adam", "adamw"], torch: "a tensor as beta2, a float as beta1", here: Unwritable("both are f64") },
    Case { of: &["adam", "adamw"], torch: "a tensor as beta1, a float as beta2", here: Unwritable("both are f64") },
    Case { of: &["adam", "adamw"], torch: "tensors as betas, with foreach", here: Unwritable("both are f64") },
    Case { of: &["adam", "adamw"], torch: "foreach and fused", here: Unwritable("every step is fused") },
    Case { of: &["adam", "adamw"], torch: "fused and differentiable", here: Unwritable("nobody differentiates through a step") },

    Case { of: &["adagrad"], torch: "lr_decay of -0.5", here: out_of_range!(Adagrad::new(1e-2).lr_decay(-0.5), "lr_decay") },
    Case { of: &["adagrad"], torch: "foreach and fused", here: Unwritable("every step is fused") },
    Case { of: &["adagrad"], torch: "fused and differentiable", here: Unwritable("nobody differentiates through a step") },

    Case { of: &["nadam"], torch: "beta1 of 1", here: out_of_range!(NAdam::new(1e-2).betas(1.0, 0.0), "beta1") },
    Case { of: &["nadam"], torch: "momentum_decay of -0.2", here: out_of_range!(NAdam::new(1e-2).momentum_decay(-0.2), "momentum_decay") },

    Case { of: &["adafactor"], torch: "eps1 of -1e-30", here: out_of_range!(Adafactor::new(1e-2).eps1(-1e-30), "eps1") },
    Case { of: &["adafactor"], torch: "a threshold of 0", here: out_of_range!(Adafactor::new(1e-2).clip_threshold(0.0), "clip_threshold") },
    Case { of: &["adafactor"], torch: "beta2_decay of 0.8", here: out_of_range!(Adafactor::new(1e-2).beta2_decay(0.8), "beta2_decay") },
    Case { of: &["adafactor"], torch: "complex weights", here: Unwritable("weights are f32 or f64: `Float` is sealed") },

    Case { of: &["muon"], torch: "three axes", here: refused!(|row| step(row, [|w, g| named("w")(w, g).shape(&[1, 1, 1]), named("v")]), Error::ShapeRefused { .. }) },
    Case { of: &["muon"], torch: "an adjustment of no known name", here: refused!(|_| "arbitrary".parse::<AdjustLr>().map(|_| ()), Error::Parse { .. }) },
    Case { of: &["muon"], torch: "complex weights", here: Unwritable("weights are f32 or f64: `Float` is sealed") },
];

/// What the constructors refuse, and the matrix leaves out.
#[rustfmt::skip]
const BEYOND: &[Case] = &[
    Case { of: ALL, torch: "a learning rate below 0", here: refused!(|row| with_lr(row, -1e-3), Error::OutOfRange { setting: "learning rate", .. }) },
    Case { of: ALL, torch: "a weight decay below 0", here: refused!(|row| with_decay(row, -0.1), Error::OutOfRange { setting: "weight decay", .. }) },
    Case { of: ALL, torch: "no parameters at all", here: Taken(|row| build_row(row)?.step(&mut []).map(|_| ()), "names become known in steps") },
    Case { of: ALL, torch: "a tensor that is no leaf", here: Unwritable("there is no graph") },
    Case { of: ALL, torch: "a sparse gradient", here: Unwritable("a gradient is a slice, as long as the weights") },

    Case { of: &["sgd"], torch: "Nesterov without momentum", here: refused!(|_| build(Sgd::new(1e-2).nesterov(true)), Error::Conflict { setting: "nesterov", .. }) },
    Case { of: &["sgd"], torch: "Nesterov with dampening", here: refused!(|_| build(Sgd::new(1e-2).momentum(0.9).dampening(0.1).nesterov(true)), Error::Conflict { setting: "nesterov", .. }) },
    Case { of: &["adam"], torch: "beta2 of 1", here: out_of_range!(Adam::new(1e-2).betas(0.9, 1.0), "beta2") },
    Case { of: &["adam"], torch: "eps below 0", here: out_of_range!(Adam::new(1e-2).eps(-1e-8), "eps") },
    Case { of: &["adamw"], torch: "beta2 of 1", here: out_of_range!(AdamW::new(1e-2).betas(0.9, 1.0), "beta2") },
    Case { of: &["adamw"], torch: "eps below 0", here: out_of_range!(AdamW::new(1e-2).eps(-1e-8), "eps") },
    Case { of: &["adagrad"], torch: "a first sum below 0", here: out_of_range!(Adagrad::new(1e-2).initial_accumulator(-0.1), "initial accumulator") },
    Case { of: &["adagrad"], torch: "eps below 0", here: out_of_range!(Adagrad::new(1e-2).eps(-1e-10), "eps") },
    Case { of: &["nadam"], torch: "beta2 of 1", here: out_of_range!(NAdam::new(1e-2).betas(0.9, 1.0), "beta2") },
    Case { of: &["nadam"], torch: "eps below 0", here: out_of_range!(NAdam::new(1e-2).eps(-1e-8), "eps") },
    Case { of: &["adafactor"], torch: "eps2 below 0", here: out_of_range!(Adafactor::new(1e-2).eps2(-1e-3), "eps2") },
    Case { of: &["muon"], torch: "momentum below 0", here: out_of_range!(Muon::new(1e-2).momentum(-0.1), "momentum") },
    Case { of: &["muon"], torch: "100 Newton-Schulz steps", here: out_of_range!(Muon::new(1e-2).ns_steps(100), "ns_steps") },
    Case { of: &["muon"], torch: "two coefficients", here: Unwritable("`ns_coefficients` takes three numbers") },
];

/// How many cases PyTorch 2.15 has for all optimizers, and for each of them beyond.
const FOR_ALL: usize = 7;
const FOR_EACH: [(&str, usize); 7] =
    [("sgd", 1), ("adam", 8), ("adamw", 8), ("adagrad", 3), ("nadam", 2), ("adafactor", 4), ("muon", 3)];

#[test]
fn every_case_of_the_matrix_is_here() {
    for (name, own) in FOR_EACH {
        let cases = MATRIX.iter().filter(|case| case.of.contains(&name));
        assert_eq!(cases.count(), FOR_ALL + own, "{name}");
    }
}

#[test]
fn what_pytorch_refuses() {
    for Case { of, torch, here } in MATRIX.iter().chain(BEYOND) {
        for row in of.iter().map(|name| optimizer(name)) {
            let name = row.name;
            match here {
                Here::Refused(call, expected) => {
                    let error = call(row).expect_err(&format!("{name}: {torch} is taken"));
                    assert!(expected(&error), "{name}: {torch}: {error:?}");
                }
                Taken(call, why) => call(row).unwrap_or_else(|error| panic!("{name}: {torch} is refused, but {why}: {error}")),
                Unwritable(why) => assert!(!why.is_empty(), "{name}: {torch}"),
            }
        }
    }
}

fn build<A: Algorithm>(settings: Settings<A>) -> Result<()> {
    settings.clone().build::<f64>().map(|_| ())?;
    settings.build::<f32>().map(|_| ())
}

fn build_row(row: &Row) -> Result<Box<dyn Optimizer<f32>>> {
    row.try_build(&row.setup(Decay::none()))
}

fn with_lr(row: &Row, lr: f64) -> Result<()> {
    let mut setup = row.setup(Decay::none());
    setup.lr = lr;
    row.try_build::<f32>(&setup).map(|_| ())
}

fn with_decay(row: &Row, lambda: f64) -> Result<()> {
    row.try_build::<f32>(&row.setup(Decay::coupled_l2(lambda))).map(|_| ())
}

/// A parameter of one weight, made from its memory.
type Made = for<'a> fn(&'a mut [f32], &'a [f32]) -> Param<'a, f32>;

/// The matrix's own parameters have the shape [1, 1], for Muon's sake.
fn named(name: &'static str) -> Made {
    match name {
        "" => |w, g| Param::new("", w, g).shape(&[1, 1]),
        "v" => |w, g| Param::new("v", w, g).shape(&[1, 1]),
        _ => |w, g| Param::new("w", w, g).shape(&[1, 1]),
    }
}

fn step(row: &Row, made: [Made; 2]) -> Result<()> {
    let mut opt = build_row(row)?;
    let mut weights = [[1.0], [2.0]];
    let [first, second] = &mut weights;
    let result = opt.step(&mut [made[0](first, &[0.5]), made[1](second, &[-0.5])]);
    assert!(result.is_ok() || weights == [[1.0], [2.0]], "{}: a refused step has written", row.name);
    result.map(|_| ())
}

fn both_orders(row: &Row) -> Result<()> {
    let mut opts = [build_row(row)?, build_row(row)?];
    let mut weights = [[[1.0], [2.0]]; 2];
    for k in 0..4 {
        for (backwards, (opt, [w, v])) in opts.iter_mut().zip(&mut weights).enumerate() {
            let mut params = [named("w")(w, &[0.5]), named("v")(v, &[-0.25])];
            if backwards * k % 2 == 1 {
                params.reverse();
            }
            opt.step(&mut params)?;
        }
    }
    assert_eq!(weights[0], weights[1], "{}", row.name);
    Ok(())
}
