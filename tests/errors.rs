//! Every error of the public API: its variant, its text, and that nothing else has happened.

mod errors {
    mod scene;

    mod completeness;
    mod decays;
    mod gradients;
    mod groups;
    mod numbers;
    mod rounding;
    mod settings;
    mod steps;
    mod texts;
}
