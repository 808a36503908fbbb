//! What must hold of every optimizer with every decay, in f32 and f64: each property is written once and runs over the whole table.

mod common;
mod properties {
    pub(crate) mod finite;
    pub(crate) mod hyperparameters;
    pub(crate) mod identities;
    pub(crate) mod invariance;
    pub(crate) mod long_runs;
    pub(crate) mod masks;
    pub(crate) mod pure_decay;
    pub(crate) mod rest;
    pub(crate) mod resume;
    pub(crate) mod sets;
    pub(crate) mod symmetry;
    pub(crate) mod threads;
    pub(crate) mod untouched;
}
