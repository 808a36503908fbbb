//! Trajectories of PyTorch, optax, Keras and others, reproduced: `tools/golden.py` made them and describes their format.
//!
//! Helpers: `inputs` makes weights and gradients, `fixture` reads a file, `build` turns a case's options into an optimizer, `play` runs
//! it, `judge` compares, within `bounds` where bits are not equal. The other modules are tests.

mod common;
mod golden {
    mod bounds;
    mod build;
    mod fixture;
    mod inputs;
    mod judge;
    mod play;

    mod adafactor;
    mod adagrad;
    mod decays;
    mod keras;
    mod muon;
    mod nadam;
    mod optax;
    mod schedules;
    mod swaps;
    mod tail;
    mod torch;
}
