//! Optimizers in which weight decay is a first-class part: SGD, Adam, AdamW, NAdam, Adagrad,
//! Adafactor, Lion, LAMB and Muon on plain parameter slices, with coupled L2, decoupled decay in
//! every unit in use, and the laws beyond.
//!
//! You own the parameters as memory (`Vec`, `ndarray`, your own engine's buffers) and have their
//! gradients; wane takes the step.
//!
//! ```
//! use wane::{AdamW, Decay, Optimizer, Param, Selector};
//!
//! let (mut w1, mut b1) = (vec![0.1_f32; 64 * 128], vec![0.0_f32; 128]);
//! let (gw1, gb1) = (vec![0.01_f32; 64 * 128], vec![0.02_f32; 128]);
//!
//! let mut opt = AdamW::new(1e-3)
//!     .betas(0.9, 0.95)
//!     .weight_decay(Decay::decoupled(0.1))                   // PyTorch's units; ::independent, ::half_life, ::coupled_l2, ::l1 ...
//!     .group("no decay", |s| s.weight_decay(Decay::none()))  // a group is an edited copy of the settings
//!     .assign("no decay", Selector::vectors())
//!     .build()?;                                             // every setting is checked here
//!
//! let report = opt.step(&mut [
//!     Param::new("fc1.weight", &mut w1, &gw1).shape(&[64, 128]),
//!     Param::new("fc1.bias", &mut b1, &gb1).shape(&[128]),
//! ])?;
//! assert_eq!(report.updated(), 2);
//! # Ok::<(), wane::Error>(())
//! ```
//!
//! # What there is
//!
//! | | |
//! |---|---|
//! | optimizers | [`Sgd`] (momentum, Nesterov), [`Adam`] (AMSGrad, epsilon hat), [`AdamW`], [`NAdam`], [`Adagrad`], [`Adafactor`], [`Lion`], [`Lamb`], [`Muon`]; all are an [`Optimizer`] |
//! | decay | one value, [`Decay`], for every optimizer: [`Penalty`] × [`Place`] × [`Strength`], towards 0 or an [`Anchor`] |
#![cfg_attr(
    feature = "ndarray",
    doc = "| parameters | [`Param`]: a name, a slice of weights, a slice of gradients; from arrays by [`ndarray::param`] |"
)]
#![cfg_attr(
    not(feature = "ndarray"),
    doc = "| parameters | [`Param`]: a name, a slice of weights, a slice of gradients; from arrays with the feature `ndarray` |"
)]
//! | groups | [`Settings::group`], [`Selector`], [`Param::no_decay`], [`Param::in_group`], [`Optimizer::assign`]; [`Optimizer::describe`] prints who is where |
//! | schedules | [`Schedule`], for the learning rate and for every decay |
//! | gradients | [`Clip`] by value or global norm, [`NonFinite`] policy, a factor per step ([`Optimizer::step_scaled`]) |
//! | what happened | [`Report`] of a step, [`Status`] by name, [`Optimizer::state`] by name and column, typed [`Error`]s |
//! | state | [`state`]: plain data, out by [`Optimizer::export`] and back by [`Optimizer::import`]; files with the feature `safetensors` |
//! | before a run | [`plan`]: a decay in other units, what the last weights are made of, where their size settles, rules for batch, width and data, what rounding leaves |
//! | threads | [`Settings::threads`], [`Pool`] |
//! | during a run | [`Optimizer::set_learning_rate`], [`Optimizer::assign`], [`Optimizer::resize`], [`Optimizer::capture_anchors`], [`Optimizer::catch_up`], [`Param::frozen`], [`Param::undecayed`] |
//!
//! [`guide`] helps to choose a decay, translates calls from PyTorch, Keras and optax, and has the lines for checkpoints.
//!
//! # Five promises
//!
//! 1. **The decay is what it says.** Coupled or decoupled, in which units, scheduled or adaptive: a
//!    value with a name, the same for every optimizer, with its equation, its paper, and where
//!    other libraries differ.
//! 2. **A step is all or nothing.** Everything is checked before the first write, including that
//!    nothing finite becomes infinite or NaN; an error names the parameter, and no weight and no
//!    state has changed by one bit.
//! 3. **The same bits everywhere.** On one target, every CPU [`Level`], any number of
//!    [threads](Settings::threads) and every order of the parameters give the same bits, also with
//!    a save and a load in between. (Across targets, powers of β, schedules and AdaDecay's
//!    exponentials may differ in the last bit: they come from the platform's math library.)
//! 4. **As fast as memory.** One pass, plus one read of the gradient where a check or a norm is
//!    wanted; no allocation once every name has had its first gradient. `benches/README.md` has
//!    the measurements.
//! 5. **PyTorch's numbers.** The same options give the same trajectory; for SGD, Adam, AdamW and
//!    Adagrad the same bits as PyTorch 2.15's fused CPU kernels, on whole vectors: all but the last
//!    n mod 8 elements of an f32 tensor, n mod 4 of an f64 one.
//!
//! # Features
//!
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(
    not(feature = "document-features"),
    doc = "`ndarray`: the module `wane::ndarray`, parameters from arrays, without a copy. `serde`: the state of an optimizer in any format of serde. `safetensors`: the same as a file, written atomically."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # How fast in a debug build
//!
//! The loops are compiled inside this crate. Give dependencies optimisation in your `Cargo.toml`
//! and a debug build of your program steps about as fast as a release build:
//!
//! ```toml
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```

// No input makes the library panic. What remains says why it cannot be reached.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::string_slice,
        clippy::indexing_slicing
    )
)]

mod clip;
mod decay;
mod description;
mod engine;
mod error;
mod float;
pub mod guide;
mod kernel;
#[cfg(feature = "ndarray")]
pub mod ndarray;
mod number;
mod optimizer;
mod param;
pub mod plan;
mod report;
mod rule;
mod schedule;
pub mod state;
mod task;
mod text;

pub use clip::{Clip, NonFinite};
pub use decay::{Anchor, Decay, Kappa, Penalty, Place, Slices, Strength, Tuning, Untouched};
pub use description::{Description, GroupRow, ParamRow};
pub use engine::{Algorithm, GroupScope, OptimizerScope, Selector, Settings, Stepper};
pub use error::{Error, Result};
pub use float::Float;
pub use kernel::Level;
pub use kernel::threads::Pool;
pub use optimizer::Optimizer;
pub use param::{Param, ParamInfo};
pub use report::{Report, Status};
pub use rule::{Adafactor, Adagrad, Adam, AdamW, AdjustLr, Lamb, Lion, Muon, NAdam, Sgd, TrustRatio};
pub use schedule::Schedule;

// Its code on checkpoints needs the feature.
#[cfg(all(doctest, feature = "safetensors"))]
#[doc = include_str!("../README.md")]
struct Readme;
