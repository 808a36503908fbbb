//! Every error of the public API: its variant, its text, and that nothing else has happened.

mod common;
mod errors {
    mod scene;

    mod decays;
    mod extremes;
    mod gradients;
    mod groups;
    mod numbers;
    mod pages;
    mod rounding;
    mod setters;
    mod settings;
    mod steps;
    mod texts;
    mod torch;
}
