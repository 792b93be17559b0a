//! Benchmarks of the steps of a sweep, for `reprsim bench`.

mod measurement;
mod memory;
mod workload;

pub use measurement::{
    Bench, BenchResult, CpuProfile, Quartiles, Settings, Sweep, bench, bench_profile,
    bench_profile_cpu, bench_sweep,
};
pub use workload::{WORKLOADS, Workload};

pub use reprsim_kernels::{Ceilings, Spent};
