//! Any settings of any optimizer: `build` refuses them, or a hundred steps on finite gradients leave weights and state finite. A step that
//! is refused changes nothing.

use arbitrary::{Result, Unstructured};
use wane::{
    AdjustLr, Anchor, Clip, Decay, Lamb, Level, Muon, NonFinite, Optimizer, Param, Penalty, Place, Report, Schedule, TrustRatio,
    Untouched,
};

use crate::common::cells::{PENALTIES, PLACES, STRENGTHS, found, with_number};
use crate::common::data::{kept, matrix, patterns};
use crate::common::{Apart, Element, Goal, OPTIMIZERS, Recipe, Setup};

const STEPS: usize = 100;

pub(crate) fn run(input: &[u8]) {
    let scene = Scene::read(&mut Unstructured::new(input)).expect("what is missing reads as 0");
    scene.play::<f32>();
    scene.play::<f64>();
}

/// Settings, and what they are tried on.
#[derive(Debug)]
struct Scene {
    recipe: Box<dyn Recipe>,
    non_finite: NonFinite,
    factor: f64,
    /// How many weights each parameter has; the last one is in the group apart.
    lengths: [usize; 2],
    /// Weights, anchors and gradients are taken from here, in turn.
    numbers: Vec<f64>,
}

impl Scene {
    fn read(from: &mut Unstructured<'_>) -> Result<Self> {
        let setup = setup(from)?;
        Ok(Self {
            recipe: recipe(from, &setup)?,
            non_finite: setup.non_finite,
            factor: *from.choose(&[1.0, 0.5, 1e30])?,
            lengths: [from.int_in_range(0..=12)?, from.int_in_range(0..=3)?],
            numbers: (0..from.int_in_range(1..=8)?).map(|_| number(from)).collect::<Result<_>>()?,
        })
    }

    fn play<T: Element>(&self) {
        let mut opt = match T::build(&*self.recipe) {
            Ok(opt) => opt,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        let mut numbers = self.numbers.iter().map(|&x| finite::<T>(x)).cycle();
        let mut take = || self.lengths.map(|len| numbers.by_ref().take(len).collect::<Vec<T>>());
        let (mut weights, anchors) = (take(), take());
        for _ in 0..STEPS {
            let before = bits(&*opt, &weights);
            match step(&mut *opt, &mut weights, &take(), &anchors, self.factor) {
                Ok(_) if self.non_finite == NonFinite::Propagate => {}
                Ok(_) => assert!(are_finite(&*opt, &weights), "{self:?} in {}: {weights:?}", T::NAME),
                Err(error) => assert!(bits(&*opt, &weights) == before, "{self:?} in {}: {error}", T::NAME),
            }
        }
        if opt.catch_up(&mut params(&mut weights, None, &anchors)).is_ok() && self.non_finite != NonFinite::Propagate {
            assert!(are_finite(&*opt, &weights), "{self:?} in {} has caught up: {weights:?}", T::NAME);
        }
        assert!(!opt.describe().to_string().is_empty());
    }
}

const NAMES: [&str; 2] = ["w", "b"];

fn step<T: Element>(
    opt: &mut dyn Optimizer<T>,
    weights: &mut [Vec<T>; 2],
    gradients: &[Vec<T>; 2],
    anchors: &[Vec<T>; 2],
    factor: f64,
) -> wane::Result<Report> {
    opt.step_scaled(&mut params(weights, Some(gradients), anchors), factor)
}

fn params<'a, T: Element>(
    [w, b]: &'a mut [Vec<T>; 2],
    gradients: Option<&'a [Vec<T>; 2]>,
    anchors: &'a [Vec<T>; 2],
) -> [Param<'a, T>; 2] {
    let param = |i: usize, x: &'a mut Vec<T>| {
        let shape = matrix(x.len());
        let param = match gradients {
            Some(gradients) => Param::new(NAMES[i], x, &gradients[i]),
            None => Param::without_grad(NAMES[i], x),
        };
        param.shape(&shape).anchor(&anchors[i])
    };
    [param(0, w), param(1, b).in_group(Apart::NAME)]
}

/// All numbers that a step may change.
fn all<'a, T: Element>(opt: &'a dyn Optimizer<T>, weights: &'a [Vec<T>; 2]) -> impl Iterator<Item = &'a [T]> {
    NAMES.iter().zip(weights).flat_map(move |(name, weights)| kept(opt, name, weights))
}

fn bits<T: Element>(opt: &dyn Optimizer<T>, weights: &[Vec<T>; 2]) -> Vec<Vec<u64>> {
    all(opt, weights).map(patterns).collect()
}

fn are_finite<T: Element>(opt: &dyn Optimizer<T>, weights: &[Vec<T>; 2]) -> bool {
    all(opt, weights).flatten().all(|x| x.is_finite())
}

/// The finite number next to `x`.
fn finite<T: Element>(x: f64) -> T {
    if x.is_nan() { T::zero() } else { T::near(x.clamp(-T::HUGE, T::HUGE)) }
}

#[rustfmt::skip]
const EDGES: [f64; 16] = [
    0.0, -0.0, 1.0, -1.0, 1.0 - f64::EPSILON, 1.0 - 1e-8, 1.0 + f64::EPSILON, 2.0, 1e-45, 1e-38, 3.4e38, 1e19,
    f64::MIN_POSITIVE, 1.3e154, f64::MAX, f64::INFINITY,
];

/// A number of any size; every second one is a share.
fn number(from: &mut Unstructured<'_>) -> Result<f64> {
    Ok(match from.int_in_range(0..=7)? {
        0 => *from.choose(&EDGES)?,
        1 => from.arbitrary()?,
        2 => 2.0_f64.powi(from.arbitrary::<i8>()?.into()),
        3 => -2.0_f64.powi(from.arbitrary::<i8>()?.into()),
        _ => f64::from(from.arbitrary::<u16>()?) / 65536.0,
    })
}

/// A row of the table, or what its numbers do not reach.
fn recipe(from: &mut Unstructured<'_>, setup: &Setup) -> Result<Box<dyn Recipe>> {
    let Setup { lr, .. } = *setup;
    let choice = from.choose_index(OPTIMIZERS.len() + 2)?;
    if let Some(row) = OPTIMIZERS.get(choice) {
        let numbers = row.numbers.iter().map(|known| {
            let x = number(from)?;
            Ok(if from.ratio(3, 4)? && (0.0..1.0).contains(&x) { (known.usual)(x) } else { x })
        });
        return Ok(row.recipe(&Setup { numbers: numbers.collect::<Result<_>>()?, ..setup.clone() }));
    }
    if choice == OPTIMIZERS.len() {
        let bounds = TrustRatio::clamped(number(from)?, number(from)?);
        return Ok(Lamb::new(lr).eps(number(from)?).trust_ratio(bounds).with(setup));
    }
    let [a, b, c] = [number(from)?, number(from)?, number(from)?];
    let adjust = *from.choose(&[AdjustLr::SpectralUnclamped, AdjustLr::Original])?;
    Ok(Muon::new(lr).ns_coefficients(a, b, c).ns_steps(from.int_in_range(0..=100)?).adjust_lr(adjust).with(setup))
}

fn setup(from: &mut Unstructured<'_>) -> Result<Setup> {
    let levels: Vec<_> = Level::all().collect();
    Ok(Setup {
        lr: number(from)?,
        clip: clip(from)?,
        non_finite: *from.choose(&[NonFinite::Error, NonFinite::Skip, NonFinite::Propagate])?,
        schedule: schedule(from)?,
        level: *from.choose(&levels)?,
        flushed: from.arbitrary()?,
        apart: Some(Apart { lr_factor: number(from)?, decay: decay(from)? }),
        goal: *from.choose(&[Goal::Descend, Goal::Climb])?,
        ..Setup::new(decay(from)?)
    })
}

fn clip(from: &mut Unstructured<'_>) -> Result<Clip> {
    let make = from.choose(&[|_| Clip::Off, Clip::Value, Clip::GlobalNorm, Clip::OptaxGlobalNorm])?;
    Ok(make(number(from)?))
}

/// One schedule, or two, one after the other.
fn schedule(from: &mut Unstructured<'_>) -> Result<Schedule> {
    let first = form(from)?;
    Ok(if from.ratio(1, 4)? { first.then(count(from)?, form(from)?) } else { first })
}

fn form(from: &mut Unstructured<'_>) -> Result<Schedule> {
    Ok(match from.int_in_range(0..=10)? {
        0 => Schedule::linear(number(from)?, number(from)?, count(from)?),
        1 => Schedule::cosine(count(from)?, number(from)?),
        2 => Schedule::warmup_cosine(count(from)?, count(from)?, number(from)?).warmup_start(number(from)?),
        3 => Schedule::step(count(from)?, number(from)?),
        4 => Schedule::polynomial(count(from)?, number(from)?, number(from)?),
        5 => Schedule::exponential(number(from)?),
        6 => {
            let (warmup, stable, decay) = (count(from)?, count(from)?, count(from)?);
            Schedule::warmup_stable_decay(warmup, stable, decay, number(from)?).warmup_start(number(from)?)
        }
        7 => Schedule::cosine_restarts(count(from)?, count(from)?, number(from)?),
        8 => Schedule::restart_steps(count(from)?, count(from)?),
        9 => Schedule::inverse_time(number(from)?),
        _ => Schedule::constant(),
    })
}

/// A number of steps: few, or any.
fn count(from: &mut Unstructured<'_>) -> Result<u64> {
    if from.ratio(7, 8)? { Ok(from.arbitrary::<u8>()?.into()) } else { from.arbitrary() }
}

/// Any penalty in any place with any strength towards any anchor, whether there is such a decay or not.
fn decay(from: &mut Unstructured<'_>) -> Result<Decay> {
    let penalty = match *from.choose(&PENALTIES)? {
        Penalty::ElasticNet { .. } => Penalty::ElasticNet { ratio: number(from)? },
        Penalty::Huber { .. } => Penalty::Huber { delta: number(from)? },
        Penalty::PNorm { .. } => Penalty::PNorm { p: number(from)? },
        Penalty::Norm { .. } => Penalty::Norm { radius: number(from)? },
        Penalty::StartNorm { .. } => Penalty::StartNorm { ratio: number(from)? },
        Penalty::Box { .. } => Penalty::Box { bound: number(from)? },
        Penalty::FanBox { .. } => Penalty::FanBox { factor: number(from)? },
        Penalty::Spectral { .. } => Penalty::Spectral { bound: number(from)? },
        other => other,
    };
    let place = match *from.choose(&PLACES)? {
        Place::AdaDecay { .. } => Place::AdaDecay { alpha: number(from)? },
        other => other,
    };
    let strengths = [STRENGTHS.to_vec(), found()].concat();
    let strength = with_number(*from.choose(&strengths)?, number(from)?);
    let anchor = match from.int_in_range(0..=7)? {
        0 => Anchor::Start,
        1 => Anchor::Given,
        2 => Anchor::Average { beta: number(from)? },
        _ => Anchor::Origin,
    };
    let untouched = *from.choose(&[Untouched::Decay, Untouched::Stay, Untouched::CatchUp])?;
    Ok(Decay::new(penalty, place, strength).towards(anchor).untouched(untouched).schedule(schedule(from)?))
}
