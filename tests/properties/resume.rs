//! A run that is saved and loaded, after every one of its steps, goes on with the bits of one that was not.

use wane::state::{Loading, State};
use wane::{Clip, Optimizer, Param, Schedule};

use crate::common::cells::{self, Cell, Ramp};
use crate::common::data::{Bits, Tensor, bits, tensors};
use crate::common::{Element, OPTIMIZERS, Row, Setup, for_f32_and_f64};

for_f32_and_f64!(a_run_that_is_loaded_goes_on, a_run_that_is_loaded_goes_on_by_a_rate_set_by_hand);

const LENGTHS: [usize; 3] = [6, 1, 9];
const STEPS: u64 = 4;
const CLIPS: [Clip; 4] = [Clip::Off, Clip::Value(0.3), Clip::GlobalNorm(0.7), Clip::OptaxGlobalNorm(0.7)];

/// How a run gets from one step to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Straight,
    Loaded,
}

/// What has loaded the state of `opt`; it knows the parameters already where there are an odd number of steps.
fn load<T: Element>(opt: &dyn Optimizer<T>, mut next: Box<dyn Optimizer<T>>, tensors: &mut [Tensor<T>]) -> Box<dyn Optimizer<T>> {
    let state = through_a_file(opt.export());
    if opt.completed_steps() % 2 == 1 {
        let names = opt.names();
        let known = tensors.iter_mut().filter(|tensor| names.contains(&&*tensor.name));
        next.register(&known.map(|tensor| tensor.param(None)).collect::<Vec<_>>()).unwrap();
    }
    let loaded = next.import(state, &Loading::strict()).unwrap();
    assert_eq!((loaded.parameters(), loaded.differences()), (opt.names().len(), &[][..]));
    let [found, expected] = [&*next, opt].map(|opt| {
        let mut state = opt.export();
        // Registered in another order.
        state.parameters.sort_by(|a, b| a.name.cmp(&b.name));
        state.into_owned()
    });
    assert_eq!(found, expected);
    next
}

/// The bytes of a file, where there are files.
#[cfg(feature = "safetensors")]
fn through_a_file(state: State<'_>) -> State<'static> {
    let mut bytes = Vec::new();
    state.write(&mut bytes).unwrap();
    State::read(&mut &bytes[..]).unwrap()
}

#[cfg(not(feature = "safetensors"))]
fn through_a_file(state: State<'_>) -> State<'static> {
    state.into_owned()
}

/// Steps in another order each time; one parameter joins late, and one is left out once.
fn outcome<T: Element>(row: &Row, setup: &Setup, change: fn(&mut dyn Optimizer<T>, u64), way: Way) -> Bits {
    let (mut opt, mut tensors) = (row.build::<T>(setup), tensors::<T>(&LENGTHS));
    for k in 0..STEPS {
        tensors.rotate_left(usize::from(k % 2 == 1));
        if way == Way::Loaded {
            opt = load(&*opt, row.build(setup), &mut tensors);
        }
        change(&mut *opt, k);
        let grads: Vec<_> = tensors.iter().map(|tensor| tensor.gradient(k)).collect();
        let given = tensors.iter_mut().zip(&grads).filter(|(tensor, _)| (tensor.seed, k) != (1, 0) && (tensor.seed, k) != (2, 2));
        let mut params: Vec<Param<'_, T>> = given.map(|(tensor, grad)| tensor.param(Some(grad))).collect();
        opt.step(&mut params).unwrap();
    }
    bits(row, &*opt, &tensors)
}

fn compare<T: Element>(row: &Row, setup: &Setup, change: fn(&mut dyn Optimizer<T>, u64)) {
    let [expected, found] = [Way::Straight, Way::Loaded].map(|way| outcome(row, setup, change, way));
    assert_eq!(found, expected, "{} with {}, {}, {}", row.name, setup.decay, setup.clip, setup.schedule);
}

/// Every optimizer × law × schedule × clip; without optimisation, where that takes minutes, each eleventh of them.
fn every<T: Element>(cells: &[Cell], clips: &[Clip], change: fn(&mut dyn Optimizer<T>, u64)) {
    let mut setups = vec![];
    for row in OPTIMIZERS {
        for cell in cells {
            for schedule in [Schedule::constant(), Ramp::falling().schedule] {
                let setup = |&clip| (row, Setup { clip, schedule: schedule.clone(), ..row.setup(cell.decay()) });
                setups.extend(clips.iter().map(setup));
            }
        }
    }
    let stride = if cfg!(debug_assertions) { 11 } else { 1 };
    setups.iter().step_by(stride).for_each(|(row, setup)| compare(row, setup, change));
}

fn a_run_that_is_loaded_goes_on<T: Element>() {
    every::<T>(&cells::all(), &CLIPS, |_, _| {});
}

fn a_run_that_is_loaded_goes_on_by_a_rate_set_by_hand<T: Element>() {
    every::<T>(&cells::loops(), &CLIPS[2..3], |opt, k| match k {
        1 => opt.set_learning_rate(opt.learning_rate() / 3.0).unwrap(),
        3 => opt.resume_schedule(),
        _ => {}
    });
}
