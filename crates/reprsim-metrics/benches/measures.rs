//! Time of each measure on two layers of n samples and d dimensions, and of a
//! whole set of layers: `cargo bench --bench measures`.
//!
//! `REPRSIM_BENCH_N` and `REPRSIM_BENCH_D` choose the size; by default 10 000 and
//! 512. `scripts/bench_measures_torch.py` times the plain formulas in PyTorch.

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_metrics::{Layer, Matrix, Measure, Mode, Options, Permutations, Set, named, of_mode};

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn size(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or(default),
        Err(_) => default,
    }
}

/// A layer that shares half of its variance with every other.
fn layer(n: usize, d: usize, seed: u64) -> Layer {
    let mut common = ChaCha8Rng::seed_from_u64(1);
    let mut own = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..n * d)
        .map(|_| common.random_range(-1.0f32..1.0) + own.random_range(-1.0f32..1.0))
        .collect();
    match Matrix::new(values, n, d) {
        Ok(matrix) => Layer::new(format!("layer{seed}"), matrix),
        Err(error) => panic!("{error}"),
    }
}

fn all_named(names: &[&str]) -> Vec<&'static dyn Measure> {
    names.iter().filter_map(|name| named(name).ok()).collect()
}

fn pair(criterion: &mut Criterion) {
    let (n, d) = (
        size("REPRSIM_BENCH_N", 10_000),
        size("REPRSIM_BENCH_D", 512),
    );
    let models = vec![vec![layer(n, d, 2)], vec![layer(n, d, 3)]];
    let set = match Set::new(models, &Device::flex(), Options::default()) {
        Ok(set) => set,
        Err(error) => panic!("{error}"),
    };
    let mut group = criterion.benchmark_group(format!("pair n={n} d={d}"));
    group.sample_size(10);
    let mut bench = |name: &str, measures: &[&dyn Measure], permutations: usize| {
        let permutations = Permutations::random(n, permutations, 1);
        group.bench_function(name, |b| {
            b.iter(|| set.compare(measures, &[(0, 1)], &permutations, &mut |_| ()));
        });
    };
    let linear = all_named(&["cka_linear_biased", "cka_linear_debiased"]);
    let paper: Vec<_> = of_mode(Mode::Paper).collect();
    let exact: Vec<_> = of_mode(Mode::Exact).collect();
    bench("linear CKA, biased and debiased", &linear, 0);
    bench("the paper's eight, paper mode", &paper, 0);
    let eight = all_named(&[
        "cka_linear_biased",
        "cka_linear_debiased",
        "mutual_knn_cosine",
        "cycle_knn_cosine",
        "lcs_knn_cosine",
        "edit_distance_knn_cosine",
        "cknna_linear",
        "svcca_var99_mean",
    ]);
    bench("the paper's eight, exact mode", &eight, 0);
    for measure in &exact {
        bench(measure.properties().name, &[*measure], 0);
    }
    bench("all exact measures", &exact, 0);
    bench("linear CKA with 200 permutations", &linear, 200);
    group.finish();
}

fn set_of_models(criterion: &mut Criterion) {
    let (n, d) = (5_000, 256);
    let models: Vec<Vec<Layer>> = (0..10)
        .map(|m| (0..12).map(|l| layer(n, d, 2 + m * 12 + l)).collect())
        .collect();
    let set = match Set::new(models, &Device::flex(), Options::default()) {
        Ok(set) => set,
        Err(error) => panic!("{error}"),
    };
    let pairs: Vec<(usize, usize)> = (0..120)
        .flat_map(|i| (0..120).map(move |j| (i, j)))
        .collect();
    let measures: Vec<&dyn Measure> = all_named(&["cka_linear_debiased"]);
    let none = Permutations::none();
    let mut group = criterion.benchmark_group("10 models x 12 layers, n=5000 d=256");
    group.sample_size(10);
    group.bench_function("120 x 120 debiased CKA", |b| {
        b.iter(|| set.compare(&measures, &pairs, &none, &mut |_| ()));
    });
    group.finish();
}

criterion_group!(benches, pair, set_of_models);
criterion_main!(benches);
