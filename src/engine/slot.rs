//! The memory of one parameter, and what a step works out for it.

#![expect(clippy::indexing_slicing, reason = "both shapes multiply to the lengths of their columns")]

use std::fmt;

use super::foresight::Ceiling;
use super::group::Member;
use super::hyperparameters::Options;
use super::state::State;
use crate::decay::AnyLaw;
use crate::error::{Error, MAX_RANK, Result};
use crate::float::{Float, Real};
use crate::kernel::SquareSum;
use crate::kernel::column::{Extent, Matrices};
use crate::param::{Param, ParamInfo, Shape};
use crate::report::Status;
use crate::state::{self, ParameterState};

/// Numbers of state below this are far from overflow, whatever a state says of where they come from.
const ORDINARY: f64 = 1e15;

/// What is kept for one parameter.
#[derive(Clone)]
pub(crate) struct Slot<T> {
    pub(crate) name: Box<str>,
    pub(crate) len: usize,
    pub(crate) shape: Option<Shape>,
    pub(crate) group: usize,
    /// The parameter's own updates.
    pub(crate) t: u64,
    pub(crate) status: Status,
    /// Which of the optimizer's ended steps was the last one that it was in.
    pub(crate) seen: u64,
    pub(crate) state: State<T>,
    /// What the decay keeps, such as the weights that it pulls towards, once they are captured.
    pub(crate) memory: State<T>,
    /// Bounds on what the parameter holds.
    pub(crate) ceiling: Ceiling,
    /// How many names were there before this one.
    pub(crate) born: usize,
    /// Whether it is not yet part of an ended step or a registration.
    pub(crate) fresh: bool,
    /// Whether it has come with a state, and no step has been given its parameter yet.
    pub(crate) waits: bool,
    /// Whether its numbers have come with a state, and no step has gone well with them yet.
    pub(crate) doubted: bool,
    /// What is worked out for the present step.
    pub(crate) step: OfStep<T>,
}

/// Prints everything but the memory itself, which may be gigabytes.
impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, len, shape, group, t, status, .. } = self;
        write!(f, "Slot({name}, {len} weights, {shape:?}, group {group}, {t} updates, {status:?})")
    }
}

/// What a step works out for one parameter before it writes anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfStep<T> {
    pub(crate) status: Status,
    /// Σg² of the gradient as given.
    pub(crate) squares: SquareSum,
    /// The first chunk of the gradient, among all of the step.
    pub(crate) chunk: usize,
    /// Where the group's plan holds the scalars.
    pub(crate) scalars: usize,
    /// A factor on the learning rate, 1 unless the parameter was looked at as a whole.
    pub(crate) rate: f64,
    /// The law, where it is not the group's.
    pub(crate) law: Option<AnyLaw<T>>,
    /// The longest displacement, where a norm is looked at.
    pub(crate) displacement: f64,
    /// The norm of the gradient as given, where it was looked at.
    pub(crate) norm: f64,
    /// The norm of a lent anchor.
    pub(crate) lent: f64,
    /// The sum of the second moments, where they were looked at.
    pub(crate) moments: SquareSum,
    /// The bounds after this step.
    pub(crate) ceiling: Ceiling,
    /// Whether the anchor was captured for this step.
    pub(crate) captured: bool,
}

impl<T: Float> Slot<T> {
    pub(crate) fn new(of: &ParamInfo<'_>, group: usize, Member { options, decay, .. }: &Member, born: usize) -> Self {
        let shape = of.shape().map(Shape::new);
        let matrices = matrices(&shape, of.len());
        let ceiling = Ceiling::default();
        let step = OfStep {
            status: Status::Registered,
            squares: SquareSum::default(),
            chunk: 0,
            scalars: 0,
            rate: 1.0,
            law: None,
            displacement: 0.0,
            norm: 0.0,
            lent: 0.0,
            moments: SquareSum::default(),
            ceiling,
            captured: false,
        };
        Self {
            name: of.name().into(),
            len: of.len(),
            shape,
            group,
            t: 0,
            status: Status::Registered,
            seen: 0,
            state: State::new(options, matrices),
            memory: State::of_decay(decay, matrices),
            ceiling,
            born,
            fresh: false,
            waits: false,
            doubted: false,
            step,
        }
    }

    /// Returns whether its columns hold something. Numbers that were put back are there before the
    /// first update.
    pub(crate) fn has_state(&self) -> bool {
        self.t > 0 || self.ceiling.gradient == f64::INFINITY
    }

    /// Returns how many numbers a step reads and writes, roughly: 32 bits may not hold them.
    pub(crate) fn numbers(&self) -> usize {
        self.len.saturating_mul(3 + 2 * self.state.columns.len())
    }

    pub(crate) fn is_active(&self) -> bool {
        self.step.status == Status::Updated
    }

    /// Checks that this parameter has the length and shape that it had before, and that its
    /// gradient and anchor fit.
    pub(crate) fn check(&self, param: &Param<'_, T>) -> Result<()> {
        let name = || param.name.to_string();
        let len = param.value.len();
        check_lengths(param)?;
        if len != self.len {
            return Err(Error::LengthChanged { name: name(), known: self.len, found: len });
        }
        match &param.shape {
            Some(found) if param.shape != self.shape => {
                check_shape(param)?;
                let known = self.shape.map(|shape| shape.axes().into());
                Err(Error::ShapeChanged { name: name(), known, found: found.axes().into() })
            }
            _ => check_mask(param, self.shape.as_ref()),
        }
    }
}

/// Checks that gradient and anchor are as long as the weights.
fn check_lengths<T: Float>(param: &Param<'_, T>) -> Result<()> {
    let len = param.value.len();
    if let Some(grad) = param.grad
        && grad.len() != len
    {
        return Err(Error::GradientLength { name: param.name.into(), weights: len, gradients: grad.len() });
    }
    if let Some(anchor) = param.anchor
        && anchor.len() != len
    {
        return Err(Error::AnchorLength { name: param.name.into(), weights: len, anchor: anchor.len() });
    }
    Ok(())
}

/// Checks that a mask has a flag for each weight, or for each row of this shape.
fn check_mask<T: Float>(param: &Param<'_, T>, shape: Option<&Shape>) -> Result<()> {
    let Some(mask) = param.undecayed.map(<[bool]>::len) else { return Ok(()) };
    let (weights, rows) = (param.value.len(), shape.map(|shape| shape.axes().first().copied().unwrap_or(1)));
    if mask == weights || Some(mask) == rows {
        return Ok(());
    }
    Err(Error::MaskLength { name: param.name.into(), mask, weights, rows })
}

/// Checks that the shape has no more axes than are kept, and multiplies to the length.
pub(crate) fn check_shape<T: Float>(param: &Param<'_, T>) -> Result<()> {
    let Some(shape) = &param.shape else { return Ok(()) };
    let name = param.name.to_string();
    if shape.rank() > MAX_RANK {
        return Err(Error::RankTooHigh { name, rank: shape.rank() });
    }
    if shape.len() != Some(param.value.len()) {
        return Err(Error::ShapeLength { name, shape: shape.axes().into(), len: param.value.len() });
    }
    Ok(())
}

/// Checks that the parameter is one that its optimizer can update.
pub(crate) fn check_kind(of: &ParamInfo<'_>, options: &Options) -> Result<()> {
    match options.any().refuses(of.shape().map_or(Matrices::of(&[of.len()]), Matrices::of)) {
        Some(needs) => {
            let found = of.shape().map(Into::into);
            Err(Error::ShapeRefused { name: of.name().into(), found, by: "optimizer", needs })
        }
        None => Ok(()),
    }
}

impl<T> Slot<T> {
    /// Ends a step: what was decided is now what became of the parameter.
    pub(crate) fn end(&mut self, ended: u64) {
        self.status = self.step.status;
        self.seen = ended;
        self.keep();
    }

    /// Keeps what the decay has captured.
    pub(crate) fn keep(&mut self) {
        self.step.captured = false;
        self.memory.keep();
    }

    /// Drops the anchor that a failed step has captured.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.step.captured) {
            self.memory.clear();
        }
    }
}

impl<T: Real> Slot<T> {
    /// Makes the columns of a parameter before its first update, and captures what its decay keeps
    /// if that is not there.
    #[inline]
    pub(crate) fn prepare(&mut self, value: &[T]) {
        if self.memory.is_missing() {
            self.capture(value);
            self.step.captured = true;
        }
        if self.is_active() {
            self.state.prepare(value);
            self.memory.make_room();
            self.memory.unsettle();
        }
    }

    /// Takes a state: the columns that are those of the group's optimizer and decay. What does not fit
    /// starts anew.
    pub(crate) fn take(&mut self, from: ParameterState<'_>, group: usize, Member { options, decay, .. }: &Member) {
        self.shape = self.shape.or(from.shape.as_deref().map(Shape::new));
        let matrices = matrices(&self.shape, self.len);
        (self.state, self.memory) = (State::new(options, matrices), State::of_decay(decay, matrices));
        let (mut columns, mut kept) = (Vec::with_capacity(from.columns.len()), Vec::new());
        for state::Column { name, numbers } in from.columns {
            let Some(numbers) = numbers.take::<T>() else { continue };
            let found = (&*name, numbers.len());
            if let Some((name, _)) = self.memory.lengths().find(|known| *known == found) {
                kept.push((name, numbers));
            } else if let Some((name, _)) = self.state.lengths().find(|known| *known == found) {
                columns.push((name, numbers));
            }
        }
        self.state.take(columns);
        self.memory.take(kept);
        // Numbers without a step, or with no bound that could be one, are of unknown origin.
        let gradient = match from.gradient_bound.filter(|bound| (0.0..f64::INFINITY).contains(bound)) {
            Some(bound) if self.state.numbers.is_empty() => bound,
            None if self.state.columns.is_empty() || self.state.numbers.is_empty() && from.steps == 0 => 0.0,
            Some(bound) if from.steps > 0 && self.state.largest() < ORDINARY => bound,
            Some(bound) if from.steps > 0 => bound.max(self.state.largest_gradient()),
            _ => f64::INFINITY,
        };
        self.ceiling = Ceiling { gradient, ..Ceiling::default() };
        self.doubted = !self.state.numbers.is_empty() || self.memory.keeps();
        (self.group, self.t, self.status) = (group, from.steps, Status::Registered);
    }

    /// Captures what the decay keeps of these weights.
    pub(crate) fn capture(&mut self, value: &[T]) {
        self.memory.capture(value);
        self.ceiling.weight = f64::INFINITY;
    }

    /// Moves the parameter into another group, of these settings. Columns that both have are kept,
    /// others start anew.
    pub(crate) fn regroup(&mut self, group: usize, Member { options, decay, .. }: &Member) {
        let of = self.state.of;
        self.state = State::new(options, of).inheriting(&self.state);
        self.memory = State::of_decay(decay, of).inheriting(&self.memory);
        self.ceiling.weight = f64::INFINITY;
        self.group = group;
    }

    /// Gives the parameter the length and shape of `param`. State and anchor are kept where both
    /// have an element; the state of new elements starts anew, and their anchor is their weights.
    pub(crate) fn resize(&mut self, param: &Param<'_, T>, Member { options, decay, .. }: &Member) -> Result<()> {
        check_lengths(param)?;
        check_shape(param)?;
        check_mask(param, param.shape.as_ref())?;
        let axes = |shape: &Option<Shape>, len| shape.as_ref().map_or(vec![len], |shape| shape.axes().to_vec());
        let (old, new) = (axes(&self.shape, self.len), axes(&param.shape, param.value.len()));
        if old.len() != new.len() || self.shape.is_some() != param.shape.is_some() {
            let [known, found] = [&self.shape, &param.shape].map(|shape| shape.map(|shape| shape.axes().into()));
            return Err(Error::AxesChanged { name: param.name.into(), known, found });
        }
        let of = matrices(&param.shape, param.value.len());
        self.state = resized(&self.state, State::new(options, of), [&old, &new], param.value);
        self.memory = resized(&self.memory, State::of_decay(decay, of), [&old, &new], param.value);
        self.ceiling.weight = f64::INFINITY;
        (self.len, self.shape) = (param.value.len(), param.shape);
        Ok(())
    }
}

/// Returns columns of a parameter with other axes, with the old numbers where both have an element.
fn resized<T: Real>(old: &State<T>, mut new: State<T>, [before, after]: [&[usize]; 2], value: &[T]) -> State<T> {
    if !old.is_empty() {
        new.begin(value);
        for column in old.columns.clone() {
            if let (Some(from), Some(to)) = (old.get(column.name), new.get_mut(column.name)) {
                copy_common(&column_axes(before, column.extent), &column_axes(after, column.extent), from, to);
            }
        }
    }
    new
}

/// Returns the axes of a column of a parameter of these axes.
fn column_axes(axes: &[usize], extent: Extent) -> Vec<usize> {
    // Nothing is kept for rows without columns either; and the product of the others may not fit.
    let mut axes = if axes.contains(&0) { vec![0; axes.len()] } else { axes.to_vec() };
    match extent {
        Extent::Weights => {}
        Extent::Rows => drop(axes.pop()),
        Extent::Columns if axes.len() > 1 => drop(axes.remove(axes.len() - 2)),
        Extent::Columns => {}
        Extent::First => axes.truncate(1),
        Extent::Second => axes = axes.get(1..2).unwrap_or_default().to_vec(),
        Extent::One => axes.clear(),
    }
    axes
}

fn matrices(shape: &Option<Shape>, len: usize) -> Matrices {
    shape.as_ref().map_or(Matrices::of(&[len]), |shape| Matrices::of(shape.axes()))
}

/// Copies the elements that arrays of both shapes have, row-major, from one to the other.
fn copy_common<T: Copy>(old: &[usize], new: &[usize], from: &[T], to: &mut [T]) {
    let (Some((&rows, old)), Some((&new_rows, new))) = (old.split_first(), new.split_first()) else {
        return to.copy_from_slice(from);
    };
    let (width, new_width): (usize, usize) = (old.iter().product(), new.iter().product());
    for i in 0..rows.min(new_rows) {
        copy_common(old, new, &from[i * width..][..width], &mut to[i * new_width..][..new_width]);
    }
}
