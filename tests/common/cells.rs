//! The list of decays: every cell of penalty × place × units that exists, towards every anchor, and scheduled.

use wane::{Anchor, Decay, Kappa, Penalty, Place, Schedule, Slices, Strength, Tuning, Untouched};

/// A decay, taken apart so that an oracle can read it.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) penalty: Penalty,
    pub(crate) place: Place,
    pub(crate) strength: Strength,
    pub(crate) anchor: Anchor,
    pub(crate) untouched: Untouched,
    pub(crate) ramp: Ramp,
}

/// A schedule, and the same written out by hand.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    pub(crate) schedule: Schedule,
    pub(crate) at: fn(u64) -> f64,
}

impl Ramp {
    pub(crate) fn constant() -> Self {
        Self { schedule: Schedule::constant(), at: |_| 1.0 }
    }

    /// From 1 down to 0.2 in 8 steps.
    pub(crate) fn falling() -> Self {
        Self { schedule: Schedule::linear(1.0, 0.2, 8), at: |k| [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2][k.min(8) as usize] }
    }

    /// 0, 0.5, then 1.
    pub(crate) fn rising() -> Self {
        Self { schedule: Schedule::linear(0.0, 1.0, 2), at: |k| [0.0, 0.5, 1.0][k.min(2) as usize] }
    }

    /// 0 at every step.
    pub(crate) fn nothing() -> Self {
        Self { schedule: Schedule::linear(0.0, 0.0, 1), at: |_| 0.0 }
    }
}

pub(crate) const NET: Penalty = Penalty::ElasticNet { ratio: 0.3 };
pub(crate) const ADA: Place = Place::AdaDecay { alpha: 4.0 };
pub(crate) const HUBER: Penalty = Penalty::Huber { delta: 0.4 };
pub(crate) const ROWS: Penalty = Penalty::GroupLasso { over: Slices::Rows };
pub(crate) const COLUMNS: Penalty = Penalty::GroupLasso { over: Slices::Columns };
pub(crate) const WHOLE: Penalty = Penalty::GroupLasso { over: Slices::Whole };
/// Weights near 0 vanish.
pub(crate) const ROOT: Penalty = Penalty::PNorm { p: 0.5 };
/// In the gradient, too.
pub(crate) const POWER: Penalty = Penalty::PNorm { p: 1.5 };
pub(crate) const NORM: Penalty = Penalty::Norm { radius: 0.9 };
pub(crate) const START_NORM: Penalty = Penalty::StartNorm { ratio: 0.8 };
pub(crate) const BOX: Penalty = Penalty::Box { bound: 0.3 };
pub(crate) const FAN_BOX: Penalty = Penalty::FanBox { factor: 0.5 };
pub(crate) const SPECTRAL: Penalty = Penalty::Spectral { bound: 0.4 };
pub(crate) const PENALTIES: [Penalty; 14] =
    [Penalty::L2, Penalty::L1, NET, HUBER, ROOT, POWER, ROWS, COLUMNS, WHOLE, NORM, START_NORM, BOX, FAN_BOX, SPECTRAL];
pub(crate) const PLACES: [Place; 10] = [
    Place::Coupled,
    Place::Decoupled,
    Place::Exact,
    Place::Exponential,
    Place::Proximal,
    Place::Cautious,
    ADA,
    Place::Selective,
    Place::Metric,
    Place::Hyperball,
];
/// The anchors of every decay.
pub(crate) const ANCHORS: [Anchor; 3] = [Anchor::Origin, Anchor::Start, Anchor::Given];
/// What decoupled L2 may pull towards besides.
pub(crate) const AVERAGE: Anchor = Anchor::Average { beta: 0.8 };

/// The strengths that a penalty in a place takes; the numbers remove a few percent of a weight per step.
fn strengths(penalty: Penalty, place: Place) -> &'static [Strength] {
    use Strength::{Adaptive, Corrected, Fixed, HalfLife, Hard, Independent, LrScaled, Normalized, Timescale};
    const NORMALIZED: Strength = Normalized { lambda: 0.44, steps: 64 };
    match (penalty, place) {
        (NORM | START_NORM, Place::Hyperball) => &[Hard],
        (_, Place::Hyperball) => &[],
        (NORM, Place::Decoupled) => &[LrScaled(0.7), HalfLife(25.0)],
        (NORM, Place::Proximal) => &[LrScaled(0.7), HalfLife(25.0), Hard],
        (START_NORM | BOX | FAN_BOX | SPECTRAL, Place::Decoupled) => &[LrScaled(0.7)],
        (START_NORM | BOX | FAN_BOX | SPECTRAL, Place::Proximal) => &[LrScaled(0.7), Hard],
        (NORM | START_NORM | BOX | FAN_BOX | SPECTRAL, _) => &[],
        (Penalty::L2 | NET | HUBER | ROOT | POWER | Penalty::GroupLasso { .. }, Place::Metric) => &[],
        (ROOT | Penalty::GroupLasso { .. }, Place::Coupled) => &[],
        (Penalty::L2, Place::Coupled) => &[LrScaled(0.3), Adaptive(0.1)],
        (_, Place::Coupled) => &[LrScaled(0.3)],
        (Penalty::L2, _) => {
            &[LrScaled(0.7), Independent(0.03), Corrected(0.8), Fixed(0.02), Timescale(40.0), HalfLife(25.0), NORMALIZED]
        }
        (_, Place::Exact | Place::Exponential | Place::Cautious | Place::AdaDecay { .. } | Place::Selective) => &[],
        _ => &[LrScaled(0.7), Independent(0.03), Corrected(0.8), Fixed(0.02), NORMALIZED],
    }
}

/// All units, with no number in particular.
pub(crate) const STRENGTHS: [Strength; 10] = {
    use Strength::{Adaptive, Corrected, Fixed, HalfLife, Hard, Independent, LrScaled, None, Normalized, Timescale};
    [
        None,
        LrScaled(0.0),
        Independent(0.0),
        Corrected(0.0),
        Fixed(0.0),
        Timescale(0.0),
        HalfLife(0.0),
        Adaptive(0.0),
        Normalized { lambda: 0.0, steps: 4 },
        Hard,
    ]
};

/// The bounds of CPR, with any numbers, and how a strength may be tuned.
pub(crate) const KAPPAS: [Kappa; 4] =
    [Kappa::Constant(0.25), Kappa::Initial { times: 2.0 }, Kappa::WarmStart { steps: 3 }, Kappa::Inflection { every: 2 }];
pub(crate) const TUNINGS: [Tuning; 2] = [Tuning::Log(0.5), Tuning::Linear(0.5)];

/// Strengths that find themselves, beside the adaptive one; they have tests of their own.
pub(crate) fn found() -> Vec<Strength> {
    let cpr = KAPPAS.map(|kappa| [Strength::Cpr { mu: 0.5, kappa }, Strength::AdaCpr { mu: 0.5, kappa }]);
    let tuned = TUNINGS.map(|by| Strength::Tuned { lambda: 0.25, by });
    cpr.into_iter().flatten().chain([Strength::Stable(0.25)]).chain(tuned).collect()
}

/// The same units with another number.
pub(crate) fn with_number(strength: Strength, number: f64) -> Strength {
    match strength {
        Strength::LrScaled(_) => Strength::LrScaled(number),
        Strength::Independent(_) => Strength::Independent(number),
        Strength::Corrected(_) => Strength::Corrected(number),
        Strength::Fixed(_) => Strength::Fixed(number),
        Strength::Timescale(_) => Strength::Timescale(number),
        Strength::HalfLife(_) => Strength::HalfLife(number),
        Strength::Adaptive(_) => Strength::Adaptive(number),
        Strength::Normalized { steps, .. } => Strength::Normalized { lambda: number, steps },
        Strength::Cpr { kappa, .. } => Strength::Cpr { mu: number, kappa },
        Strength::AdaCpr { kappa, .. } => Strength::AdaCpr { mu: number, kappa },
        Strength::Stable(_) => Strength::Stable(number),
        Strength::Tuned { by, .. } => Strength::Tuned { lambda: number, by },
        other => other,
    }
}

/// The number of a strength.
pub(crate) fn number(strength: Strength) -> f64 {
    match strength {
        Strength::LrScaled(x) | Strength::Independent(x) | Strength::Corrected(x) | Strength::Fixed(x) => x,
        Strength::Timescale(x) | Strength::HalfLife(x) | Strength::Adaptive(x) => x,
        Strength::Normalized { lambda, .. } => lambda,
        _ => 0.0,
    }
}

impl Cell {
    pub(crate) fn new(penalty: Penalty, place: Place, strength: Strength) -> Self {
        Self { penalty, place, strength, anchor: Anchor::Origin, untouched: Untouched::Decay, ramp: Ramp::constant() }
    }

    /// All that it may pull towards.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = Anchor> + use<> {
        let follows = matches!((self.penalty, self.place), (Penalty::L2, Place::Decoupled | Place::Exact | Place::Exponential));
        let follows = follows && self.untouched == Untouched::Decay;
        // Where the strength is infinite at 0, nothing would leave the start.
        let holds = matches!(self.penalty, Penalty::PNorm { .. }) && self.place != Place::Coupled;
        let anchors = if self.place == Place::Hyperball { &ANCHORS[..1] } else { &ANCHORS };
        let anchors = anchors.iter().copied().filter(move |anchor| !holds || *anchor != Anchor::Start);
        anchors.chain(follows.then_some(AVERAGE))
    }

    /// Is there such a decay towards an anchor?
    pub(crate) fn has_anchors(&self) -> bool {
        self.anchors().count() > 1
    }

    pub(crate) fn towards(&self, anchor: Anchor) -> Self {
        Self { anchor, ..self.clone() }
    }

    pub(crate) fn scheduled(&self, ramp: Ramp) -> Self {
        Self { ramp, ..self.clone() }
    }

    pub(crate) fn decay(&self) -> Decay {
        Decay::new(self.penalty, self.place, self.strength)
            .towards(self.anchor)
            .untouched(self.untouched)
            .schedule(self.ramp.schedule.clone())
    }

    /// The same cell with the number 0, where its units allow that.
    pub(crate) fn weightless(&self) -> Option<Self> {
        let has_no_0 = matches!(self.strength, Strength::None | Strength::Timescale(_) | Strength::HalfLife(_) | Strength::Hard);
        (!has_no_0).then(|| Self { strength: with_number(self.strength, 0.0), ..self.clone() })
    }

    /// Does it look at norms over all parameters?
    pub(crate) fn joins_parameters(&self) -> bool {
        matches!(self.strength, Strength::Adaptive(_))
    }

    /// Does the decay of a weight depend on others?
    pub(crate) fn joins_weights(&self) -> bool {
        let by_norm = matches!(self.penalty, Penalty::GroupLasso { .. } | NORM | START_NORM | SPECTRAL);
        self.joins_parameters() || matches!(self.place, Place::AdaDecay { .. } | Place::Selective) || by_norm
    }

    /// Is it a pull to a set?
    pub(crate) fn is_to_a_set(&self) -> bool {
        use Penalty::{Box, FanBox, Norm, Spectral, StartNorm};
        matches!(self.penalty, Norm { .. } | StartNorm { .. } | Box { .. } | FanBox { .. } | Spectral { .. })
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.ramp.schedule != Schedule::constant()
    }

    /// Strengths of the L1 and the L2 part of an amount.
    pub(crate) fn parts(&self, amount: f64) -> [f64; 2] {
        match self.penalty {
            Penalty::L1 | Penalty::Huber { .. } | Penalty::PNorm { .. } | Penalty::GroupLasso { .. } => [amount, 0.0],
            Penalty::ElasticNet { ratio } => [amount * ratio, amount * (1.0 - ratio)],
            _ => [0.0, amount],
        }
    }
}

/// One cell for each penalty, place and strength.
pub(crate) fn plain() -> Vec<Cell> {
    let mut cells = vec![Cell::new(Penalty::L2, Place::Decoupled, Strength::None)];
    for penalty in PENALTIES {
        for place in PLACES {
            cells.extend(strengths(penalty, place).iter().map(|&strength| Cell::new(penalty, place, strength)));
        }
    }
    cells
}

/// Cells that look out for rows without gradients.
fn by_rows() -> impl Iterator<Item = Cell> {
    let rows = |place, untouched| Cell { untouched, ..Cell::new(Penalty::L2, place, Strength::LrScaled(0.7)) };
    let places = [Place::Decoupled, Place::Exact];
    places.into_iter().flat_map(move |place| [Untouched::Stay, Untouched::CatchUp].map(|untouched| rows(place, untouched)))
}

/// All of them: every plain cell towards every anchor that it takes, and scheduled.
pub(crate) fn all() -> Vec<Cell> {
    let plain: Vec<_> = plain().into_iter().chain(by_rows()).collect();
    let anchored: Vec<_> = plain.iter().flat_map(|cell| cell.anchors().map(|anchor| cell.towards(anchor))).collect();
    // The running average rests where the schedule is at 0.
    let follows = anchored.iter().filter(|cell| cell.anchor == AVERAGE);
    let scheduled: Vec<_> = plain.iter().chain(follows).map(|cell| cell.scheduled(Ramp::rising())).collect();
    [anchored, scheduled].concat()
}

/// One cell for each loop that there is: penalty and place, with and without an anchor, the adaptive one, and the running average.
pub(crate) fn loops() -> Vec<Cell> {
    let one =
        |cell: &Cell| matches!(cell.strength, Strength::LrScaled(_) | Strength::Adaptive(_) | Strength::None | Strength::Hard);
    let plain: Vec<_> = plain().into_iter().filter(one).chain(by_rows()).collect();
    let follows = Cell::new(Penalty::L2, Place::Decoupled, Strength::LrScaled(0.7)).towards(AVERAGE);
    let anchored = plain.iter().filter(|cell| cell.anchors().any(|a| a == Anchor::Given));
    plain.iter().cloned().chain(anchored.map(|cell| cell.towards(Anchor::Given))).chain([follows]).collect()
}
