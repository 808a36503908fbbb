//! A step that is shared among threads allocates nothing either, in none of them. The counting allocator counts for the whole process, so this
//! is the only test of its file.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

#[path = "common/counting.rs"]
mod counting;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wane::{Adam, Anchor, Clip, Decay, Kappa, Optimizer, Param, Pool, Tuning, Untouched};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

fn count(_bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
}

/// One tensor that is cut among a hundred small ones, in orders that change; long enough that the worker is woken.
#[test]
fn no_thread_allocates_after_the_first_step() {
    let pool = Pool::new(2).unwrap();
    let names: Vec<_> = (0..100).map(|i| format!("layer.{i}")).collect();
    for decay in [
        Decay::none(),
        Decay::decoupled(0.1),
        Decay::l1(0.1),
        Decay::ada_decay(0.1),
        Decay::selective(1.0),
        Decay::group_lasso(0.1),
        Decay::spectral(0.1),
        Decay::exact(0.1).untouched(Untouched::CatchUp),
        Decay::cpr(Kappa::Inflection { every: 2 }),
        Decay::tuned(0.1, Tuning::Log(1.0)).towards(Anchor::Start),
        Decay::stable(1e-5),
    ] {
        let settings = Adam::new(0.1).clip(Clip::GlobalNorm(0.1)).weight_decay(decay).threads(2).pool(&pool);
        let mut opt = settings.build::<f32>().unwrap();
        let mut weights: Vec<_> = (0..100).map(|i| vec![0.5_f32; if i == 7 { 1_600_006 } else { 2 * i }]).collect();
        let grads: Vec<_> = weights.iter().map(|w| vec![0.25_f32; w.len()]).collect();
        for k in 0..8 {
            let given = weights.iter_mut().zip(&grads).zip(&names);
            let mut params: Vec<_> = given
                .map(|((w, g), name)| {
                    let shape = [2, w.len() / 2];
                    Param::new(name, w, g).shape(&shape)
                })
                .collect();
            params.rotate_left(13 * k);
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            opt.step(&mut params).unwrap();
            let seen = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert!(k == 0 || seen == 0, "{seen} allocations in step {k}, {}", opt.describe());
            if k == 0 {
                // The worker that the first step has started makes its own memory; it may be late.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
