//! Benchmarks of the steps of a sweep, for `reprsim bench`.

mod measurement;
mod memory;
mod workload;

pub use measurement::{
    Bench, BenchResult, Quartiles, Settings, Sweep, bench, bench_profile, bench_sweep,
};
pub use workload::{WORKLOADS, Workload};
