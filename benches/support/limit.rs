//! Loops to compare with: the memory traffic of a step and next to no arithmetic, on the CPU's best vectors.

use multiversion::multiversion;

/// x, g read; x written: SGD. 12 bytes per f32.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
pub fn traffic_1(x: &mut [f32], g: &[f32]) {
    for (x, g) in x.iter_mut().zip(g) {
        *x += *g;
    }
}

/// x, g, b read; x, b written: SGD with momentum, Lion. 20 bytes per f32.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
pub fn traffic_2(x: &mut [f32], g: &[f32], b: &mut [f32]) {
    for ((x, g), b) in x.iter_mut().zip(g).zip(b) {
        *b += *g;
        *x += *b;
    }
}

/// x, g, m, v read; x, m, v written: Adam. 28 bytes per f32.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
pub fn traffic_3(x: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    for (((x, g), m), v) in x.iter_mut().zip(g).zip(m).zip(v) {
        *m += *g;
        *v += *m;
        *x += *v;
    }
}

/// The traffic of Adam with one square root and two divisions per element.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
pub fn divider(x: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: f32) {
    for (((x, g), m), v) in x.iter_mut().zip(g).zip(m).zip(v) {
        *m += *g;
        *v += *m;
        *x += *g / (v.sqrt() / c + c);
    }
}

/// One read of everything: what a check of the gradient, or the norms of a trust ratio, cost.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw+avx2+fma", "x86_64+avx2+fma"))]
pub fn read(x: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 64];
    for block in x.chunks_exact(64) {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += *x;
        }
    }
    lanes.iter().sum()
}
