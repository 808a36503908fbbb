//! Whoever is timed: a step of an optimizer, or the limit of one.

use std::hint::black_box;

use wane::{Decay, NonFinite, Optimizer, Pool};

use super::common::{Element, OPTIMIZERS, Reach, Row, Setup};
use super::limit::Pass;
use super::tensors::{Tensors, expect_ordinary};

/// Small, so that weights stay what they are however often a step is repeated.
const RATE: f64 = 1e-6;

/// The rows of the tests' table that have a loop of their own, each with its usual decay.
pub(crate) fn timed() -> impl Iterator<Item = (&'static Row, Decay)> {
    OPTIMIZERS.iter().filter_map(|row| Some((row, row.timed?())))
}

#[derive(Clone, Debug)]
pub(crate) enum Contender {
    Step(Step),
    Limit(Limit),
}

/// A step of an optimizer through the public API.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) row: &'static Row,
    pub(crate) decay: Decay,
    pub(crate) policy: NonFinite,
    pub(crate) threads: usize,
}

/// The walks that a step cannot do without.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) columns: usize,
    pub(crate) passes: Vec<Pass>,
}

impl Contender {
    /// Makes fresh memory for parameters of these lengths, hands one repetition of the contender's work to `measure`, drops the memory.
    pub(crate) fn enter<T: Element>(&self, lengths: &[usize], measure: &mut dyn FnMut(&mut dyn FnMut())) {
        match self {
            Self::Step(step) => step.enter::<T>(lengths, measure),
            Self::Limit(limit) => limit.enter::<T>(lengths, measure),
        }
    }
}

impl Step {
    /// The walks that this step cannot do without.
    pub(crate) fn limit(&self) -> Limit {
        let check = (self.policy != NonFinite::Propagate).then_some(Pass::ReadGradient);
        let norms = (self.row.reach == Reach::Displacement).then_some(Pass::ReadAll);
        Limit { columns: self.row.state.len(), passes: check.into_iter().chain(norms).chain([Pass::Update]).collect() }
    }

    pub(crate) fn optimizer<T: Element>(&self) -> Box<dyn Optimizer<T>> {
        self.row.build(&Setup {
            lr: RATE,
            non_finite: self.policy,
            threads: Some((self.threads, Pool::shared().clone())),
            ..self.row.setup(self.decay.clone())
        })
    }

    fn enter<T: Element>(&self, lengths: &[usize], measure: &mut dyn FnMut(&mut dyn FnMut())) {
        let mut tensors = Tensors::<T>::new(lengths, 0);
        let mut optimizer = self.optimizer();
        let mut params = tensors.params();
        measure(&mut || {
            black_box(optimizer.step(black_box(&mut params))).expect("a step over ordinary numbers succeeds");
        });
        tensors.expect_ordinary();
        expect_ordinary_state(&*optimizer);
    }
}

impl Limit {
    /// Bytes moved per element.
    pub(crate) fn bytes<T: Element>(&self) -> usize {
        self.passes.iter().map(|pass| pass.traffic(self.columns)).sum::<usize>() * size_of::<T>()
    }

    fn enter<T: Element>(&self, lengths: &[usize], measure: &mut dyn FnMut(&mut dyn FnMut())) {
        let mut tensors = Tensors::<T>::new(lengths, self.columns);
        measure(&mut || self.passes.iter().for_each(|pass| pass.run(black_box(&mut tensors))));
        tensors.expect_ordinary();
    }
}

fn expect_ordinary_state<T: Element>(optimizer: &dyn Optimizer<T>) {
    let table = optimizer.describe();
    for name in table.params().iter().map(|row| row.name()) {
        for column in optimizer.columns(name).into_iter().flatten() {
            // A number that is kept once, such as a product that fades away, takes no time.
            expect_ordinary(name, optimizer.state(name, column).filter(|numbers| numbers.len() > 1));
        }
    }
}
