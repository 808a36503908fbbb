//! The fused loops against the pipeline of tiles, by bits: every rule with every law that may be joined.

use super::*;
use crate::decay::{Anchor, Decay, Rates};
use crate::engine::Hyperparameters;
use crate::kernel::Moves;
use crate::kernel::column::{Extent, Matrices};
use crate::kernel::reduce::CHUNK;
use crate::{Adagrad, Adam, Lion, NAdam, Penalty, Place, Sgd, Strength};

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

fn law<T: Real>(decay: &Decay) -> AnyLaw<T> {
    AnyLaw::of(decay.in_step(Rates::at(0.1, 1.0, 1.0), 1.0, 0.0), Anchor::Origin)
}

/// Those that every fused rule is joined with.
fn laws<T: Real>() -> [AnyLaw<T>; 4] {
    [Decay::none(), Decay::coupled_l2(0.3), Decay::decoupled(0.3), Decay::exact(0.3)].map(|decay| law(&decay))
}

/// Those that a few are joined with besides.
fn more_laws<T: Real>() -> Vec<AnyLaw<T>> {
    let huber = Penalty::Huber { delta: 0.2 };
    let decays = [
        Decay::coupled_elastic_net(0.3, 0.4),
        Decay::new(huber, Place::Coupled, Strength::LrScaled(0.3)),
        Decay::elastic_net(0.3, 0.4),
        Decay::new(Penalty::L2, Place::Proximal, Strength::LrScaled(0.3)),
        Decay::huber(0.3, 0.2),
        Decay::cautious(0.3),
        Decay::metric_l1(0.3),
        Decay::clip(0.3),
    ];
    decays.iter().map(law).collect()
}

fn scalings<T: Real>() -> [Scaling<T>; 3] {
    [(1.0, f64::INFINITY), (-0.3, f64::INFINITY), (1.0, 0.25)]
        .map(|(factor, bound)| Scaling { factor: T::of(factor), bound: T::of(bound) })
}

/// Whether the rule of these hyperparameters at step `t` is fused: with the usual laws, and with more of them. If so, its bits are those of
/// the tiles.
fn judge<T: Real>(options: &impl Hyperparameters, t: u64) -> [bool; 2] {
    let scalars = options.scalars::<T>(0.1, t, &mut [T::of(0.5); _]).unwrap();
    let rule = options.rule(&scalars, Matrices::of(&[1])).rule;
    let columns = options.columns(Matrices::of(&[1])).into_iter().filter(|column| column.extent == Extent::Weights).count();
    let usual = laws().map(|law| (law, false));
    let anchored = laws().into_iter().skip(1).map(|law| (law, true));
    let more: Vec<_> = more_laws().into_iter().map(|law| (law, false)).chain(anchored).collect();
    // What happens to a gradient first does so before any law, and sums over many chunks are those of the usual laws.
    [(&usual[..], &scalings()[..], usize::MAX), (&more, &scalings()[2..], CHUNK)].map(|(laws, scalings, most)| {
        let fused = laws.iter().map(|(law, anchored)| runs_alike(rule, columns, (law, *anchored), scalings, most));
        let fused: Vec<_> = fused.collect();
        assert!(fused.iter().all(|one| *one == fused[0]), "{rule:?}: {fused:?}");
        fused[0]
    })
}

/// Asserts that a rule and a law have the same bits joined and by tiles, and returns whether there is a loop that joins them.
fn runs_alike<T: Real>(
    rule: &dyn AnyRule<T>,
    columns: usize,
    (law, anchored): (&AnyLaw<T>, bool),
    scalings: &[Scaling<T>],
    most: usize,
) -> bool {
    let (apart, mut desk, mut fused) = (Apart(rule), Desk::default(), Vec::new());
    for (level, &scaling) in Level::all().flat_map(|level| scalings.iter().map(move |scaling| (level, scaling))) {
        for n in lengths(level).filter(|&n| n < most) {
            let (mut joined, mut tiled) = (Memory::<T>::new(n, columns), Memory::new(n, columns));
            let anchor = if anchored { numbers::<T>(n, 5) } else { Vec::new() };
            let [a, b] = [
                Task { anchor: &anchor, ..joined.task(level, scaling, rule, law) }.measure(&mut desk),
                Task { anchor: &anchor, ..tiled.task(level, scaling, &apart, law) }.measure(&mut desk),
            ]
            .map(|sums| sums.map(|sum| sum.norm().to_bits()));
            assert_eq!(a, b, "{rule:?} {law:?} {scaling:?} {level} {n}: norms");
            Task { anchor: &anchor, ..joined.task(level, scaling, rule, law) }.run(&mut desk);
            Task { anchor: &anchor, ..tiled.task(level, scaling, &apart, law) }.run(&mut desk);
            assert!(joined.bits() == tiled.bits(), "{rule:?} {law:?} {scaling:?} {level} {n}");
            let Memory { x, g, state } = &mut joined;
            let mut state: Vec<_> = state.iter_mut().map(|column| &mut column[..]).collect();
            let at = Fused { level, scaling, rate: T::of(0.1), x, g, anchor: &anchor, state: &mut state };
            let done = rule.fused(law, at);
            // An anchor of no numbers is none.
            fused.extend((n > 0).then_some(done));
        }
    }
    assert!(fused.iter().all(|one| *one == fused[0]), "{rule:?} {law:?}: {fused:?}");
    fused[0]
}

/// Every rule that there is, at its first step and later; the engine knows which are fused.
fn every_rule<T: Real>() {
    const NOT: [bool; 2] = [false; 2];
    const USUAL: [bool; 2] = [true, false];
    const ALL: [bool; 2] = [true; 2];
    let fused = |options: &dyn Fn(u64) -> [bool; 2]| [options(1), options(7)];
    let sgd = |momentum: f64, nesterov| Sgd::new(0.1).momentum(momentum).nesterov(nesterov).algorithm;
    let adam = |amsgrad| Adam::new(0.1).amsgrad(amsgrad).algorithm;
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.0, false), t)), [ALL, ALL], "sgd");
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.9, false), t)), [NOT, ALL], "sgd momentum");
    assert_eq!(fused(&|t| judge::<T>(&sgd(0.9, true), t)), [NOT, ALL], "sgd nesterov");
    assert_eq!(fused(&|t| judge::<T>(&adam(false), t)), [ALL, ALL], "adam");
    assert_eq!(fused(&|t| judge::<T>(&Adam::new(0.1).epsilon_hat(1e-4).algorithm, t)), [ALL, ALL], "adam epsilon hat");
    assert_eq!(fused(&|t| judge::<T>(&adam(true), t)), [NOT, NOT], "amsgrad");
    assert_eq!(fused(&|t| judge::<T>(&Lion::new(0.1).algorithm, t)), [USUAL, USUAL], "lion");
    assert_eq!(fused(&|t| judge::<T>(&Adagrad::new(0.1).algorithm, t)), [NOT, NOT], "adagrad");
    assert_eq!(fused(&|t| judge::<T>(&NAdam::new(0.1).algorithm, t)), [NOT, NOT], "nadam");
}

#[test]
fn fused_loops_have_the_bits_of_tiles_in_f32() {
    every_rule::<f32>();
}

#[test]
fn fused_loops_have_the_bits_of_tiles_in_f64() {
    every_rule::<f64>();
}
