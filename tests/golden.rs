//! Trajectories of PyTorch, optax and Keras, reproduced: `tools/golden.py` made them and describes their format.
//!
//! Helpers: `inputs` makes weights and gradients, `fixture` reads a file, `element` is generic over f32 and f64, `build` turns a
//! case's options into an optimizer, `play` runs it, `judge` compares, `scalar` is what PyTorch does
//! to the elements that fill no vector. The other modules are tests.

mod golden {
    mod build;
    mod element;
    mod fixture;
    mod inputs;
    mod judge;
    mod play;
    mod scalar;

    mod inventory;
    mod keras;
    mod optax;
    mod schedules;
    mod swaps;
    mod tail;
    mod torch;
}
