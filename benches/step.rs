//! Throughput of a step, optimizer by optimizer, beside the limit: the same memory traffic with next to no arithmetic.
//!
//! `cargo bench --bench step`; for ratios to the limit that can be trusted to a few percent use `--bench ratios`, which interleaves.

#[expect(dead_code, unused_imports, reason = "shared with the bench `ratios`, which uses more of it")]
mod support;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use support::{Contender, Limit, Step, mixed_200, optimizer, timed};
use wane::{Decay, NonFinite};

fn steps(c: &mut Criterion) {
    for len in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        workload(c, &format!("1 tensor of {len}"), &[len]);
    }
    workload(c, "200 tensors of mixed size", &mixed_200());
}

/// All optimizers and all of their limits over parameters of these lengths.
fn workload(c: &mut Criterion, name: &str, lengths: &[usize]) {
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    let mut limits: Vec<Limit> = Vec::new();
    for (name, step) in optimizers() {
        let limit = step.limit();
        bench(&mut group, &name, &limit, &Contender::Step(step), lengths);
        if !limits.contains(&limit) {
            limits.push(limit);
        }
    }
    for limit in limits {
        let name = format!("limit of {} bytes per weight", limit.bytes::<f32>());
        bench(&mut group, &name, &limit, &Contender::Limit(limit.clone()), lengths);
    }
    group.finish();
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, limit: &Limit, contender: &Contender, lengths: &[usize]) {
    let elements = lengths.iter().sum::<usize>() as u64;
    group.throughput(Throughput::ElementsAndBytes { elements, bytes: elements * limit.bytes::<f32>() as u64 });
    // The memory is made and touched outside of the timed function, which criterion calls once per sample.
    contender.enter::<f32>(lengths, &mut |run| {
        run();
        group.bench_function(name, |bencher| bencher.iter(&mut *run));
    });
}

/// Without the check of the gradient, so that the traffic is that of the update alone; and AdamW once as it is by default.
fn optimizers() -> Vec<(String, Step)> {
    let free = timed().map(|(row, decay)| (row.name.to_string(), Step { row, decay, policy: NonFinite::Propagate, threads: 1 }));
    let checked = Step { row: optimizer("adamw"), decay: Decay::decoupled(0.01), policy: NonFinite::Error, threads: 1 };
    free.chain([("adamw with its gradient checked".into(), checked)]).collect()
}

criterion_group!(benches, steps);
criterion_main!(benches);
