//! An optimizer from the options of a case, which every library has its own names for.

use wane::{
    Adafactor, Adagrad, Adam, AdamW, AdjustLr, Algorithm, Clip, Decay, GroupScope, Lamb, Level, Lion, Muon, NAdam, NonFinite,
    Settings, Sgd,
};

use super::fixture::{Case, Options};
use crate::common::Recipe;

/// How to run a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) level: Level,
    pub(crate) non_finite: NonFinite,
    /// What the number `weight_decay` is taken for, if not for what the library means by it.
    pub(crate) decay: Option<Unit>,
}

/// A decay from the number that stands for its strength.
pub(crate) type Unit = fn(f64) -> Decay;

impl Default for How {
    fn default() -> Self {
        Self { level: Level::best(), non_finite: NonFinite::Error, decay: None }
    }
}

/// A library's optimizer for a case.
pub(crate) type Library = fn(Case, How) -> Box<dyn Recipe>;

/// What a library means by `weight_decay` and by clipping to a norm.
#[derive(Clone, Copy)]
struct Meaning {
    decay: Unit,
    max_norm: fn(f64) -> Clip,
}

const TORCH_COUPLED: Meaning = Meaning { decay: |lambda| some(Decay::coupled_l2, lambda), max_norm: Clip::GlobalNorm };
const TORCH_DECOUPLED: Meaning = Meaning { decay: |lambda| some(Decay::decoupled, lambda), max_norm: Clip::GlobalNorm };
const OPTAX: Meaning = Meaning { decay: Decay::decoupled, max_norm: Clip::OptaxGlobalNorm };
/// No case clips in Keras.
const KERAS: Meaning = OPTAX;

/// PyTorch's 0 is no decay.
fn some(decay: Unit, lambda: f64) -> Decay {
    if lambda == 0.0 { Decay::none() } else { decay(lambda) }
}

pub(crate) fn torch(case: Case, how: How) -> Box<dyn Recipe> {
    match case.optimizer() {
        "SGD" => finish(torch_sgd(case.options()), case, TORCH_COUPLED, how),
        "Adam" => finish(torch_adam(Adam::new, case.options()), case, TORCH_COUPLED, how),
        "AdamW" => finish(torch_adam(AdamW::new, case.options()), case, TORCH_DECOUPLED, how),
        "Adagrad" => finish(torch_adagrad(case.options()), case, TORCH_COUPLED, how),
        "NAdam" => {
            let decoupled = case.options().flag("decoupled_weight_decay");
            finish(torch_nadam(case.options()), case, if decoupled { TORCH_DECOUPLED } else { TORCH_COUPLED }, how)
        }
        "Adafactor" => finish(torch_adafactor(case.options()), case, TORCH_DECOUPLED, how),
        "Muon" => finish(torch_muon(case.options()), case, TORCH_DECOUPLED, how),
        other => panic!("no optimizer {other}"),
    }
}

fn torch_sgd(options: Options) -> Settings<Sgd> {
    let options = options.only(&["lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"]);
    let settings = Sgd::new(options.number("lr")).momentum(options.number("momentum")).dampening(options.number("dampening"));
    settings.nesterov(options.flag("nesterov")).maximize(options.flag("maximize"))
}

fn torch_adam<A: Algorithm<Hyperparameters = Adam>>(new: fn(f64) -> Settings<A>, options: Options) -> Settings<A> {
    let options = options.only(&["lr", "betas", "eps", "weight_decay", "amsgrad", "maximize"]);
    let (beta1, beta2) = options.betas();
    let settings = new(options.number("lr")).betas(beta1, beta2).eps(options.number("eps"));
    settings.amsgrad(options.flag("amsgrad")).maximize(options.flag("maximize"))
}

fn torch_adagrad(options: Options) -> Settings<Adagrad> {
    let options = options.only(&["lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value", "maximize"]);
    let settings = Adagrad::new(options.number("lr")).lr_decay(options.number("lr_decay")).eps(options.number("eps"));
    settings.initial_accumulator(options.number("initial_accumulator_value")).maximize(options.flag("maximize"))
}

fn torch_nadam(options: Options) -> Settings<NAdam> {
    let known = ["lr", "betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay", "maximize"];
    let options = options.only(&known);
    let (beta1, beta2) = options.betas();
    let settings = NAdam::new(options.number("lr")).betas(beta1, beta2).eps(options.number("eps"));
    settings.momentum_decay(options.number("momentum_decay")).maximize(options.flag("maximize"))
}

fn torch_adafactor(options: Options) -> Settings<Adafactor> {
    let options = options.only(&["lr", "beta2_decay", "eps", "d", "weight_decay", "maximize"]);
    let [eps1, eps2] = options.numbers("eps");
    let settings = Adafactor::new(options.number("lr")).beta2_decay(options.number("beta2_decay"));
    let settings = settings.eps2(eps2.expect("a number")).clip_threshold(options.number("d")).maximize(options.flag("maximize"));
    // None is the machine epsilon of the weights' type.
    match eps1 {
        Some(eps1) => settings.eps1(eps1),
        None => settings,
    }
}

fn torch_muon(options: Options) -> Settings<Muon> {
    let known = ["lr", "weight_decay", "momentum", "nesterov", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn"];
    let options = options.only(&known);
    let [a, b, c] = options.numbers("ns_coefficients").map(|x| x.expect("a number"));
    let adjust = match options.word("adjust_lr_fn") {
        None => AdjustLr::Original,
        Some("match_rms_adamw") => AdjustLr::MatchRmsAdamw,
        Some(other) => panic!("no adjustment {other}"),
    };
    let settings = Muon::new(options.number("lr")).momentum(options.number("momentum")).nesterov(options.flag("nesterov"));
    let settings = settings.ns_coefficients(a, b, c).ns_steps(options.count("ns_steps")).eps(options.number("eps"));
    settings.adjust_lr(adjust)
}

pub(crate) fn optax(case: Case, how: How) -> Box<dyn Recipe> {
    let options = case.options().only(&["learning_rate", "b1", "b2", "eps", "weight_decay"]);
    let (lr, beta1, beta2) = (options.number("learning_rate"), options.number("b1"), options.number("b2"));
    match case.optimizer() {
        "lion" => finish(Lion::new(lr).betas(beta1, beta2), case, OPTAX, how),
        "lamb" => finish(Lamb::new(lr).betas(beta1, beta2).eps(options.number("eps")), case, OPTAX, how),
        "adamw" => finish(AdamW::new(lr).betas(beta1, beta2).eps(options.number("eps")), case, OPTAX, how),
        other => panic!("no optimizer {other}"),
    }
}

/// Keras's epsilon is epsilon hat, and its L2 penalty is l2·x², without the half.
pub(crate) fn keras(case: Case, how: How) -> Box<dyn Recipe> {
    match case.optimizer() {
        "SGD" => {
            let options = case.options().only(&["learning_rate", "momentum", "weight_decay"]);
            let settings = Sgd::new(options.number("learning_rate")).momentum(options.number("momentum"));
            let penalty = case.l2().map_or(Decay::none(), |l2| Decay::coupled_l2(2.0 * l2));
            finish(settings.weight_decay(penalty), case, KERAS, how)
        }
        "Adam" => {
            let options = case.options().only(&["learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"]);
            let (beta1, beta2) = (options.number("beta_1"), options.number("beta_2"));
            let settings = Adam::new(options.number("learning_rate")).betas(beta1, beta2);
            finish(settings.epsilon_hat(options.number("epsilon")), case, KERAS, how)
        }
        other => panic!("no optimizer {other}"),
    }
}

/// What every optimizer has: decay, clipping, groups.
fn finish<A: Algorithm>(settings: Settings<A>, case: Case, meaning: Meaning, how: How) -> Box<dyn Recipe> {
    let decay = how.decay.unwrap_or(meaning.decay);
    let settings = match case.options().optional("weight_decay") {
        Some(lambda) => settings.weight_decay(decay(lambda)),
        None => settings,
    };
    let settings = settings.level(how.level).non_finite(how.non_finite).clip(clip(case, meaning));
    Box::new(case.groups().fold(settings, |settings, (name, changes)| {
        settings.group(name, move |group| change(group, case.options(), changes, decay))
    }))
}

fn clip(case: Case, meaning: Meaning) -> Clip {
    let Some(clip) = case.clip() else { return Clip::Off };
    match clip.only(&["max_norm", "clip_value"]).optional("max_norm") {
        Some(bound) => (meaning.max_norm)(bound),
        None => Clip::Value(clip.number("clip_value")),
    }
}

fn change<A: Algorithm>(
    group: Settings<A, GroupScope>,
    whole: Options,
    changes: Options,
    decay: Unit,
) -> Settings<A, GroupScope> {
    let changes = changes.only(&["lr", "weight_decay"]);
    let group = match changes.optional("weight_decay") {
        Some(lambda) => group.weight_decay(decay(lambda)),
        None => group,
    };
    match changes.optional("lr") {
        Some(lr) => group.lr_factor(factor(whole.number("lr"), lr)),
        None => group,
    }
}

/// The factor that takes one learning rate exactly to the other.
fn factor(from: f64, to: f64) -> f64 {
    let factor = to / from;
    assert_eq!((from * factor).to_bits(), to.to_bits(), "no factor takes {from} to {to} exactly");
    factor
}
