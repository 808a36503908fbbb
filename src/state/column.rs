//! A column of state, and its numbers, in their own type.

use std::borrow::Cow;

use crate::float::Float;

/// One column of a parameter's state.
///
/// Most have a number for each weight; `row_var` and `col_var` of
/// [`Adafactor`](crate::Adafactor) have one for each row and column, and a number that is kept, such
/// as `mu_product` of [`NAdam`](crate::NAdam), is a column of one. What starts anew in the next step,
/// as after [`assign`](crate::Optimizer::assign), is a column without numbers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Column<'a> {
    /// PyTorch's name, where it has one: `exp_avg`, `momentum_buffer` ...
    pub name: String,
    /// The numbers, in their own type.
    pub numbers: Numbers<'a>,
}

/// The numbers of a column, borrowed or owned. They keep their type: nothing is converted when a
/// state is imported.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Numbers<'a> {
    /// Numbers of single precision.
    F32(Cow<'a, [f32]>),
    /// Numbers of double precision.
    F64(Cow<'a, [f64]>),
}

impl<'a> Column<'a> {
    /// Makes a column of numbers that are moved or borrowed.
    #[must_use]
    pub fn new<T: Float>(name: impl Into<String>, numbers: impl Into<Cow<'a, [T]>>) -> Self {
        Self { name: name.into(), numbers: Numbers::of(numbers.into()) }
    }

    /// Copies the numbers if they are borrowed.
    #[must_use]
    pub fn into_owned(self) -> Column<'static> {
        Column { name: self.name, numbers: self.numbers.into_owned() }
    }
}

impl<'a> Numbers<'a> {
    /// Makes numbers of their own type.
    #[must_use]
    pub fn of<T: Float>(numbers: Cow<'a, [T]>) -> Self {
        T::wrap(numbers)
    }

    /// Returns the numbers if they are of type `T`.
    #[must_use]
    pub fn get<T: Float>(&self) -> Option<&[T]> {
        T::look(self)
    }

    /// Returns the numbers if they are of type `T`, without a copy.
    #[must_use]
    pub fn take<T: Float>(self) -> Option<Cow<'a, [T]>> {
        T::unwrap(self)
    }

    /// Lends the numbers once more.
    #[must_use]
    pub fn lent(&self) -> Numbers<'_> {
        match self {
            Self::F32(numbers) => Numbers::F32(Cow::Borrowed(numbers)),
            Self::F64(numbers) => Numbers::F64(Cow::Borrowed(numbers)),
        }
    }

    /// Copies the numbers if they are borrowed.
    #[must_use]
    pub fn into_owned(self) -> Numbers<'static> {
        match self {
            Self::F32(numbers) => Numbers::F32(numbers.into_owned().into()),
            Self::F64(numbers) => Numbers::F64(numbers.into_owned().into()),
        }
    }

    /// Returns how many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::F64(numbers) => numbers.len(),
        }
    }

    /// Returns whether there are no numbers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the name of their type: `f32`, `f64`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
        }
    }
}
