//! What the public API promises, whatever the optimizer: names, groups, counts, rates, gradients, and what can be seen of them.

mod common;
mod contract {
    mod every;

    mod adaptive;
    mod counts;
    mod decays;
    mod describe;
    mod exchange;
    mod gradients;
    mod groups;
    mod left_alone;
    mod let_through;
    mod matrices;
    mod moves;
    mod rates;
    mod selectors;
    mod slices;
    mod state;
    mod types;
}
