//! What the examples and the network's test share: data, network and figures.
#![allow(dead_code, reason = "each program that includes this module uses a part of it")]
#![allow(unreachable_pub, reason = "a program exports nothing")]

pub mod data;
pub mod figure;
pub mod mlp;
