//! Input that is wrong is refused with a typed error; none makes the library panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::ops::Range;

use burn::tensor::Device;
use reprsim_metrics::{
    Cause, HalfSamples, Layer, Matrix, Measure, MetricError, Options, Permutations, REGISTRY, Set,
    Source, Stop, Undefined, named,
};

fn values(n: usize, d: usize, seed: f64) -> Vec<f32> {
    (0..n * d)
        .map(|i| ((i as f64 + seed) * 1.7).sin() as f32)
        .collect()
}

fn layer(n: usize, d: usize, seed: f64) -> Layer {
    Layer::new("x", Matrix::new(values(n, d, seed), n, d).unwrap())
}

fn set(n: usize, k: usize) -> Set {
    let options = Options {
        k,
        ..Options::default()
    };
    let models = vec![vec![layer(n, 3, 0.0)], vec![layer(n, 4, 9.0)]];
    Set::new(models, &Device::flex(), options).unwrap()
}

#[test]
fn values_that_are_no_matrix_are_refused() {
    for (count, n, d) in [(5, 2, 3), (7, 2, 3), (0, usize::MAX, 2), (1, 0, 0)] {
        let error = Matrix::new(vec![0.0f64; count], n, d).err();
        assert!(
            matches!(error, Some(MetricError::Shape { .. })),
            "{n} x {d}"
        );
    }
    assert!(Matrix::new(Vec::<f32>::new(), 3, 0).is_ok());
}

/// A row of zeros has the dissimilarity 1/2 to every other row, and none to another row of zeros.
#[test]
fn rows_of_zeros_have_cosine_dissimilarities() {
    let (n, d) = (12, 3);
    let layers = [(0.0, [2, 7, 9]), (9.0, [2, 3, 7])].map(|(seed, zeros)| {
        let mut all = values(n, d, seed);
        for row in zeros {
            all[row * d..][..d].fill(0.0);
        }
        all
    });
    let dissimilarities = |values: &[f32]| -> Vec<f64> {
        let row = |i: usize| &values[i * d..][..d];
        let dot = |i: usize, j: usize| -> f64 {
            let products = row(i).iter().zip(row(j));
            products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let of = |(i, j): (usize, usize)| match (dot(i, i), dot(j, j)) {
            (0.0, 0.0) => 0.0,
            (0.0, _) | (_, 0.0) => 0.5,
            (a, b) => 1.0 - dot(i, j) / (a * b).sqrt(),
        };
        pairs.map(of).collect()
    };
    let [a, b] = layers.each_ref().map(|values| dissimilarities(values));
    let ranks = |of: &[f64]| -> Vec<f64> {
        // Halves are exact; others tie with none.
        let rank = |v: &f64| {
            let below = of.iter().filter(|o| *o < v).count();
            let same = of.iter().filter(|o| *o == v).count();
            below as f64 + same as f64 / 2.0
        };
        of.iter().map(rank).collect()
    };
    let correlation = |a: &[f64], b: &[f64]| {
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let (mean_a, mean_b) = (mean(a), mean(b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            let pairs = a.iter().zip(b);
            pairs.map(|(x, y)| f(x - mean_a, y - mean_b)).sum()
        };
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    };
    let models = layers.map(|values| vec![Layer::new("x", Matrix::new(values, n, d).unwrap())]);
    let set = Set::new(models.to_vec(), &Device::flex(), Options::default()).unwrap();
    for (name, wanted) in [
        ("rsa_cosine_pearson", correlation(&a, &b)),
        ("rsa_cosine_spearman", correlation(&ranks(&a), &ranks(&b))),
    ] {
        let measure = named(name).unwrap();
        let scores = set.compare(&[measure], &[(0, 1)], &Permutations::none(), &mut |_| ());
        let found = scores.unwrap()[0][0].value.unwrap();
        assert!((found - wanted).abs() < 1e-5, "{name}: {found} {wanted}");
    }
}

#[test]
fn rows_that_are_not_there_are_refused() {
    let matrix = Matrix::new(values(4, 3, 0.0), 4, 3).unwrap();
    let mut out = [0.0; 6];
    assert!(matrix.read(1..3, &mut out).is_ok());
    let beyond = [3..5, 4..6, 0..usize::MAX, usize::MAX - 1..usize::MAX];
    for rows in beyond {
        assert!(matrix.read(rows, &mut out).is_err());
    }
    assert!(matrix.read(0..1, &mut out).is_err());
}

#[test]
fn memory_in_f64_is_measured_as_it_is() {
    // An offset that f32 cannot hold beside the values.
    let wide = |seed| -> Vec<f64> { values(20, 3, seed).iter().map(|v| f64::from(*v)).collect() };
    let far = |v: Vec<f64>| -> Vec<f64> { v.iter().map(|v| v + 1e6).collect() };
    let score = |a: Vec<f64>, b: Vec<f64>| {
        let layer = |v| Layer::new("x", Matrix::new(v, 20, 3).unwrap());
        let models = vec![vec![layer(a)], vec![layer(b)]];
        let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
        let cka = named("cka_linear_debiased").unwrap();
        let none = Permutations::none();
        let scores = set.compare(&[cka], &[(0, 1)], &none, &mut |_| ());
        scores.unwrap()[0][0].value.unwrap()
    };
    let near = score(wide(0.0), wide(5.0));
    assert!((score(far(wide(0.0)), wide(5.0)) - near).abs() < 1e-5);
}

#[test]
fn pairs_permutations_and_blocks_of_other_sets_are_refused() {
    let (set, none) = (set(30, 10), Permutations::none());
    let cka = named("cka_linear_debiased").unwrap();
    let silent = &mut |_: &str| ();
    let error = set.compare(&[cka], &[(0, 2)], &none, silent).err();
    assert!(matches!(
        error,
        Some(MetricError::NoSuchLayer {
            layer: 2,
            layers: 2
        })
    ));
    assert!(set.leave_one_out(&[(7, 0)]).is_err());
    assert!(set.without(0, cka, (0, 7)).is_err());
    let other = Permutations::random(29, 3, 1);
    let error = set.compare(&[cka], &[(0, 1)], &other, silent).err();
    assert!(matches!(
        error,
        Some(MetricError::Permutations {
            permuted: 29,
            rows: 30
        })
    ));
    let halves = HalfSamples {
        draws: 3,
        seed: 1,
        blocks: &[0, 1],
        groups: &[],
    };
    let error = set.intervals(&[cka], &[(0, 1)], &[vec![Some(0.5)]], &halves, &mut |_| ());
    assert!(matches!(
        error.err(),
        Some(MetricError::Blocks {
            blocks: 2,
            rows: 30
        })
    ));
}

#[test]
fn any_number_of_neighbours_is_a_value_or_a_reason() {
    let (none, silent) = (Permutations::none(), &mut |_: &str| ());
    let error = set(30, 0)
        .compare(&REGISTRY, &[(0, 1)], &none, silent)
        .err();
    assert!(matches!(error, Some(MetricError::NoNeighbors)));
    let without: Vec<&dyn Measure> = (REGISTRY.into_iter())
        .filter(|m| !m.properties().uses_k)
        .collect();
    assert!(
        set(30, 0)
            .compare(&without, &[(0, 1)], &none, silent)
            .is_ok()
    );
    for k in [30, usize::MAX] {
        let scores = set(30, k)
            .compare(&REGISTRY, &[(0, 1)], &none, silent)
            .unwrap();
        for (row, m) in scores.iter().zip(REGISTRY) {
            let lacks = matches!(row[0].value, Err(Undefined::TooFewSamples { .. }));
            assert_eq!(lacks, m.properties().uses_k, "{}", m.properties().name);
        }
    }
}

/// Claims rows by the billion and holds none.
struct Claims(usize);

impl Source for Claims {
    fn shape(&self) -> [usize; 2] {
        [self.0, 0]
    }

    fn read(&self, _: Range<usize>, _: &mut [f64]) -> Result<(), Cause> {
        Ok(())
    }
}

#[test]
fn rows_that_are_only_claimed_take_no_memory() {
    let set = |rows| {
        let models = [0, 1].map(|_| vec![Layer::new("x", Claims(rows))]);
        Set::new(models.to_vec(), &Device::flex(), Options::default())
    };
    assert!(matches!(set(1 << 40), Err(MetricError::TooManyRows { .. })));
    let set = set(u32::MAX as usize).unwrap();
    let none = Permutations::none();
    let scores = set
        .compare(&REGISTRY, &[(0, 1)], &none, &mut |_| ())
        .unwrap();
    for row in &scores {
        assert_eq!(row[0].value, Err(Undefined::NoDimensions));
    }
    assert_eq!(
        set.leave_one_out(&[(0, 1)]).unwrap()[0],
        Err(Undefined::NoDimensions)
    );
    let values = vec![vec![None]; REGISTRY.len()];
    let halves = HalfSamples {
        draws: 3,
        seed: 1,
        blocks: &[],
        groups: &[],
    };
    let intervals = set
        .intervals(&REGISTRY, &[(0, 1)], &values, &halves, &mut |_| ())
        .unwrap();
    assert!(intervals.iter().flatten().all(Option::is_none));
}

/// Cannot be read.
struct Gone;

impl Source for Gone {
    fn shape(&self) -> [usize; 2] {
        [20, 3]
    }

    fn read(&self, _: Range<usize>, _: &mut [f64]) -> Result<(), Cause> {
        Err(Box::new(std::io::Error::other("the disk is gone")))
    }
}

#[test]
fn an_error_keeps_what_stands_behind_it() {
    let models = vec![vec![Layer::new("conv1", Gone)], vec![layer(20, 3, 0.0)]];
    let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
    let none = Permutations::none();
    for measure in REGISTRY {
        let error = set
            .compare(&[measure], &[(0, 1)], &none, &mut |_| ())
            .unwrap_err();
        assert!(error.to_string().contains("'conv1'"), "{error}");
        let cause = error.source().unwrap();
        assert!(cause.is::<std::io::Error>(), "{cause:?}");
    }
}

#[test]
fn halves_take_blocks_whole() {
    // Blocks of equal rows: with halves of rows a value on half of them would see some
    // of every block, with halves of blocks it sees half of the blocks.
    let (blocks, each) = (12, 5);
    let n = blocks * each;
    let repeat = |of: Vec<f32>, d: usize| -> Vec<f32> {
        (0..n)
            .flat_map(|i| of[i / each * d..][..d].to_vec())
            .collect()
    };
    let layer = |seed, d| {
        let rows = repeat(values(blocks, d, seed), d);
        Layer::new("x", Matrix::new(rows, n, d).unwrap())
    };
    let models = vec![vec![layer(0.0, 2)], vec![layer(4.0, 2)]];
    let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
    let cka = named("cka_linear_biased").unwrap();
    let none = Permutations::none();
    let value = set.compare(&[cka], &[(0, 1)], &none, &mut |_| ()).unwrap()[0][0]
        .value
        .ok();
    let ids: Vec<u32> = (0..n).map(|i| (i / each) as u32).collect();
    let width = |blocks: &[u32]| {
        let halves = HalfSamples {
            draws: 60,
            seed: 3,
            blocks,
            groups: &[],
        };
        let found = set.intervals(&[cka], &[(0, 1)], &[vec![value]], &halves, &mut |_| ());
        let interval = found.unwrap()[0][0].unwrap();
        interval.high - interval.low
    };
    let (by_rows, by_blocks) = (width(&[]), width(&ids));
    assert!(by_blocks > 1.5 * by_rows, "{by_blocks} and {by_rows}");
    // Blocks of one row each are rows.
    assert_eq!(width(&(0..n as u32).collect::<Vec<_>>()), by_rows);
}

/// Whatever is measured, before and while rows are read.
#[test]
fn what_is_asked_to_stop_stops() {
    /// Asks to stop when rows are read for the last time.
    struct Stopping {
        stop: Stop,
        reads: std::sync::atomic::AtomicUsize,
        left: usize,
    }

    impl Source for Stopping {
        fn shape(&self) -> [usize; 2] {
            [40, 3]
        }

        fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
            use std::sync::atomic::Ordering::Relaxed;
            if self.reads.fetch_add(1, Relaxed) >= self.left {
                self.stop.ask();
            }
            let all = values(40, 3, 4.0);
            for (out, v) in out.iter_mut().zip(&all[3 * rows.start..3 * rows.end]) {
                *out = f64::from(*v);
            }
            Ok(())
        }
    }

    for (measure, left) in itertools::iproduct!(REGISTRY, [0, 1, 2]) {
        let stop = Stop::default();
        let source = Stopping {
            stop: stop.clone(),
            reads: Default::default(),
            left,
        };
        let options = Options {
            stop: stop.clone(),
            ..Options::default()
        };
        let models = vec![vec![Layer::new("x", source)], vec![layer(40, 4, 9.0)]];
        let set = Set::new(models, &Device::flex(), options).unwrap();
        let permutations = Permutations::random(40, 99, 0).stopped_by(&stop);
        let found = set.compare(&[measure], &[(0, 1)], &permutations, &mut |_| ());
        let name = measure.properties().name;
        assert_eq!(
            stop.is_asked(),
            matches!(found, Err(MetricError::Stopped)),
            "{name}"
        );
        assert!(stop.is_asked() || left > 0, "{name} reads nothing");
    }
}
