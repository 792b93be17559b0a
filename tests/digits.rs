//! Values that hang by digits: samples far from all others, offsets, scales, distances that are all
//! but the same. Right values are those of the definitions in exact integers (CKA) or in 80-bit
//! floats from differences (distances), computed in Python and NumPy from the same data.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;

use burn::tensor::Device;
use reprsim_metrics::{
    Cause, Invariances, Layer, LeaveOneOut, Measure, Options, Permutations, REGISTRY, Score, Set,
    Source, Space, Undefined, named,
};

#[macro_use]
#[path = "common/devices.rs"]
mod devices;

use devices::{close, cpu};

alike_on_every_device!(
    one_far_sample_leaves_every_digit,
    several_samples_equally_far,
    far_samples_move_with_permutations,
    a_cluster_far_away_keeps_its_distances,
    ranks_of_distances_that_are_all_but_the_same,
);

const TOLERANCE: f64 = 1e-6;

#[derive(Clone)]
struct Dense {
    values: Vec<f64>,
    d: usize,
}

impl Dense {
    /// Whole numbers from -1000 to 1000, by SplitMix64: the same in every language.
    fn coded(n: usize, d: usize, seed: u64) -> Self {
        let value = |at: usize| {
            let mut x = (at as u64 + seed * 1_000_003).wrapping_add(0x9e37_79b9_7f4a_7c15);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((x ^ (x >> 31)) >> 44) as f64 % 2001.0 - 1000.0
        };
        Self {
            values: (0..n * d).map(value).collect(),
            d,
        }
    }

    fn plus(&self, other: &Self) -> Self {
        let both = self.values.iter().zip(&other.values);
        Self {
            values: both.map(|(x, y)| x + y).collect(),
            d: self.d,
        }
    }

    /// Each value, its row and column being told.
    fn map(&self, of: impl Fn(usize, usize, f64) -> f64) -> Self {
        let value = |(at, v): (usize, &f64)| of(at / self.d, at % self.d, *v);
        Self {
            values: self.values.iter().enumerate().map(value).collect(),
            d: self.d,
        }
    }

    fn far(&self, row: usize, times: f64) -> Self {
        self.map(|i, _, v| if i == row { v * times } else { v })
    }

    fn rows(&self, order: impl IntoIterator<Item = usize>) -> Self {
        let row = |i: usize| self.values[i * self.d..][..self.d].to_vec();
        Self {
            values: order.into_iter().flat_map(row).collect(),
            d: self.d,
        }
    }

    /// Beside each other.
    fn with(&self, other: &Self) -> Self {
        let rows = (self.values.chunks(self.d)).zip(other.values.chunks(other.d));
        Self {
            values: rows.flat_map(|(x, y)| [x, y].concat()).collect(),
            d: self.d + other.d,
        }
    }
}

impl Source for Dense {
    fn shape(&self) -> [usize; 2] {
        [self.values.len() / self.d, self.d]
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
        out.copy_from_slice(&self.values[rows.start * self.d..rows.end * self.d]);
        Ok(())
    }
}

fn scores(
    [a, b]: [&Dense; 2],
    measures: &[&dyn Measure],
    permutations: &Permutations,
    device: &Device,
    options: Options,
) -> Vec<Score> {
    let layers = |m: &Dense| vec![Layer::new("x", m.clone())];
    Set::new(vec![layers(a), layers(b)], device, options)
        .unwrap()
        .compare(measures, &[(0, 1)], permutations, &mut |_| ())
        .unwrap()
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect()
}

fn value_on(device: &Device, name: &str, pair: [&Dense; 2]) -> Result<f64, Undefined> {
    let none = Permutations::none();
    scores(
        pair,
        &[named(name).unwrap()],
        &none,
        device,
        Options::default(),
    )[0]
    .value
}

fn value(name: &str, pair: [&Dense; 2]) -> f64 {
    value_on(&cpu(), name, pair).unwrap_or_else(|reason| panic!("{name}: {reason}"))
}

/// Forty samples of six dimensions, and a second view of them.
fn related() -> (Dense, Dense) {
    let a = Dense::coded(40, 6, 1);
    let b = Dense::coded(40, 6, 2).plus(&a);
    (a, b)
}

/// Row 5 of one layer multiplied: debiased and biased CKA.
const ONE: [(f64, [f64; 2]); 9] = [
    (3.0, [0.355326294497676, 0.41903615738856287]),
    (7.0, [0.2753389672628188, 0.23039044594572192]),
    (10.0, [0.2361325726296584, 0.16824818102420333]),
    (100.0, [0.11883474241663439, 0.07992903317970655]),
    (1e3, [0.1051048340309941, 0.0763085833018934]),
    (1e4, [0.10372088975027283, 0.07600667966317817]),
    (1e6, [0.10356854741327647, 0.07597414165731742]),
    (1e9, [0.10356701003238601, 0.07597381399776548]),
    (1e12, [0.10356700849500404, 0.07597381367011272]),
];

/// Row 5 of one and row 9 of the other multiplied: debiased and biased CKA.
const BOTH: [(f64, [f64; 2]); 9] = [
    (3.0, [0.3365444456499989, 0.36177404230823934]),
    (7.0, [0.2158038777472435, 0.09708666888570941]),
    (10.0, [0.17105496823540292, 0.04587735373943868]),
    (100.0, [0.07863220325185652, 0.001558688250864061]),
    (1e3, [0.07134890249489398, 0.0007223310615062519]),
    (1e4, [0.07065318253290694, 0.0006637048657414632]),
    (1e6, [0.07057702684799867, 0.0006575243548516749]),
    (1e9, [0.07057625874630007, 0.0006574622580799612]),
    (1e12, [0.07057625797820215, 0.0006574621959858906]),
];

/// The same where twice the first dimension of the first is added to each: row-and-column and debiased CKA.
const SHARED: [(f64, f64, f64); 9] = [
    (3.0, 1.0397668150371961, 0.8944564889554614),
    (7.0, 0.793717852625399, 0.6787760760847165),
    (10.0, 0.6632566426807495, 0.5661543311002173),
    (100.0, 0.2552356346575662, 0.21738115093945262),
    (1e3, 0.20731489212509877, 0.17657352674415286),
    (1e4, 0.2024959251458086, 0.17247024303331568),
    (1e6, 0.2019656032824364, 0.17201868391551475),
    (1e9, 0.20196025162127, 0.17201412707890495),
    (1e12, 0.2019602462696065, 0.17201412252206638),
];

fn one_far_sample_leaves_every_digit(device: &Device) {
    let (a, b) = related();
    let names = ["cka_linear_debiased", "cka_linear_biased"];
    let minibatch = "cka_linear_minibatch";
    let check = |pair: [&Dense; 2], times: f64, wanted: &[f64]| {
        for space in [None, Some(Space::Feature), Some(Space::Gram)] {
            let measures: Vec<&dyn Measure> = names.map(|name| named(name).unwrap()).to_vec();
            let options = Options {
                space,
                ..Options::default()
            };
            let found = scores(pair, &measures, &Permutations::none(), device, options);
            for ((found, wanted), name) in found.iter().zip(wanted).zip(names) {
                let what = format!("{name} {times} {space:?}");
                let found = found.value.unwrap_or_else(|e| panic!("{what}: {e}"));
                close(found, *wanted, TOLERANCE * wanted.abs().max(1.0), &what);
            }
        }
        // One batch holds all of so few samples.
        let found = value_on(device, minibatch, pair).unwrap();
        close(found, wanted[0], TOLERANCE, &format!("{minibatch} {times}"));
    };
    for (times, wanted) in ONE {
        check([&a.far(5, times), &b], times, &wanted);
        // An offset common to all samples changes nothing, as far as f64 holds the others beside it.
        let moved = a.far(5, times).map(|_, j, v| v + 1e5 * (j as f64 - 2.0));
        check([&moved, &b], times, &wanted);
    }
    // Where dimensions share a cause that of rows and columns has a value.
    let shared = |m: &Dense| m.map(|i, _, v| v + 2.0 * a.values[i * a.d]);
    let (x, y) = (shared(&a), shared(&b));
    for (times, row_column, debiased) in SHARED {
        for (name, wanted) in [("cka_linear_row_column", row_column), (names[0], debiased)] {
            let found = value_on(device, name, [&x.far(5, times), &y]).unwrap();
            close(
                found,
                wanted,
                2.0 * TOLERANCE,
                &format!("{name} {times}, shared"),
            );
        }
    }
    for (times, wanted) in BOTH {
        check([&a.far(5, times), &b.far(9, times)], times, &wanted);
    }
    // Over all pairs of neighbours CKNNA is debiased CKA.
    let options = Options {
        k: 39,
        ..Options::default()
    };
    for (times, wanted) in ONE.into_iter().filter(|(times, _)| *times < 1e9) {
        for name in ["cknna_linear", "cknna_symmetric"] {
            let measure: &dyn Measure = named(name).unwrap();
            let pair = [&a.far(5, times), &b];
            let found = scores(
                pair,
                &[measure],
                &Permutations::none(),
                device,
                options.clone(),
            );
            let found = found[0].value.unwrap();
            close(found, wanted[0], TOLERANCE, &format!("{name} {times}"));
        }
    }
}

fn far_samples_move_with_permutations(device: &Device) {
    let (n, count) = (300, 3);
    let a = Dense::coded(n, 9, 21);
    let b = Dense::coded(n, 9, 22).plus(&a);
    // Far ones of several sizes, some of them the same samples in both layers.
    let (a, b) = (
        a.far(5, 1e2).far(7, 1e5).far(8, 1e5),
        b.far(7, 1e3).far(280, 1e4),
    );
    let permutations = Permutations::random(n, count, 3);
    let measures: Vec<&dyn Measure> = (["cka_linear_debiased", "cka_linear_biased"].into_iter())
        .chain(["cka_linear_minibatch"])
        .map(|name| named(name).unwrap())
        .collect();
    // The permutations are read off a layer that holds the numbers of its rows.
    let maps = maps(n, &permutations);
    for (space, kernel_bytes, resident_bytes) in [
        (None, 1 << 30, 1 << 30),
        (Some(Space::Gram), 1 << 30, 1 << 30),
        (Some(Space::Gram), 0, 0),
    ] {
        let options = Options {
            space,
            kernel_bytes,
            resident_bytes,
            ..Options::default()
        };
        let found = scores([&a, &b], &measures, &permutations, device, options.clone());
        for (p, map) in maps.iter().enumerate() {
            let moved = b.rows(map.iter().copied());
            let none = Permutations::none();
            let direct = scores([&a, &moved], &measures, &none, &cpu(), Options::default());
            for ((found, direct), m) in found.iter().zip(&direct).zip(&measures) {
                let what = format!("{} {space:?} {p}", m.properties().name);
                // Batches are of other samples where rows have moved.
                if !what.contains("minibatch") {
                    close(found.permuted[p], direct.value.unwrap(), TOLERANCE, &what);
                }
            }
        }
    }
    // The same rows under another order of the samples are as alike.
    let order: Vec<usize> = maps[0].clone();
    let (x, y) = (a.rows(order.iter().copied()), b.rows(order.iter().copied()));
    for name in ["cka_linear_debiased", "cka_linear_biased"] {
        close(
            value(name, [&x, &y]),
            value(name, [&a, &b]),
            TOLERANCE,
            name,
        );
    }
}

/// The maps of permutations: where a score depends on one sample of each layer alone, it tells
/// which are matched.
fn maps(n: usize, permutations: &Permutations) -> Vec<Vec<usize>> {
    use rand::SeedableRng;
    use rand::seq::SliceRandom;
    // As the generator draws them.
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut order: Vec<usize> = (0..n).collect();
    (0..permutations.len())
        .map(|_| {
            order.shuffle(&mut rng);
            order.clone()
        })
        .collect()
}

/// Rows 5 and 11, and 17, at the same distance: none of them outweighs the others.
fn several_samples_equally_far(device: &Device) {
    let a = Dense::coded(60, 8, 3);
    let b = Dense::coded(60, 8, 4).plus(&a);
    for (rows, times, wanted) in [
        (&[5, 11][..], 1e3, 0.008850280507383191),
        (&[5, 11], 1e6, 0.008575087680771852),
        (&[5, 11, 17], 1e4, 0.003_098_124_042_120_535),
    ] {
        let far = a.map(|i, _, v| if rows.contains(&i) { v * times } else { v });
        let name = "cka_linear_debiased";
        let found = value_on(device, name, [&far, &b]).unwrap();
        close(
            found,
            wanted,
            TOLERANCE,
            &format!("{name} {rows:?} {times}"),
        );
    }
}

fn a_cluster_far_away_keeps_its_distances(device: &Device) {
    let a = Dense::coded(100, 5, 3).map(|_, _, v| v / 1000.0);
    let b = Dense::coded(100, 5, 4).map(|_, _, v| v / 1000.0).plus(&a);
    let name = "cka_rbf_median_debiased";
    for (off, wanted) in [
        (0.0, 0.49572126802418925),
        (1e3, 0.9147902239317168),
        (1e5, 0.9147902239317093),
        (1e7, 0.9147902239298898),
    ] {
        let away = |m: &Dense| m.map(|i, _, v| if i < 80 { v } else { v + off });
        let found = value_on(device, name, [&away(&a), &away(&b)]).unwrap();
        close(found, wanted, TOLERANCE, &format!("{name} {off}"));
    }
    for times in [1e3, 1e6, 1e12, 1e30] {
        let found = value_on(device, name, [&a.far(5, times), &b]).unwrap();
        close(
            found,
            0.4921049964492371,
            TOLERANCE,
            &format!("{name} {times}"),
        );
    }
}

/// Samples in nearly one direction, one of them perhaps in the opposite.
fn tight(n: usize, spread: f64, opposite: bool) -> (Dense, Dense) {
    let a = Dense::coded(n, 6, 5).map(|_, _, v| v / 1000.0);
    let b = Dense::coded(n, 6, 6).map(|_, _, v| v / 1000.0).plus(&a);
    let away = |m: &Dense, other: usize| {
        m.map(|i, j, v| {
            let value = j as f64 * 100.0 - 150.0 + v * spread;
            if opposite && i == other {
                -value
            } else {
                value
            }
        })
    };
    (away(&a, 7), away(&b, 9))
}

fn ranks_of_distances_that_are_all_but_the_same(device: &Device) {
    let (spearman, pearson) = ("rsa_correlation_spearman", "rsa_correlation_pearson");
    // Samples, spread, whether one is in the opposite direction; Spearman, Pearson.
    for (n, spread, opposite, ranks, plain) in [
        (200, 1.0, false, 0.4705333455245741, 0.499983426374577),
        (200, 1.0, true, 0.4450112846573876, -0.005025623543931803),
        (200, 1e-2, false, 0.47069775196414454, 0.5002081977954629),
        (200, 1e-2, true, 0.4451820601168925, -0.005025125678487632),
        (200, 1e-4, false, 0.4706993705984681, 0.5002104613715487),
        (200, 1e-4, true, 0.4451837580380827, -0.005025125628145739),
        (1100, 1.0, false, 0.45421205953115673, 0.49210440026071983),
        (1100, 1.0, true, 0.4495216413539627, -0.0009109217612739305),
        (1100, 1e-2, false, 0.4541475157072278, 0.49202372707136466),
        (
            1100,
            1e-2,
            true,
            0.44945813825931163,
            -0.0009099182086961376,
        ),
        (1100, 1e-4, false, 0.45414687387598457, 0.4920229247781192),
        (1100, 1e-4, true, 0.4494575066350065, -0.0009099181073804699),
    ] {
        let (a, b) = tight(n, spread, opposite);
        let what = format!("{n} {spread} {opposite}");
        let found = value_on(device, spearman, [&a, &b]).unwrap();
        close(found, ranks, 5e-6, &format!("Spearman {what}"));
        let found = value_on(device, pearson, [&a, &b]).unwrap();
        close(found, plain, TOLERANCE, &format!("Pearson {what}"));
    }
    // All samples nearly equally far from each other.
    let n = 1100;
    let a = Dense::coded(n, 4, 7).map(|_, _, v| v / 1000.0);
    let b = Dense::coded(n, 4, 8).map(|_, _, v| v / 1000.0).plus(&a);
    let own = Dense {
        values: vec![0.0; n * n],
        d: n,
    }
    .map(|i, j, _| f64::from(u8::from(i == j)));
    let apart = |m: &Dense| own.with(&m.map(|_, _, v| v * 1e-3));
    let found = value_on(device, spearman, [&apart(&a), &apart(&b)]).unwrap();
    close(found, 0.625015849911075, 5e-6, "Spearman, all apart");
    // Three values in five places: few distances, which many pairs share.
    let code = |seed: u64| Dense::coded(n, 5, seed).map(|_, _, v| v.rem_euclid(3.0));
    let (a, other, which) = (code(9), code(11), Dense::coded(n, 5, 10));
    let at = |m: &Dense, i: usize, j: usize| m.values[i * 5 + j];
    let b = a.map(|i, j, v| match at(&which, i, j).rem_euclid(4.0) {
        0.0 => at(&other, i, j),
        _ => v,
    });
    let sound = |mut m: Dense| {
        for row in m.values.chunks_mut(5) {
            if row.iter().all(|v| *v == row[0]) {
                row[0] = (row[0] + 1.0) % 3.0;
            }
        }
        m
    };
    let found = value_on(device, spearman, [&sound(a), &sound(b)]).unwrap();
    close(found, 0.5235243285583712, 5e-6, "Spearman, ties");
}

/// Neighbours within groups that are tight beside the distances between them: from differences.
#[test]
fn neighbours_within_tight_groups_are_told_apart() {
    let (n, d, k) = (300, 6, 10);
    let view = |seed: u64| {
        let own = Dense::coded(n, d, seed);
        Dense::coded(n, d, 30).plus(&own).map(|i, j, v| {
            // Three groups, each in a direction of its own.
            let group = if i % 3 == j % 3 { 1.0 } else { 0.0 };
            group + 1e-9 * v
        })
    };
    let (a, b) = (view(31), view(32));
    let lists = |m: &Dense| -> Vec<Vec<usize>> {
        let unit: Vec<Vec<f64>> = (m.values.chunks(d))
            .map(|row| {
                let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                row.iter().map(|v| v / length).collect()
            })
            .collect();
        (0..n)
            .map(|i| {
                let apart = |j: usize| -> f64 {
                    let both = unit[i].iter().zip(&unit[j]);
                    both.map(|(x, y)| (x - y) * (x - y)).sum()
                };
                let mut others: Vec<usize> = (0..n).filter(|j| *j != i).collect();
                others.sort_by(|x, y| apart(*x).total_cmp(&apart(*y)));
                others.truncate(k);
                others
            })
            .collect()
    };
    let (x, y) = (lists(&a), lists(&b));
    let common: usize = (x.iter().zip(&y))
        .map(|(x, y)| x.iter().filter(|j| y.contains(j)).count())
        .sum();
    let found = value("mutual_knn_cosine", [&a, &b]);
    // Of cosines f64 leaves some that differ by less than its last digit.
    close(found, common as f64 / (n * k) as f64, 5e-3, "mutual");
}

/// A common offset or scale changes no measure that says so, at any size that f64 holds.
#[test]
fn offsets_and_scales_of_any_size_change_nothing() {
    let (a, b) = related();
    let all = |a: &Dense, b: &Dense| -> Vec<Result<f64, Undefined>> {
        let none = Permutations::none();
        let scores = scores([a, b], &REGISTRY, &none, &cpu(), Options::default());
        scores.into_iter().map(|score| score.value).collect()
    };
    let base = all(&a, &b);
    let same = |found: &[Result<f64, Undefined>], what: &str, of: fn(&Invariances) -> bool| {
        for ((found, base), m) in found.iter().zip(&base).zip(REGISTRY) {
            let properties = m.properties();
            if !of(&properties.invariances) {
                continue;
            }
            let what = format!("{} {what}", properties.name);
            match (found, base) {
                (Ok(found), Ok(base)) => close(*found, *base, 1e-5, &what),
                (found, base) => assert_eq!(found, base, "{what}"),
            }
        }
    };
    for exponent in [-305, -160, -60, -18, 18, 60, 160, 300] {
        let scale = 10f64.powi(exponent);
        let scaled = all(&a.map(|_, _, v| v * scale), &b);
        same(&scaled, &format!("times {scale:e}"), |i| i.scale);
        let both = all(
            &a.map(|_, _, v| v * scale),
            &b.map(|_, _, v| v / scale.max(1e-300)),
        );
        same(&both, &format!("both by {scale:e}"), |i| i.scale);
    }
    for offset in [1e3, 1e6, 1e9] {
        let moved = all(&a.map(|_, j, v| v + offset * (1.0 + j as f64)), &b);
        same(&moved, &format!("plus {offset:e}"), |i| i.translation);
    }
    // Both at once, and what is not finite says so whatever the scale.
    let moved = all(&a.map(|_, _, v| (v + 1e6) * 1e200), &b);
    same(&moved, "moved and scaled", |i| i.translation && i.scale);
    for bad in [f64::NAN, f64::INFINITY] {
        let bad = a.map(|i, j, v| if (i, j) == (3, 2) { bad } else { v * 1e300 });
        for (found, m) in all(&bad, &b).iter().zip(REGISTRY) {
            let name = m.properties().name;
            assert_eq!(*found, Err(Undefined::NonFinite), "{name}");
        }
    }
}

/// Which sample carries a CKA is told, and what is left without it.
#[test]
fn the_far_sample_is_named() {
    let (a, b) = related();
    let set = |a: &Dense, b: &Dense| {
        let layers = |m: &Dense| vec![Layer::new("x", m.clone())];
        Set::new(vec![layers(a), layers(b)], &cpu(), Options::default()).unwrap()
    };
    let rest: Vec<usize> = (0..40).filter(|i| *i != 5).collect();
    for times in [1e2, 1e4, 1e6] {
        let far = a.far(5, times);
        let set = set(&far, &b);
        let without = set.leave_one_out(&[(0, 1)]).unwrap().remove(0).unwrap();
        let name = "cka_linear_debiased";
        let score = value(name, [&far, &b]);
        let found = LeaveOneOut::most_influential(score, &without.debiased);
        assert_eq!(found, Some(5), "{times}");
        let left = set
            .without(5, named(name).unwrap(), (0, 1))
            .unwrap()
            .unwrap();
        let near = |m: &Dense| m.rows(rest.iter().copied());
        close(left, value(name, [&near(&a), &near(&b)]), 1e-9, name);
    }
}
