//! The fused loops against the pipeline of tiles, by bits: every rule with every law that may be joined.

use super::*;
use crate::decay::{Anchor, Decay, Rates};
use crate::engine::Hyperparameters;
use crate::kernel::Moves;
use crate::kernel::column::{Extent, Matrices};
use crate::kernel::reduce::CHUNK;
use crate::{Adagrad, Adam, Lion, NAdam, Sgd};

/// A rule without loops of its own: all that it does goes by tiles.
#[derive(Debug)]
struct Apart<'a, T>(&'a dyn AnyRule<T>);

impl<T: Real> AnyRule<T> for Apart<'_, T> {
    fn update(&self, level: Level, given: Given<'_, T>, state: &mut [&mut [T]], moves: (&mut Moves<T>, Keep)) {
        self.0.update(level, given, state, moves);
    }

    fn is_plain(&self) -> bool {
        self.0.is_plain()
    }

    fn fused(&self, _law: &AnyLaw<T>, _at: Fused<'_, '_, T>) -> bool {
        false
    }

    fn displaced(&self, _task: &Task<'_, T>, _tile: &Range<usize>, _r: &mut [T]) -> bool {
        false
    }
}

/// Nothing, a part of a vector, around a tile, around a chunk of the sums.
const LENGTHS: [usize; 9] = [0, 1, 7, 511, 512, 513, 1043, 16_384, 16_391];

/// Without optimisation the long ones on one level only.
fn lengths(level: Level) -> impl Iterator<Item = usize> {
    LENGTHS.into_iter().filter(move |&n| n < CHUNK || !cfg!(debug_assertions) || level == Level::best())
}

/// A parameter with its state.
#[derive(Clone)]
struct Memory<T> {
    x: Vec<T>,
    g: Vec<T>,
    state: Vec<Vec<T>>,
}

/// Numbers of all signs and many sizes; in short lists every thirteenth is a special one, so that sums of long ones are numbers.
fn numbers<T: Real>(n: usize, salt: u32) -> Vec<T> {
    let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 1e-40, 1e30];
    let number = |i: usize| {
        if n < TILE && (i + salt as usize).is_multiple_of(13) {
            return T::of(special[(i / 13 + salt as usize) % special.len()]);
        }
        let bits = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(salt * 11);
        let size = 2.0_f64.powi((bits % 40) as i32 - 30);
        T::of(size * ((bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0))
    };
    (0..n).map(number).collect()
}

impl<T: Real> Memory<T> {
    fn new(n: usize, columns: usize) -> Self {
        // Second moments are never negative.
        let state =
            (3..).take(columns).map(|i| numbers::<T>(n, i).into_iter().map(|s| if i == 3 { s } else { s.abs() }).collect());
        Self { x: numbers(n, 1), g: numbers(n, 2), state: state.collect() }
    }

    /// One NaN is as good as another.
    fn bits(&self) -> Vec<Vec<Option<u64>>> {
        let of = |x: &Vec<T>| x.iter().map(|x| (!x.is_nan()).then(|| x.widen().to_bits())).collect();
        std::iter::once(&self.x).chain(&self.state).map(of).collect()
    }

    fn task<'a>(&'a mut self, level: Level, scaling: Scaling<T>, rule: &'a dyn AnyRule<T>, law: &'a AnyLaw<T>) -> Task<'a, T> {
        let mut state: [&mut [T]; MAX_COLUMNS] = Default::default();
        state.iter_mut().zip(&mut self.state).for_each(|(place, column)| *place = column);
        Task {
            level,
            scaling,
            denormals: Denormals::Keep,
            rule,
            rate: T::of(0.1),
            law,
            x: &mut self.x,
            g: &self.g,
            state,
            short: Short::default(),
            anchor: &[],
            mask: Mask::default(),
            own: &mut [],
            beside: Short::default(),
            start: 0,
        }
    }
}

fn laws<T: Real>() -> [AnyLaw<T>; 3] {
    let decays = [Decay::none(), Decay::coupled_l2(0.3), Decay::decoupled(0.3)];
    decays.map(|decay| AnyLaw::of(decay.in_step(Rates::at(0.1, 1.0, 1.0), 1.0, 0.0), Anchor::Origin))
}

fn scalings<T: Real>() -> [Scaling<T>; 3] {
    [(1.0, f64::INFINITY), (-0.3, f64::INFINITY), (1.0, 0.25)]
        .map(|(factor, bound)| Scaling { factor: T::of(factor), bound: T::of(bound) })
}

/// Whether the rule of these hyperparameters at step `t` is fused. If so, its bits are those of the tiles.
fn judge<T: Real>(options: &impl Hyperparameters, t: u64) -> bool {
    let scalars = options.scalars::<T>(0.1, t, &mut [T::of(0.5); _]).unwrap();
    let rule = options.rule(&scalars, Matrices::of(&[1])).rule;
    let apart = Apart(rule);
    let columns = options.columns(Matrices::of(&[1])).into_iter().filter(|column| column.extent == Extent::Weights).count();
    let (mut desk, mut fused) = (Desk::default(), 0);
    for level in Level::all() {
        for (law, scaling) in laws().iter().flat_map(|law| scalings().map(|scaling| (law, scaling))) {
            for n in lengths(level) {
                let (mut joined, mut tiled) = (Memory::<T>::new(n, columns), Memory::new(n, columns));
                let [a, b] = [
                    joined.task(level, scaling, rule, law).measure(&mut desk),
                    tiled.task(level, scaling, &apart, law).measure(&mut desk),
                ]
                .map(|sums| sums.map(|sum| sum.norm().to_bits()));
                assert_eq!(a, b, "{rule:?} {law:?} {scaling:?} {level} {n}: norms");
                joined.task(level, scaling, rule, law).run(&mut desk);
                tiled.task(level, scaling, &apart, law).run(&mut desk);
                assert!(joined.bits() == tiled.bits(), "{rule:?} {law:?} {scaling:?} {level} {n}");
                let Memory { x, g, state } = &mut joined;
                let mut state: Vec<_> = state.iter_mut().map(|column| &mut column[..]).collect();
                let at = Fused { level, scaling, rate: T::of(0.1), x, g, state: &mut state };
                fused += usize::from(rule.fused(law, at));
            }
        }
    }
    let all = Level::all().flat_map(lengths).count() * 9;
    assert!(fused == 0 || fused == all, "{rule:?}: {fused} of {all}");
    fused == all
}

/// Every rule that there is, at its first step and later; the engine knows which are fused.
fn every_rule<T: Real>() {
    let fused = |options: &dyn Fn(u64) -> bool| [options(1), options(7)];
    let sgd = |momentum: f64, nesterov| Sgd::new(0.1).momentum(momentum).nesterov(nesterov).algorithm;
    let adam = |amsgrad| Adam::new(0.1).amsgrad(amsgrad).algorithm;
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.0, false), t)), [true, true], "sgd");
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.9, false), t)), [false, true], "sgd momentum");
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.9, true), t)), [false, true], "sgd nesterov");
    assert_eq!(fused(&|t| judge::<T>(&adam(false), t)), [true, true], "adam");
    assert_eq!(fused(&|t| judge::<T>(&Adam::new(0.1).epsilon_hat(1e-4).algorithm, t)), [true, true], "adam epsilon hat");
    assert_eq!(fused(&|t| judge::<T>(&adam(true), t)), [false, false], "amsgrad");
    assert_eq!(fused(&|t| judge::<T>(&Lion::new(0.1).algorithm, t)), [true, true], "lion");
    assert_eq!(fused(&|t| judge::<T>(&Adagrad::new(0.1).algorithm, t)), [false, false], "adagrad");
    assert_eq!(fused(&|t| judge::<T>(&NAdam::new(0.1).algorithm, t)), [false, false], "nadam");
}

#[test]
fn fused_loops_have_the_bits_of_tiles_in_f32() {
    every_rule::<f32>();
}

#[test]
fn fused_loops_have_the_bits_of_tiles_in_f64() {
    every_rule::<f64>();
}
