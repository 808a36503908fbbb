//! The memory of one parameter, and what a step works out for it.

use std::fmt;

use super::foresight::Ceiling;
use super::formula::{Kept, MAX_KEPT, Options};
use crate::decay::AnyLaw;
use crate::error::{Error, MAX_RANK, Result};
use crate::float::{Float, Real};
use crate::kernel::SquareSum;
use crate::kernel::column::{Column, Extent, MAX_COLUMNS, Matrices, Short, Start};
use crate::param::{Param, Shape};
use crate::report::Status;

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
    /// The weights that the decay pulls towards, once they are captured.
    pub(crate) anchor: Vec<T>,
    /// What a law has worked out for each row.
    pub(crate) rows: Vec<T>,
    /// Bounds on what the parameter holds.
    pub(crate) ceiling: Ceiling,
    /// How many names were there before this one.
    pub(crate) born: usize,
    /// Whether it is not yet part of an ended step or a registration.
    pub(crate) fresh: bool,
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
    /// The bounds after this step.
    pub(crate) ceiling: Ceiling,
    /// Whether the anchor was captured for this step.
    pub(crate) captured: bool,
}

impl<T: Float> Slot<T> {
    pub(crate) fn new(param: &Param<'_, T>, group: usize, formula: &Options, born: usize) -> Self {
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
            ceiling,
            captured: false,
        };
        Self {
            name: param.name.into(),
            len: param.value.len(),
            shape: param.shape,
            group,
            t: 0,
            status: Status::Registered,
            seen: 0,
            state: State::new(formula, matrices(&param.shape, param.value.len())),
            anchor: Vec::new(),
            rows: Vec::new(),
            ceiling,
            born,
            fresh: true,
            step,
        }
    }

    /// Returns how many numbers a step reads and writes.
    pub(crate) fn numbers(&self) -> usize {
        self.len * (3 + 2 * self.state.columns.len())
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
            _ => Ok(()),
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
pub(crate) fn check_kind<T: Float>(param: &Param<'_, T>, formula: &Options) -> Result<()> {
    match formula.any().refuses(matrices(&param.shape, param.value.len())) {
        Some(needs) => {
            let found = param.shape.map(|shape| shape.axes().into());
            Err(Error::ShapeRefused { name: param.name.into(), found, needs })
        }
        None => Ok(()),
    }
}

impl<T> Slot<T> {
    /// Ends a step: what was decided is now what became of the parameter.
    pub(crate) fn end(&mut self, ended: u64) {
        self.status = self.step.status;
        self.seen = ended;
        self.step.captured = false;
    }

    /// Keeps an anchor that was captured without a step.
    pub(crate) fn keep(&mut self) {
        self.step.captured = false;
    }

    /// Drops the anchor that a failed step has captured.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.step.captured) {
            self.anchor.clear();
        }
    }
}

impl<T: Real> Slot<T> {
    /// Makes the columns of a parameter before its first update, and captures its anchor if
    /// it is not there.
    #[inline]
    pub(crate) fn prepare(&mut self, captures: bool, value: &[T]) {
        if captures && self.anchor.is_empty() {
            self.capture(value);
            self.step.captured = true;
        }
        if self.is_active() && self.state.is_missing() {
            self.state.begin(value);
        }
    }

    /// Captures these weights as the anchor that the decay pulls towards.
    pub(crate) fn capture(&mut self, value: &[T]) {
        self.anchor.clear();
        self.anchor.extend_from_slice(value);
        self.ceiling.weight = f64::INFINITY;
    }

    /// Moves the parameter into another group, of this formula. Columns that both formulas have are
    /// kept, others start anew. A column that starts from the weights starts from 0 here, where the
    /// weights are not known.
    pub(crate) fn regroup(&mut self, group: usize, formula: &Options) {
        let mut state = State::new(formula, self.state.of);
        if !self.state.numbers.is_empty() {
            state.begin(&vec![T::zero(); self.len]);
            for column in self.state.columns.clone() {
                if let (Some(old), Some(new)) = (self.state.get(column.name), state.get_mut(column.name))
                    && old.len() == new.len()
                {
                    new.copy_from_slice(old);
                }
            }
        }
        self.state = state;
        self.ceiling.weight = f64::INFINITY;
        self.group = group;
    }

    /// Gives the parameter the length and shape of `param`. State and anchor are kept where both
    /// have an element; the state of new elements starts anew, and their anchor is their weights.
    pub(crate) fn resize(&mut self, param: &Param<'_, T>, formula: &Options) -> Result<()> {
        check_lengths(param)?;
        check_shape(param)?;
        let axes = |shape: &Option<Shape>, len| shape.as_ref().map_or(vec![len], |shape| shape.axes().to_vec());
        let (old, new) = (axes(&self.shape, self.len), axes(&param.shape, param.value.len()));
        if old.len() != new.len() || self.shape.is_some() != param.shape.is_some() {
            let [known, found] = [&self.shape, &param.shape].map(|shape| shape.map(|shape| shape.axes().into()));
            return Err(Error::AxesChanged { name: param.name.into(), known, found });
        }
        let mut state = State::new(formula, matrices(&param.shape, param.value.len()));
        if !self.state.numbers.is_empty() {
            state.begin(param.value);
            for column in self.state.columns.clone() {
                if let (Some(from), Some(to)) = (self.state.get(column.name), state.get_mut(column.name)) {
                    copy_common(&column_axes(&old, column.extent), &column_axes(&new, column.extent), from, to);
                }
            }
        }
        if !self.anchor.is_empty() {
            let mut anchor = param.value.to_vec();
            copy_common(&old, &new, &self.anchor, &mut anchor);
            self.capture(&anchor);
        }
        self.ceiling.weight = f64::INFINITY;
        (self.state, self.len, self.shape) = (state, param.value.len(), param.shape);
        Ok(())
    }
}

/// Returns the axes of a column of a parameter of these axes.
fn column_axes(axes: &[usize], extent: Extent) -> Vec<usize> {
    // Nothing is kept for rows without columns either.
    let mut axes = if axes.contains(&0) { vec![0; axes.len()] } else { axes.to_vec() };
    match extent {
        Extent::Weights => {}
        Extent::Rows => drop(axes.pop()),
        Extent::Columns if axes.len() > 1 => drop(axes.remove(axes.len() - 2)),
        Extent::Columns => {}
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

/// Checks that the numbers of a column are finite.
pub(crate) fn check_finite<T: Float>(parameter: &str, column: &str, values: &[T]) -> Result<()> {
    match values.iter().position(|value| !value.widen().is_finite()) {
        Some(index) => {
            let value = values[index].widen();
            Err(Error::NonFiniteState { name: parameter.into(), column: column.into(), index, value })
        }
        None => Ok(()),
    }
}

/// The rule's columns of one parameter.
#[derive(Clone, Debug)]
pub(crate) struct State<T> {
    pub(crate) columns: Vec<Column>,
    /// How many of them have a number for each weight; they are the first.
    full: usize,
    pub(crate) of: Matrices,
    /// All numbers, column after column; empty before the first gradient.
    pub(crate) numbers: Vec<T>,
    /// What the shorter columns will be after this step.
    pub(crate) next: Vec<T>,
    /// Columns of this step only.
    pub(crate) work: Vec<T>,
    work_extents: Vec<Extent>,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self::hollow(Matrices::of(&[0]))
    }
}

impl<T> State<T> {
    /// Returns a state without columns.
    pub(crate) fn hollow(of: Matrices) -> Self {
        let (columns, numbers, next, work, work_extents) = Default::default();
        Self { columns, full: 0, of, numbers, next, work, work_extents }
    }
}

impl<T: Float> State<T> {
    pub(crate) fn new(formula: &Options, of: Matrices) -> Self {
        let columns = formula.any().columns(of);
        let full = columns.iter().take_while(|column| column.extent == Extent::Weights).count();
        let (numbers, next, work) = Default::default();
        Self { columns, full, of, numbers, next, work, work_extents: formula.any().work(of) }
    }

    /// Returns the place of a column among the numbers.
    fn range(&self, name: &str) -> Option<std::ops::Range<usize>> {
        let mut start = 0;
        for column in &self.columns {
            let end = start + self.of.len(column.extent);
            if column.name == name {
                return Some(start..end);
            }
            start = end;
        }
        None
    }

    /// Returns a column, if it is there yet.
    pub(crate) fn get(&self, name: &str) -> Option<&[T]> {
        self.numbers.get(self.range(name)?)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut [T]> {
        let range = self.range(name)?;
        self.numbers.get_mut(range)
    }

    /// Puts the numbers of a column back.
    pub(crate) fn restore(&mut self, parameter: &str, column: &str, values: &[T]) -> Result<()> {
        let name = || parameter.to_string();
        let range = self.range(column).filter(|range| range.len() == values.len()).ok_or_else(|| {
            let known = self.columns.iter().map(|column| format!("`{}` ({})", column.name, self.of.len(column.extent)));
            let known = known.collect::<Vec<_>>().join(", ");
            Error::NoSuchColumn { name: name(), column: column.into(), found: values.len(), known }
        })?;
        check_finite(parameter, column, values)?;
        if self.is_missing() {
            self.begin(&vec![T::default(); self.of.len(Extent::Weights)]);
        }
        self.numbers[range].copy_from_slice(values);
        Ok(())
    }

    /// Returns whether there are columns with fewer numbers than weights.
    #[inline]
    pub(crate) fn keeps(&self) -> bool {
        self.columns.len() > self.full
    }

    /// Returns whether there are columns that have not been made yet.
    fn is_missing(&self) -> bool {
        self.numbers.is_empty() && !self.columns.is_empty()
    }

    /// Makes all columns, as they start.
    fn begin(&mut self, value: &[T]) {
        let mut numbers = Vec::with_capacity(self.columns.iter().map(|column| self.of.len(column.extent)).sum());
        for column in &self.columns {
            match column.start {
                Start::Value(start) => numbers.resize(numbers.len() + self.of.len(column.extent), T::of(start)),
                Start::Weights => numbers.extend_from_slice(value),
            }
        }
        self.next = numbers[self.full * value.len()..].to_vec();
        self.work = vec![T::default(); self.work_extents.iter().map(|&extent| self.of.len(extent)).sum()];
        self.numbers = numbers;
    }

    /// Returns the numbers that are kept beside the columns: those of length one.
    pub(crate) fn kept(&self) -> Kept<T>
    where
        T: Real,
    {
        let mut kept = [T::zero(); MAX_KEPT];
        if self.keeps() {
            let ones = self.columns.iter().filter(|column| column.extent == Extent::One);
            for (kept, column) in kept.iter_mut().zip(ones) {
                *kept = match (self.get(column.name), column.start) {
                    (Some(numbers), _) => numbers[0],
                    (None, Start::Value(start)) => T::of(start),
                    (None, Start::Weights) => T::zero(),
                };
            }
        }
        kept
    }

    /// Returns the columns as a rule reads them: those with a number for each weight, those of this
    /// step only that have one too, and behind them the shorter ones of this step.
    #[inline]
    pub(crate) fn cells(&mut self) -> ([&mut [T]; MAX_COLUMNS], Short<'_, T>) {
        let Self { full, of, numbers, work, work_extents, .. } = self;
        let n = of.len(Extent::Weights);
        let mut cells = each(numbers, *full, n);
        match **work_extents {
            [] => (cells, Short::default()),
            [Extent::Weights] => {
                cells[*full] = work;
                (cells, Short::default())
            }
            _ => (cells, Short { numbers: work, extents: work_extents, of: *of }),
        }
    }

    /// Returns the columns of state with a number for each weight.
    #[inline(always)]
    pub(crate) fn full_columns(&mut self) -> [&mut [T]; MAX_COLUMNS] {
        each(&mut self.numbers, self.full, self.of.len(Extent::Weights))
    }

    /// Returns the columns with a number for each weight, the shorter ones as they will be, and
    /// those of this step only, so that the latter two can be worked out.
    pub(crate) fn parts(&mut self) -> ([&mut [T]; MAX_COLUMNS], &mut [T], &mut [T]) {
        let Self { full, of, numbers, next, work, .. } = self;
        let n = of.len(Extent::Weights);
        let (numbers, short) = numbers.split_at_mut(*full * n);
        next.copy_from_slice(short);
        (each(numbers, *full, n), next, work)
    }

    /// Writes what the shorter columns were to be into the state.
    pub(crate) fn settle(&mut self) {
        let n = self.full * self.of.len(Extent::Weights);
        self.numbers[n..].copy_from_slice(&self.next);
    }

    /// Writes what a step that has been taken leaves in the shorter columns, those of length
    /// one from `kept`.
    #[inline]
    pub(crate) fn commit(&mut self, kept: impl FnOnce() -> Kept<T>) {
        if self.keeps() {
            self.commit_short(&kept());
        }
    }

    fn commit_short(&mut self, kept: &Kept<T>) {
        self.settle();
        let (mut at, mut kept) = (self.full * self.of.len(Extent::Weights), kept.iter());
        for column in &self.columns[self.full..] {
            if column.extent == Extent::One {
                self.numbers[at] = *kept.next().expect("no formula keeps more");
            }
            at += self.of.len(column.extent);
        }
    }
}

/// Returns the first columns, of n numbers each.
#[inline(always)]
fn each<T>(numbers: &mut [T], full: usize, n: usize) -> [&mut [T]; MAX_COLUMNS] {
    let mut cells: [&mut [T]; MAX_COLUMNS] = Default::default();
    let mut rest = numbers;
    for column in &mut cells[..full] {
        *column = rest.split_off_mut(..n).expect("a slot's state holds its rule's columns");
    }
    cells
}
