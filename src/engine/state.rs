//! The columns that a rule or a law keeps of one parameter: what there is of them, and how it gets them.

#![expect(
    clippy::indexing_slicing,
    reason = "columns follow each other as their extents say, and a slot has numbers for all or none"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::hyperparameters::{Kept, MAX_KEPT, Options};
use crate::decay::Decay;
use crate::error::{Error, Result};
use crate::float::{Float, Real};
use crate::kernel::column::{Column, Extent, MAX_COLUMNS, Matrices, Short};

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

/// The columns of one parameter, a rule's or a law's.
#[derive(Debug)]
pub(crate) struct State<T> {
    pub(crate) columns: Vec<Column>,
    /// How many of them have a number for each weight; they are the first.
    full: usize,
    pub(crate) of: Matrices,
    /// All numbers, column after column; empty before the first gradient.
    pub(crate) numbers: Vec<T>,
    /// Columns that came before the weights, from which others start: all are made once these are seen. They stay
    /// until then, and until that step has gone well.
    early: BTreeMap<&'static str, Vec<T>>,
    /// What the shorter columns will be after this step.
    pub(crate) next: Vec<T>,
    /// Columns of this step only.
    pub(crate) work: Vec<T>,
    work_extents: Vec<Extent>,
}

impl<T: Clone> Clone for State<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::hollow(self.of);
        copy.clone_from(self);
        copy
    }

    /// Takes the numbers into the memory that is there, so that a rehearsal need not allocate.
    fn clone_from(&mut self, from: &Self) {
        let Self { columns, full, of, numbers, early, next, work, work_extents } = from;
        (self.full, self.of) = (*full, *of);
        self.columns.clone_from(columns);
        self.numbers.clone_from(numbers);
        self.early.clone_from(early);
        self.next.clone_from(next);
        self.work.clone_from(work);
        self.work_extents.clone_from(work_extents);
    }
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self::hollow(Matrices::of(&[0]))
    }
}

impl<T> State<T> {
    /// Returns a state without columns.
    pub(crate) fn hollow(of: Matrices) -> Self {
        let (columns, numbers, early, next, work, work_extents) = Default::default();
        Self { columns, full: 0, of, numbers, early, next, work, work_extents }
    }

    /// Drops all numbers that a step has made.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
    }

    /// Keeps all numbers that a step has made.
    pub(crate) fn keep(&mut self) {
        self.early.clear();
    }

    /// Returns whether it holds no numbers.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.early.is_empty()
    }
}

impl<T: Float> State<T> {
    /// Returns what a rule of these options keeps.
    pub(crate) fn new(options: &Options, of: Matrices) -> Self {
        Self::with(options.any().columns(of), options.any().work(of), of)
    }

    /// Returns what a decay keeps.
    pub(crate) fn of_decay(decay: &Decay, of: Matrices) -> Self {
        Self::with(decay.columns(), decay.work(), of)
    }

    fn with(columns: Vec<Column>, work_extents: Vec<Extent>, of: Matrices) -> Self {
        let full = columns.iter().take_while(|column| column.extent == Extent::Weights).count();
        let (numbers, early, next, work) = Default::default();
        Self { columns, full, of, numbers, early, next, work, work_extents }
    }

    /// Takes the numbers of the columns that both have. Where there are none, all columns are made in
    /// the next step.
    pub(crate) fn inheriting(mut self, old: &Self) -> Self
    where
        T: Real,
    {
        let of_both = self.lengths().filter_map(|(name, len)| Some((name, old.get(name).filter(|old| old.len() == len)?.into())));
        let of_both: Vec<(_, Cow<'_, _>)> = of_both.collect();
        self.adopt(&of_both);
        self
    }

    /// Returns whether there is a column of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// Returns the first column, if it is there and has a number for each weight.
    pub(crate) fn first(&self) -> Option<&[T]> {
        self.numbers.get(..self.of.len(Extent::Weights)).filter(|_| self.full > 0)
    }

    /// Returns the place of a column among the numbers.
    fn range(&self, name: &str) -> Option<Range<usize>> {
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
        self.numbers.get(self.range(name)?).or_else(|| self.early.get(name).map(Vec::as_slice))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut [T]> {
        let range = self.range(name)?;
        self.numbers.get_mut(range).or_else(|| self.early.get_mut(name).map(Vec::as_mut_slice))
    }

    /// Puts the numbers of a column back.
    pub(crate) fn restore(&mut self, parameter: &str, column: &str, values: &[T]) -> Result<()>
    where
        T: Real,
    {
        let found = self.lengths().find(|found| *found == (column, values.len()));
        let (name, _) = found.ok_or_else(|| self.no_such(parameter, column, values.len()))?;
        check_finite(parameter, column, values)?;
        self.adopt(&[(name, values.into())]);
        Ok(())
    }

    /// Says that there is no column of this name with so many numbers.
    pub(crate) fn no_such(&self, parameter: &str, column: &str, found: usize) -> Error {
        let known = self.lengths().map(|(name, len)| format!("`{name}` ({len})")).collect::<Vec<_>>().join(", ");
        Error::NoSuchColumn { name: parameter.into(), column: column.into(), found, known }
    }

    /// Returns whether there are columns with fewer numbers than weights.
    #[inline]
    pub(crate) fn keeps(&self) -> bool {
        self.columns.len() > self.full
    }

    /// Returns the names and lengths of all columns.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.columns.iter().map(|column| (column.name, self.of.len(column.extent)))
    }

    /// Returns whether there are columns that have not been made yet.
    pub(crate) fn is_missing(&self) -> bool {
        self.numbers.is_empty() && !self.columns.is_empty()
    }

    /// Makes what a step needs and is not there: columns as they start, and room to work in.
    #[inline]
    pub(crate) fn prepare(&mut self, value: &[T])
    where
        T: Real,
    {
        if self.is_missing() {
            self.begin(value);
        }
        self.make_room();
    }

    /// Makes room to work in.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if self.work.is_empty() && !self.work_extents.is_empty() {
            self.work = vec![T::default(); self.work_extents.iter().map(|&extent| self.of.len(extent)).sum()];
        }
    }

    /// Makes all columns, as they start. Weights that are not given count as 0.
    pub(crate) fn begin(&mut self, value: &[T])
    where
        T: Real,
    {
        let mut numbers = Vec::with_capacity(self.lengths().map(|(_, len)| len).sum());
        for column in &self.columns {
            let start = numbers.len();
            numbers.resize(start + self.of.len(column.extent), T::default());
            let made = &mut numbers[start..];
            match self.early.get(column.name) {
                Some(early) => made.copy_from_slice(early),
                None => column.start.fill(made, value),
            }
        }
        self.own(numbers);
    }

    /// Makes what starts from weights start from these; other columns are made where they are missing.
    pub(crate) fn capture(&mut self, value: &[T])
    where
        T: Real,
    {
        if self.is_missing() {
            return self.begin(value);
        }
        for column in self.columns.clone() {
            if column.start.is_of_weights()
                && let Some(numbers) = self.get_mut(column.name)
            {
                column.start.fill(numbers, value);
            }
        }
    }

    /// Makes these numbers those of all columns.
    fn own(&mut self, numbers: Vec<T>) {
        self.next = numbers[self.full * self.of.len(Extent::Weights)..].to_vec();
        self.numbers = numbers;
    }

    /// Takes the numbers of columns, moved where there is one column in all. Columns that are not
    /// among them start anew.
    pub(crate) fn take(&mut self, columns: Vec<(&'static str, Cow<'_, [T]>)>)
    where
        T: Real,
    {
        match <[_; 1]>::try_from(columns) {
            Ok([(_, numbers)]) if self.columns.len() == 1 => self.own(numbers.into_owned()),
            Ok([column]) => self.take_worthy(&[column]),
            Err(columns) => self.take_worthy(&columns),
        }
    }

    fn take_worthy(&mut self, columns: &[(&'static str, Cow<'_, [T]>)])
    where
        T: Real,
    {
        if self.must_wait(columns) || self.is_worth(columns.iter().map(|(_, numbers)| numbers.len()).sum()) {
            self.adopt(columns);
        }
    }

    /// Takes the numbers of these columns. Others, if they are not there, start here; or where one of them starts
    /// from weights, all wait for those.
    fn adopt(&mut self, columns: &[(&'static str, Cow<'_, [T]>)])
    where
        T: Real,
    {
        if self.must_wait(columns) {
            return self.early.extend(columns.iter().map(|(name, numbers)| (*name, numbers.to_vec())));
        }
        if !columns.is_empty() && self.is_missing() {
            self.begin(&[]);
        }
        for (name, numbers) in columns {
            if let Some(column) = self.get_mut(name) {
                column.copy_from_slice(numbers);
            }
        }
    }

    /// Returns whether all columns are missing, and one that is not among these starts from weights.
    fn must_wait(&self, columns: &[(&'static str, Cow<'_, [T]>)]) -> bool {
        let is_known = |name| self.early.contains_key(name) || columns.iter().any(|(known, _)| *known == name);
        self.is_missing() && self.columns.iter().any(|column| column.start.is_of_weights() && !is_known(column.name))
    }

    /// Returns whether so many numbers are enough to make all columns for them: nothing is made of a
    /// length that hardly any numbers stand for.
    pub(crate) fn is_worth(&self, numbers: usize) -> bool {
        let all = self.lengths().fold(0, |sum: usize, (_, len)| sum.saturating_add(len));
        all / 8 <= numbers
    }

    /// Returns the largest gradient that the numbers can come from, as |m| ≤ g and v ≤ g².
    pub(crate) fn largest_gradient(&self) -> f64 {
        self.largest().max(self.largest().sqrt())
    }

    /// Returns the largest absolute value of all numbers.
    pub(crate) fn largest(&self) -> f64 {
        self.numbers.iter().fold(0.0, |largest, s| s.widen().abs().max(largest))
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
                    (None, start) => start.number(),
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

    /// Forgets what a step that has failed would have left in the shorter columns.
    #[inline]
    pub(crate) fn unsettle(&mut self) {
        if self.keeps() {
            let n = self.full * self.of.len(Extent::Weights);
            self.next.copy_from_slice(&self.numbers[n..]);
        }
    }

    /// Writes what a step that has been taken leaves in the shorter columns of a law.
    #[inline]
    pub(crate) fn commit_law(&mut self) {
        if self.keeps() {
            self.settle();
        }
    }

    fn commit_short(&mut self, kept: &Kept<T>) {
        self.settle();
        let (mut at, mut kept) = (self.full * self.of.len(Extent::Weights), kept.iter());
        for column in &self.columns[self.full..] {
            if column.extent == Extent::One
                && let Some(&number) = kept.next()
            {
                self.numbers[at] = number;
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
        (*column, rest) = rest.split_at_mut(n);
    }
    cells
}
