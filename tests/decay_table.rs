//! The table penalty × place × units at `Decay`, cell by cell: a kernel with its equation, another cell's, or an error when built.

mod common;

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use common::cells::{
    ADA, AVERAGE, BOX, COLUMNS, Cell, FAN_BOX, HUBER, NET, NORM, PENALTIES, PLACES, POWER, ROOT, ROWS, Ramp, SPECTRAL,
    START_NORM, WHOLE,
};
use common::data::{bits, slice_after, trained};
use common::{Element, OPTIMIZERS, Setup, for_f32_and_f64, optimizer};
use wane::{Anchor, Decay, Error, Kappa, Optimizer, Param, Penalty, Place, Schedule, Strength, Tuning};

for_f32_and_f64!(
    a_kernel_is_its_equation,
    an_alias_has_the_bits_of_its_cell,
    what_is_missing_is_an_error,
    what_follows_no_average_is_an_error,
    both_orders_are_one_law_towards_the_average,
    none_is_none_in_every_cell
);

/// What a cell of the table is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Kernel,
    Alias,
    Missing,
}

/// For each of [`PENALTIES`] and [`PLACES`] a letter per unit: **k**ernel, **a**lias or nothing.
#[rustfmt::skip]
const TABLE: [[&[u8; UNITS.len()]; PLACES.len()]; PENALTIES.len()] = [
    // In quotes: lr-scaled, independent, corrected, fixed, timescale, half-life, adaptive, normalized, hard.
    // coupled      decoupled     exact         exponential   proximal      cautious      AdaDecay      selective     metric        hyperball
    [b"k     k  ", b"kkkkkk k ", b"kkkkkk k ", b"kkkkkk k ", b"kkkkkk k ", b"kkkkkk k ", b"kkkkkk k ", b"kkkkkk k ", b"         ", b"         "], // L2
    [b"k        ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"kkkk   k ", b"         "], // L1
    [b"k        ", b"kkkk   k ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // elastic net
    [b"k        ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // Huber
    [b"         ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // p-norm, p = 1/2
    [b"k        ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // p-norm, p = 3/2
    [b"         ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // group lasso, rows
    [b"         ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // columns
    [b"         ", b"aaaa   a ", b"         ", b"         ", b"kkkk   k ", b"         ", b"         ", b"         ", b"         ", b"         "], // whole
    [b"         ", b"kkkkkk k ", b"         ", b"         ", b"kkkkkk kk", b"         ", b"         ", b"         ", b"         ", b"        k"], // norm
    [b"         ", b"kkkkkk k ", b"         ", b"         ", b"kkkkkk kk", b"         ", b"         ", b"         ", b"         ", b"        k"], // norm, by the first
    [b"         ", b"kkkkkk k ", b"         ", b"         ", b"kkkkkk kk", b"         ", b"         ", b"         ", b"         ", b"         "], // box
    [b"         ", b"kkkkkk k ", b"         ", b"         ", b"kkkkkk kk", b"         ", b"         ", b"         ", b"         ", b"         "], // box, by the fan-in
    [b"         ", b"kkkkkk k ", b"         ", b"         ", b"kkkkkk kk", b"         ", b"         ", b"         ", b"         ", b"         "], // spectral
];

const PEAK: f64 = 0.1;
const NOW: f64 = 0.05;

/// The units, with the share or amount of each at these rates.
const UNITS: [(Strength, f64); 9] = [
    (Strength::LrScaled(0.5), NOW * 0.5),
    (Strength::Independent(0.2), NOW / PEAK * 0.2),
    (Strength::Corrected(0.4), NOW * NOW / PEAK * 0.4),
    (Strength::Fixed(0.1), 0.1),
    (Strength::Timescale(20.0), NOW / PEAK / 20.0),
    (Strength::HalfLife(2.0), 1.0 - FRAC_1_SQRT_2),
    (Strength::Adaptive(0.3), f64::NAN),
    (Strength::Normalized { lambda: 0.6, steps: 9 }, NOW / PEAK * 0.2),
    (Strength::Hard, f64::INFINITY),
];

/// All cells of a kind, with the amount of their units, towards every anchor.
fn cells(kind: Is) -> Vec<(Cell, f64)> {
    let mut cells = vec![];
    for (penalty, places) in PENALTIES.into_iter().zip(TABLE) {
        for (place, letters) in PLACES.into_iter().zip(places) {
            for (letter, (strength, amount)) in letters.iter().zip(UNITS) {
                if is(*letter) == kind {
                    let cell = Cell::new(penalty, place, strength);
                    cells.extend(cell.anchors().map(|anchor| (cell.towards(anchor), amount)));
                }
            }
        }
    }
    cells
}

fn is(letter: u8) -> Is {
    match letter {
        b'k' => Is::Kernel,
        b'a' => Is::Alias,
        _ => Is::Missing,
    }
}

/// S(y, θ)
fn soft(y: f64, threshold: f64) -> f64 {
    if y.abs() <= threshold { 0.0 } else { y - y.signum() * threshold }
}

/// The exact minimiser of amount·H(d) + (d − y)²/2, with δ = 0.4.
fn huber(y: f64, amount: f64) -> f64 {
    if y.abs() <= (1.0 + amount) * 0.4 { y / (1.0 + amount) } else { y - amount * 0.4 * y.signum() }
}

/// The point of a set that is nearest to d, for a parameter of one weight that began as `start`.
fn nearest(penalty: Penalty, d: f64, start: f64) -> f64 {
    let onto = |radius: f64| if d == 0.0 { 0.0 } else { radius * d.signum() };
    match penalty {
        NORM => onto(0.9),
        START_NORM => onto(0.8 * start.abs()),
        BOX => d.clamp(-0.3, 0.3),
        // One weight has a fan-in of 1, and is its singular value.
        FAN_BOX => d.clamp(-0.5, 0.5),
        SPECTRAL => d.clamp(-0.4, 0.4),
        other => panic!("{other:?} is no set"),
    }
}

/// The equation that stands in the documentation's table, for d = x − a and plain SGD, u = g.
fn equation(cell: &Cell, start: f64, d: f64, g: f64, amount: f64) -> f64 {
    let (eta, y) = (NOW, d - NOW * g);
    match (cell.penalty, cell.place, cell.strength) {
        // A direction of one weight is its sign.
        (_, Place::Hyperball, _) => {
            let radius = nearest(cell.penalty, 1.0, start);
            let turned = if g == 0.0 { d } else { d - eta * radius * g.signum() };
            nearest(cell.penalty, turned, start)
        }
        (_, _, Strength::Hard) => nearest(cell.penalty, y, start),
        (_, Place::Decoupled, _) if cell.is_to_a_set() => d - (eta * g + amount * (d - nearest(cell.penalty, d, start))),
        (_, Place::Proximal, Strength::HalfLife(_)) if cell.is_to_a_set() => {
            y - (1.0 - FRAC_1_SQRT_2) * (y - nearest(cell.penalty, y, start))
        }
        (_, Place::Proximal, _) if cell.is_to_a_set() => y - amount / (1.0 + amount) * (y - nearest(cell.penalty, y, start)),
        (Penalty::L2, Place::Coupled, Strength::Adaptive(lambda)) if d != 0.0 => d - eta * (g + 0.9 * lambda * (g / d).abs() * d),
        (Penalty::L2, Place::Coupled, Strength::LrScaled(lambda)) => d - eta * (g + lambda * d),
        (Penalty::L1, Place::Coupled, Strength::LrScaled(lambda)) if d != 0.0 => d - eta * (g + lambda * d.signum()),
        (NET, Place::Coupled, Strength::LrScaled(lambda)) if d != 0.0 => {
            d - eta * (g + 0.7 * lambda * d + 0.3 * lambda * d.signum())
        }
        (HUBER, Place::Coupled, Strength::LrScaled(lambda)) => d - eta * (g + lambda * d.clamp(-0.4, 0.4)),
        (POWER, Place::Coupled, Strength::LrScaled(lambda)) if d != 0.0 => d - eta * (g + lambda * d / d.abs().sqrt()),
        (_, Place::Coupled, _) => d - eta * g,
        // Of one weight the gradient is as large as in the mean, and the metric of SGD is 1; a row of one weight is its threshold's.
        (Penalty::L2, Place::Decoupled | Place::Exact | ADA, _) => (1.0 - amount) * d - eta * g,
        (Penalty::L2, Place::Exponential, Strength::HalfLife(_)) => d * FRAC_1_SQRT_2 - eta * g,
        (Penalty::L2, Place::Exponential, _) => (-amount).exp() * d - eta * g,
        (Penalty::L2, Place::Proximal, Strength::HalfLife(_)) => (d - eta * g) / SQRT_2,
        (Penalty::L2, Place::Proximal, _) => (d - eta * g) / (1.0 + amount),
        (Penalty::L2, Place::Cautious, _) if g * d >= 0.0 => (1.0 - amount) * d - eta * g,
        (Penalty::L2, Place::Cautious, _) => d - eta * g,
        (ROOT, ..) => (d - eta * g) / (1.0 + amount / d.abs().powi(3).sqrt()),
        (POWER, ..) => (d - eta * g) / (1.0 + amount / d.abs().sqrt()),
        (Penalty::L2, Place::Selective, _) => {
            let y = d - eta * g;
            if g * d > 0.0 && y.abs() > d.abs() { y - amount * (y.abs() - d.abs()) * y.signum() } else { y }
        }
        (HUBER, ..) => huber(d - eta * g, amount),
        (Penalty::L1 | Penalty::GroupLasso { .. }, ..) => soft(d - eta * g, amount),
        (NET, Place::Decoupled, _) => soft((1.0 - 0.7 * amount) * d - eta * g, 0.3 * amount),
        (NET, Place::Proximal, _) => soft(d - eta * g, 0.3 * amount) / (1.0 + 0.7 * amount),
        other => panic!("{other:?} has no equation"),
    }
}

fn a_kernel_is_its_equation<T: Element>() {
    let row = optimizer("sgd");
    for (cell, amount) in cells(Is::Kernel).into_iter().chain(cells(Is::Alias)) {
        for start in [2.0, -0.75, 0.001, 0.25, 0.0] {
            for g in [0.5, -0.25, 0.0] {
                let mut opt = row.build::<T>(&Setup { lr: PEAK, ..row.setup(cell.decay()) });
                opt.set_learning_rate(NOW).unwrap();
                let (mut weight, lent) = ([T::near(start)], [T::near(0.25)]);
                let a = match cell.anchor {
                    // The running average starts there.
                    Anchor::Start | Anchor::Average { .. } => weight[0].exact(),
                    Anchor::Given => 0.25,
                    _ => 0.0,
                };
                let expected = a + equation(&cell, weight[0].exact(), weight[0].exact() - a, g, amount);
                opt.step(&mut [Param::new("w", &mut weight, &[T::near(g)]).shape(&[1, 1]).anchor(&lent)]).unwrap();
                let difference = (weight[0].exact() - expected).abs();
                assert!(difference <= 4.0 * T::EPS, "{} from {start} with {g}: {} for {expected}", cell.decay(), weight[0]);
            }
        }
    }
}

fn an_alias_has_the_bits_of_its_cell<T: Element>() {
    for row in OPTIMIZERS {
        for (alias, _) in cells(Is::Alias) {
            for alias in [alias.clone(), alias.scheduled(Ramp::rising())] {
                let run = |cell: &Cell| {
                    let mut opt = row.build::<T>(&row.setup(cell.decay()));
                    let tensors = trained(&mut *opt, &[9, 4], 5);
                    bits(row, &*opt, &tensors)
                };
                let kernel = Cell { place: Place::Proximal, ..alias.clone() };
                assert_eq!(run(&alias), run(&kernel), "{} with {}", row.name, alias.decay());
            }
        }
    }
}

/// Why a cell is missing, in the words of its error.
fn reason(cell: &Cell) -> &'static str {
    match (cell.place, cell.strength) {
        (_, Strength::Adaptive(_)) => "adaptive strength is defined for coupled L2",
        (Place::Hyperball, _) => {
            "the hyperball keeps a norm, hard: hard-hyperball-start-norm:1, or hard-hyperball-norm with a radius"
        }
        (_, Strength::Hard) => {
            "a hard strength is the projection to a set, after the update: proximal, of a distance to one: norm, start-norm, box, \
             fan-box, spectral"
        }
        _ if cell.is_to_a_set() => "the pull to a set stands beside the update, decoupled, or after it, proximal",
        (Place::Coupled, _) if matches!(cell.penalty, Penalty::GroupLasso { .. }) => {
            "group lasso is a proximal step; use decoupled"
        }
        (Place::Coupled, _) if cell.penalty == ROOT => {
            "the gradient of a p-norm has no bound, at 0 with p below 1, far from it with p above 2; use decoupled"
        }
        (Place::Coupled, _) => "coupled decay is part of the gradient, so its strength is a plain number",
        (Place::Cautious, _) => "cautious decay is defined for L2",
        (Place::Selective, _) => "selective decay is defined for L2",
        (Place::AdaDecay { .. }, _) => "AdaDecay is defined for L2",
        (Place::Exact, _) => "the exact order is for L2",
        (Place::Exponential, _) => "exponential decay is defined for L2",
        (Place::Metric, _) => "in the optimizer's metric there is L1: lr-scaled, independent, corrected, normalized or fixed",
        _ => "a timescale or half-life is a share of the weight, and L1 removes an amount; use independent or fixed",
    }
}

fn what_is_missing_is_an_error<T: Element>() {
    for row in OPTIMIZERS {
        for (cell, _) in cells(Is::Missing) {
            let decay = cell.decay();
            let error = row.try_build::<T>(&row.setup(decay.clone())).unwrap_err();
            let Error::NoSuchDecay { decay: text, .. } = &error else { panic!("{decay}: {error:?}") };
            assert_eq!(*text, decay.to_string());
            assert_eq!(error.to_string(), format!("the decay `{decay}` does not exist: {}", reason(&cell)));
        }
    }
}

#[test]
fn what_is_missing_is_an_error_in_a_group_and_as_text() {
    for (cell, _) in cells(Is::Missing) {
        let (decay, in_group) = (cell.decay(), cell.decay());
        let expected = wane::Sgd::new(0.1).weight_decay(decay.clone()).build::<f64>().unwrap_err();
        let error = wane::Sgd::new(0.1).group("head", move |s| s.weight_decay(in_group.clone())).build::<f64>().unwrap_err();
        assert_eq!(error, Error::InGroup { group: "head".into(), error: Box::new(expected.clone()) });
        assert_eq!(decay.to_string().parse::<Decay>(), Err(expected), "{decay}");
    }
}

/// Towards the running average there is decoupled L2, in all its units, and its places are one law.
fn what_follows_no_average_is_an_error<T: Element>() {
    let row = optimizer("adam");
    for (cell, _) in
        cells(Is::Kernel).into_iter().chain(cells(Is::Alias)).filter(|(cell, _)| cell.anchors().all(|a| a != AVERAGE))
    {
        let decay = cell.towards(AVERAGE).decay();
        let error = row.try_build::<T>(&row.setup(decay.clone())).unwrap_err();
        let reason = "towards the running average there is decoupled L2";
        assert_eq!(error.to_string(), format!("the decay `{decay}` does not exist: {reason}"));
    }
}

fn both_orders_are_one_law_towards_the_average<T: Element>() {
    for row in OPTIMIZERS {
        let run = |place| {
            let mut opt =
                row.build::<T>(&row.setup(Cell::new(Penalty::L2, place, Strength::LrScaled(0.7)).towards(AVERAGE).decay()));
            let tensors = trained(&mut *opt, &[9, 4], 5);
            bits(row, &*opt, &tensors)
        };
        assert_eq!(run(Place::Decoupled), run(Place::Exact), "{}", row.name);
    }
}

/// No strength is no decay, whatever else is said.
fn none_is_none_in_every_cell<T: Element>() {
    let start = [T::near(1.5), T::near(-0.5)];
    for row in OPTIMIZERS {
        let run = |decay| slice_after(&mut *row.build::<T>(&row.setup(decay)), &start, &[T::near(0.3); 2], 3);
        for penalty in PENALTIES {
            for place in PLACES {
                assert!(
                    run(Decay::new(penalty, place, Strength::None)) == run(Decay::none()),
                    "{} {penalty:?} {place:?}",
                    row.name
                );
            }
        }
    }
}

/// The constructors with the text forms that the documentation gives them.
#[test]
fn every_constructor_is_a_cell() {
    use Penalty::{L1, L2};
    use Place::{Cautious, Coupled, Decoupled, Exact, Exponential, Hyperball, Metric, Proximal, Selective};
    use Strength::{
        Adaptive, Corrected, Cpr, Fixed, HalfLife, Hard, Independent, LrScaled, Normalized, Stable, Timescale, Tuned,
    };
    let (bound, by) = (Kappa::Initial { times: 8.0 }, Tuning::Log(0.5));
    let half = Penalty::ElasticNet { ratio: 0.5 };
    for (decay, cell, text) in [
        (Decay::none(), Decay::new(L2, Decoupled, Strength::None), "none"),
        (Decay::coupled_l2(0.01), Decay::new(L2, Coupled, LrScaled(0.01)), "coupled-l2:0.01"),
        (Decay::coupled_l1(0.01), Decay::new(L1, Coupled, LrScaled(0.01)), "coupled-l1:0.01"),
        (Decay::coupled_elastic_net(0.01, 0.5), Decay::new(half, Coupled, LrScaled(0.01)), "coupled-elastic-net:0.01,0.5"),
        (Decay::decoupled(0.1), Decay::new(L2, Decoupled, LrScaled(0.1)), "decoupled:0.1"),
        (Decay::independent(1e-4), Decay::new(L2, Exact, Independent(1e-4)), "independent:1e-4"),
        (Decay::corrected(0.1), Decay::new(L2, Exact, Corrected(0.1)), "corrected:0.1"),
        (Decay::exact(0.1), Decay::new(L2, Exact, LrScaled(0.1)), "exact:0.1"),
        (Decay::fixed(1e-4), Decay::new(L2, Exact, Fixed(1e-4)), "fixed:1e-4"),
        (Decay::timescale(2000.0), Decay::new(L2, Exact, Timescale(2000.0)), "timescale:2000"),
        (Decay::half_life(500.0), Decay::new(L2, Exact, HalfLife(500.0)), "half-life:500"),
        (
            Decay::normalized(0.025, 1000),
            Decay::new(L2, Exact, Normalized { lambda: 0.025, steps: 1000 }),
            "normalized:0.025,1000",
        ),
        (
            Decay::normalized_restarts(0.025, 1000, 2),
            Decay::normalized(0.025, 1000).schedule(Schedule::restart_steps(1000, 2)),
            "normalized:0.025,1000*restart-steps:1000,2",
        ),
        (
            Decay::log_time(4.0, 100.0),
            Decay::independent(0.04).schedule(Schedule::inverse_time(100.0)),
            "independent:0.04*inverse-time:100",
        ),
        (Decay::exponential(0.1), Decay::new(L2, Exponential, LrScaled(0.1)), "exponential:0.1"),
        (Decay::l1(0.01), Decay::new(L1, Decoupled, LrScaled(0.01)), "l1:0.01"),
        (Decay::elastic_net(0.01, 0.5), Decay::new(half, Decoupled, LrScaled(0.01)), "elastic-net:0.01,0.5"),
        (Decay::cautious(0.1), Decay::new(L2, Cautious, LrScaled(0.1)), "cautious:0.1"),
        (Decay::selective(1.0), Decay::new(L2, Selective, Fixed(1.0)), "fixed-selective:1"),
        (Decay::ada_decay(0.1), Decay::new(L2, ADA, LrScaled(0.1)), "ada-decay:0.1,4"),
        (Decay::metric_l1(0.01), Decay::new(L1, Metric, LrScaled(0.01)), "metric-l1:0.01"),
        (Decay::huber(0.1, 0.05), Decay::new(Penalty::Huber { delta: 0.05 }, Decoupled, LrScaled(0.1)), "huber:0.1,0.05"),
        (Decay::p_norm(0.1, 0.5), Decay::new(Penalty::PNorm { p: 0.5 }, Decoupled, LrScaled(0.1)), "p-norm:0.1,0.5"),
        (Decay::group_lasso(0.01), Decay::new(ROWS, Decoupled, LrScaled(0.01)), "group-lasso:0.01"),
        (Decay::column_lasso(0.01), Decay::new(COLUMNS, Decoupled, LrScaled(0.01)), "column-lasso:0.01"),
        (Decay::tensor_lasso(0.01), Decay::new(WHOLE, Decoupled, LrScaled(0.01)), "tensor-lasso:0.01"),
        (Decay::norm(0.1, 2.0), Decay::new(Penalty::Norm { radius: 2.0 }, Decoupled, LrScaled(0.1)), "norm:0.1,2"),
        (
            Decay::start_norm(0.1, 1.0),
            Decay::new(Penalty::StartNorm { ratio: 1.0 }, Decoupled, LrScaled(0.1)),
            "start-norm:0.1,1",
        ),
        (Decay::hyperball(), Decay::new(Penalty::StartNorm { ratio: 1.0 }, Hyperball, Hard), "hard-hyperball-start-norm:1"),
        (Decay::clip(0.05), Decay::new(Penalty::Box { bound: 0.05 }, Proximal, Hard), "hard-box:0.05"),
        (Decay::clip_to_start(2.0), Decay::new(Penalty::FanBox { factor: 2.0 }, Proximal, Hard), "hard-fan-box:2"),
        (Decay::spectral(0.1), Decay::new(Penalty::Spectral { bound: 0.0 }, Decoupled, LrScaled(0.1)), "spectral:0.1,0"),
        (Decay::spectral_cap(2.0), Decay::new(Penalty::Spectral { bound: 2.0 }, Proximal, Hard), "hard-spectral:2"),
        (Decay::adaptive(0.022), Decay::new(L2, Coupled, Adaptive(0.022)), "adaptive:0.022"),
        (Decay::cpr(bound), Decay::new(L2, Exact, Cpr { mu: 1.0, kappa: bound }), "cpr:1,initial,8"),
        (Decay::stable(5e-4), Decay::new(L2, Exact, Stable(5e-4)), "stable:5e-4"),
        (Decay::tuned(0.1, by), Decay::new(L2, Exact, Tuned { lambda: 0.1, by }), "tuned:0.1,log,0.5"),
    ] {
        assert_eq!(decay, cell);
        assert_eq!(decay.to_string(), text);
        assert_eq!(text.parse(), Ok(decay));
    }
}
