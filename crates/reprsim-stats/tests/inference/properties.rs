//! What must hold of any data.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use reprsim_stats::{
    BadEnd, Design, Errors, Noise, Pilot, Series, StatsError, attribute, curvature,
    describe_series, detectable_slope, fit_linear, holm, mutual_information_discrete,
    mutual_information_ksg, outliers, permutation_p_value, pilot, power, seeds_for,
    sign_flip_least_p, sign_flip_p_value, spearman, standard_deviation,
};

use crate::{Table, close, noise};

/// Standard deviates that pass for normal: the sum of 12 uniform ones.
fn normals(n: u64, from: u64) -> Vec<f64> {
    (0..n)
        .map(|i| (0..12).map(|j| noise(from + 12 * i + j)).sum())
        .collect()
}

#[test]
fn ranks_know_no_units() {
    let (x, y) = (normals(40, 1), normals(40, 1000));
    let r = spearman(&x, &y).unwrap();
    let bent: Vec<f64> = x.iter().map(|v| v.exp()).collect();
    close(spearman(&bent, &y).unwrap(), r, 1e-12);
    let turned: Vec<f64> = x.iter().map(|v| -v).collect();
    close(spearman(&turned, &y).unwrap(), -r, 1e-12);
    assert_eq!(spearman(&x, &bent), Ok(1.0));
    assert_eq!(
        spearman(&[0.0, -0.0, 0.0], &y[..3]),
        Err(StatsError::OneLevel)
    );
    assert_eq!(spearman(&y[..3], &[2.0; 3]), Err(StatsError::Constant));
    assert_eq!(
        spearman(&y[..2], &x[..2]),
        Err(StatsError::TooFewPoints { needed: 3 })
    );
    // What rounding leaves of a constant is no variation, here as in a fit.
    assert_eq!(
        spearman(&y[..3], &[0.3, 0.1 + 0.2, 0.3]),
        Err(StatsError::Constant)
    );
    let far: Vec<f64> = y.iter().map(|v| v * 1e307).collect();
    assert_eq!(spearman(&x, &far), spearman(&x, &y));
}

/// Of two normal variables with correlation r it is -ln(1 - r²) / 2.
#[test]
fn information_of_normal_variables() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = || -> Vec<f64> { StandardNormal.sample_iter(&mut rng).take(2000).collect() };
    let (x, e) = (draw(), draw());
    for r in [0.0f64, 0.6, 0.9] {
        let y: Vec<f64> = (x.iter().zip(&e))
            .map(|(x, e)| r * x + (1.0 - r * r).sqrt() * e)
            .collect();
        let nats = mutual_information_ksg(&x, &y).unwrap();
        let expected = -0.5 * (1.0 - r * r).ln();
        assert!((nats - expected).abs() < 0.05, "{r}: {nats}, {expected}");
        let scaled: Vec<f64> = y.iter().map(|y| 7.0 * y).collect();
        close(mutual_information_ksg(&x, &scaled).unwrap(), nats, 1e-6);
    }
}

#[test]
fn levels_that_separate_tell_all() {
    let levels: Vec<f64> = (0..60).map(|i| f64::from(i % 3)).collect();
    let y: Vec<f64> = (levels.iter().zip(normals(60, 1)))
        .map(|(level, e)| 100.0 * level + e)
        .collect();
    let information = mutual_information_discrete(&levels, &y, 99, 1).unwrap();
    assert!((information.share.unwrap() - 1.0).abs() < 0.02);
    close(information.p_value, 0.01, 1e-12);
    // A point alone on its level says nothing, nor does its level count.
    let (mut more_levels, mut more_y) = (levels, y);
    more_levels.push(9.0);
    more_y.push(50.0);
    let more = mutual_information_discrete(&more_levels, &more_y, 99, 1).unwrap();
    close(more.nats, information.nats, 1e-12);
    close(more.entropy, information.entropy, 1e-12);
}

#[test]
fn one_level_tells_nothing() {
    let y = normals(9, 1);
    let one = |levels: &[f64]| mutual_information_discrete(levels, &y[..levels.len()], 9, 1);
    assert_eq!(one(&[0.5; 8]), Err(StatsError::OneLevel));
    // A point alone on its level is left out.
    let alone = [&[0.5; 8], [2.0].as_slice()].concat();
    assert_eq!(one(&alone), Err(StatsError::OneLevel));
    let each: Vec<f64> = (0..8).map(f64::from).collect();
    assert_eq!(
        mutual_information_discrete(&each, &normals(8, 1), 9, 1),
        Err(StatsError::AloneOnLevels)
    );
    assert_eq!(
        mutual_information_ksg(&[0.5; 8], &normals(8, 1)),
        Err(StatsError::OneLevel)
    );
    assert_eq!(
        mutual_information_ksg(&each, &[0.1; 8]),
        Err(StatsError::Constant)
    );
}

#[test]
fn a_parabola_bends_as_it_does() {
    let x: Vec<f64> = (0..12).map(|i| f64::from(i % 4) / 3.0).collect();
    let y: Vec<f64> = (x.iter().zip(normals(12, 1)))
        .map(|(x, e)| 1.0 - 2.0 * x + 3.0 * x * x + 1e-6 * e)
        .collect();
    let bend = curvature(&x, &y, None).unwrap();
    assert!((bend.coefficient - 3.0).abs() < 1e-4 && bend.p_value.unwrap() < 1e-6);
    // Whose squares no number holds.
    let far: Vec<f64> = x.iter().map(|v| v * 2f64.powi(600)).collect();
    let far_y: Vec<f64> = y.iter().map(|v| v * 2f64.powi(900)).collect();
    let far = curvature(&far, &far_y, None).unwrap();
    assert_eq!(far.p_value, bend.p_value);
    assert_eq!(far.coefficient, bend.coefficient * 2f64.powi(-300));
    let two: Vec<f64> = (0..12).map(|i| f64::from(i % 2)).collect();
    assert_eq!(curvature(&two, &y, None), Err(StatsError::TooFewLevels));
}

#[test]
fn a_clear_effect_has_the_least_p() {
    for clusters in [2, 5, 14, 15] {
        let ids: Vec<u64> = (0..clusters * 3).map(|i| i / 3).collect();
        let x: Vec<f64> = (0..clusters * 3).map(|i| (i % 3) as f64).collect();
        let y: Vec<f64> = (x.iter().zip(normals(clusters * 3, 1)))
            .map(|(x, e)| x + 0.01 * e)
            .collect();
        let p = sign_flip_p_value(&[x], 0, &y, &ids, 1).unwrap();
        let least = sign_flip_least_p(clusters as usize);
        // Of 9 999 random flips of 15 clusters, one in 16 384 leaves the size as it is.
        assert!(p >= least && p <= least + 5e-4, "{clusters}: {p}, {least}");
    }
    close(sign_flip_least_p(5), 0.0625, 1e-12);
    close(sign_flip_least_p(8), 2.0 / 256.0, 1e-12);
}

#[test]
fn randomness_is_that_of_the_seed() {
    let table = Table::factorial();
    let p = |seed| permutation_p_value(&table.terms(), 1, &table.accuracy, 499, seed).unwrap();
    assert_eq!(p(1), p(1));
    assert!((2..6).any(|seed| p(seed) != p(1)));
}

#[test]
fn nothing_to_test_has_no_p() {
    let table = Table::factorial();
    // All of y is explained by the other column, or there is nothing to explain.
    for (y, reason) in [
        (vec![0.1; 54], StatsError::Constant),
        (vec![1e308; 54], StatsError::Constant),
        (table.a.clone(), StatsError::NothingLeft),
    ] {
        let columns = [table.a.clone(), table.b.clone()];
        assert_eq!(permutation_p_value(&columns, 1, &y, 99, 1), Err(reason));
        assert_eq!(
            sign_flip_p_value(&columns, 1, &y, &table.seeds, 1),
            Err(reason)
        );
    }
    assert_eq!(
        permutation_p_value(&table.terms(), 3, &table.y, 9, 1),
        Err(StatsError::NoSuchColumn)
    );
    assert_eq!(
        sign_flip_p_value(&table.terms(), 0, &table.y, &[7; 54], 1),
        Err(StatsError::TooFewClusters)
    );
}

fn design(table: &Table) -> Design {
    Design {
        names: ["a", "b", "a x b"].map(String::from).to_vec(),
        columns: table.terms(),
        y: table.y.clone(),
        clusters: None,
        covariates: vec![],
    }
}

/// In a balanced factorial the columns are orthogonal, and no order matters.
#[test]
fn orthogonal_terms_have_their_own_r_squared() {
    let table = Table::factorial();
    let attribution = attribute(&design(&table), 9, 1).unwrap();
    for (term, column) in attribution.terms.iter().zip(table.terms()) {
        let alone = fit_linear(&[column], &table.y, None).unwrap();
        close(term.share, alone.r_squared, 1e-9);
        let rest = 1.0 - attribution.r_squared;
        close(
            term.partial_r_squared,
            term.share / (term.share + rest),
            1e-9,
        );
    }
    assert_eq!(attribution.units, 54);
    assert_eq!(attribution.errors, Errors::Classical);
}

/// Four times the seeds halve an interval.
#[test]
fn intervals_of_shares_narrow_with_the_seeds() {
    let width = |seeds: u64| {
        let level = |i: u64| i as f64 / 2.0 - 0.5;
        let a: Vec<f64> = (0..9 * seeds).map(|i| level(i / 3 % 3)).collect();
        let b: Vec<f64> = (0..9 * seeds).map(|i| level(i % 3)).collect();
        let noise = normals(9 * seeds, 1);
        let design = Design {
            names: vec!["a".into(), "b".into()],
            y: (a.iter().zip(&b).zip(noise))
                .map(|((a, b), e)| a + 0.5 * b + 0.3 * e)
                .collect(),
            columns: vec![a, b],
            clusters: Some((0..9 * seeds).map(|i| i / 9).collect()),
            covariates: vec![],
        };
        let terms = attribute(&design, 0, 1).unwrap().terms;
        let interval = terms[0].share_interval.unwrap();
        let partial = terms[0].partial_interval.unwrap();
        [interval.high - interval.low, partial.high - partial.low]
    };
    let (few, many) = (width(16), width(64));
    for (few, many) in few.into_iter().zip(many) {
        assert!(few < 0.25, "{few}");
        assert!((0.35..0.7).contains(&(many / few)), "{few}, {many}");
    }
}

#[test]
fn useless_covariates_are_named_and_dropped() {
    let table = Table::factorial();
    let mut design = design(&table);
    let mix = (table.a.iter().zip(&table.accuracy)).map(|(a, c)| 3.0 * a - c + 1.0);
    design.covariates = vec![
        ("constant".into(), vec![0.1; 54]),
        ("accuracy".into(), table.accuracy.clone()),
        (
            "level".into(),
            table.b.iter().map(|b| 2.0 * b + 1.0).collect(),
        ),
        ("mix".into(), mix.collect()),
    ];
    let attribution = attribute(&design, 9, 1).unwrap();
    assert_eq!(attribution.dropped, ["constant", "level", "mix"]);
    design.covariates = vec![design.covariates.remove(1)];
    let with_one = attribute(&design, 9, 1).unwrap();
    assert_eq!(with_one.terms, attribution.terms);
    assert_eq!(with_one.covariates, attribution.covariates);
}

#[test]
fn designs_that_cannot_be_attributed() {
    let table = Table::factorial();
    let good = design(&table);
    let refused = |change: &dyn Fn(&mut Design)| {
        let mut design = good.clone();
        change(&mut design);
        attribute(&design, 9, 1).unwrap_err()
    };
    let many = |d: &mut Design| {
        d.columns = (0..9).map(|i| normals(54, 1000 * i)).collect();
        d.names = vec![String::new(); 9];
    };
    assert_eq!(refused(&many), StatsError::TooManyTerms);
    assert_eq!(refused(&|d| d.y = vec![0.3; 54]), StatsError::Constant);
    assert_eq!(
        refused(&|d| d.columns[2] = d.columns[1].clone()),
        StatsError::OneLevel
    );
    // All but the same: more than rounding, less than can be divided.
    let nearly = |d: &mut Design| {
        d.columns[2] = (d.columns[1].iter().zip(normals(54, 1)))
            .map(|(b, e)| b + 1e-7 * e)
            .collect();
    };
    assert_eq!(refused(&nearly), StatsError::OneLevel);
    assert_eq!(refused(&|d| d.names.truncate(2)), StatsError::LengthsDiffer);
    assert_eq!(refused(&|d| d.y.truncate(9)), StatsError::LengthsDiffer);
    assert_eq!(refused(&|d| d.y[3] = f64::NAN), StatsError::NonFinite);
    let short = |d: &mut Design| d.covariates = vec![("c".into(), vec![1.0])];
    assert_eq!(refused(&short), StatsError::LengthsDiffer);
}

#[test]
fn few_seeds_have_no_intervals_of_shares() {
    let table = Table::factorial();
    let seeds = |n: usize| Design {
        names: vec!["a".into()],
        columns: vec![table.a[..9 * n].to_vec()],
        y: table.y[..9 * n].to_vec(),
        clusters: Some(table.seeds[..9 * n].to_vec()),
        covariates: vec![],
    };
    let has = |n| {
        let attribution = attribute(&seeds(n), 0, 1).unwrap();
        assert_eq!(attribution.units, n);
        attribution.terms[0].share_interval.is_some()
    };
    assert!(!has(3) && has(4));
}

/// At the ends of the scale and where nothing varies.
#[test]
fn pilots_of_any_units() {
    let table = Table::factorial();
    let (columns, seeds) = (table.terms(), &table.seeds);
    for clustered in [false, true] {
        let plain = pilot(&columns, 0, &table.y, seeds, clustered).unwrap();
        let far: Vec<f64> = table.y.iter().map(|v| v * 2f64.powi(1000)).collect();
        let far = pilot(&columns, 0, &far, seeds, clustered).unwrap();
        let slope = 0.1 * 2f64.powi(1000);
        assert_eq!(power(&far, slope, 6), power(&plain, 0.1, 6));
        let flat = pilot(&columns, 0, &[1e308; 54], seeds, clustered);
        assert_eq!(flat, Err(StatsError::Constant));
        let exact = pilot(&columns, 0, &table.a, seeds, clustered);
        assert_eq!(exact, Err(StatsError::NoNoise));
    }
}

/// The shares of an outcome do not depend on its units, and what explains nothing beside a fit
/// that is exact has no p.
#[test]
fn attributions_of_any_units() {
    let table = Table::factorial();
    let plain = attribute(&design(&table), 99, 1).unwrap();
    let mut far = design(&table);
    far.y.iter_mut().for_each(|v| *v *= 2f64.powi(1020));
    far.columns[0]
        .iter_mut()
        .for_each(|v| *v *= 2f64.powi(-900));
    far.columns[0]
        .iter_mut()
        .for_each(|v| *v *= 2f64.powi(-100));
    // Their slope would be.
    assert_eq!(attribute(&far, 99, 1), Err(StatsError::OutOfRange));
    far.y.iter_mut().for_each(|v| *v *= 2f64.powi(-1020));
    let far = attribute(&far, 99, 1).unwrap();
    for (far, near) in far.terms.iter().zip(&plain.terms) {
        assert_eq!(
            (far.share, far.share_interval),
            (near.share, near.share_interval)
        );
        assert_eq!(far.randomisation_p, near.randomisation_p);
        assert_eq!(far.term.p_value, near.term.p_value);
    }
    let mut exact = design(&table);
    exact.y = table.a.iter().map(|a| 0.1 + 3.0 * a).collect();
    let exact = attribute(&exact, 99, 1).unwrap();
    assert!(exact.terms[0].randomisation_p.is_some());
    for term in &exact.terms[1..] {
        assert_eq!((term.randomisation_p, term.term.p_value), (None, None));
    }
}

/// A pilot knows the error that a fit of it had.
#[test]
fn a_pilot_repeats_its_errors() {
    let table = Table::factorial();
    let (columns, y, seeds) = (table.terms(), &table.y, &table.seeds);
    let independent = pilot(&columns, 2, y, seeds, false).unwrap();
    let Noise::Independent {
        residual_sd,
        sum_of_squares,
    } = independent.noise
    else {
        panic!("{independent:?}")
    };
    let fit = fit_linear(&columns, y, None).unwrap();
    close(
        residual_sd / (6.0 * sum_of_squares).sqrt(),
        fit.terms[2].stderr.unwrap(),
        1e-10,
    );
    assert_eq!(
        (independent.points_per_seed, independent.coefficients),
        (9, 4)
    );

    let clustered = pilot(&columns, 2, y, seeds, true).unwrap();
    let Noise::Clustered { slope_sd } = clustered.noise else {
        panic!("{clustered:?}")
    };
    let fit = fit_linear(&columns, y, Some(seeds)).unwrap();
    close(slope_sd / 6f64.sqrt(), fit.terms[2].stderr.unwrap(), 1e-10);
    // The slopes of single seeds, one by one.
    let of_seed = |s: usize| {
        let cut = |v: &Vec<f64>| v[9 * s..9 * s + 9].to_vec();
        let columns: Vec<Vec<f64>> = columns.iter().map(cut).collect();
        fit_linear(&columns, &cut(y), None).unwrap().terms[2].coefficient
    };
    let slopes: Vec<f64> = (0..6).map(of_seed).collect();
    close(slope_sd, standard_deviation(&slopes).unwrap(), 1e-9);
}

#[test]
fn power_from_the_level_of_the_test_to_one() {
    let independent = Pilot {
        noise: Noise::Independent {
            residual_sd: 2.0,
            sum_of_squares: 0.5,
        },
        points_per_seed: 3,
        coefficients: 2,
    };
    close(power(&independent, 0.0, 4).unwrap(), 0.05, 1e-6);
    close(power(&independent, 1e6, 4).unwrap(), 1.0, 1e-9);
    let many: Vec<f64> = (1..200)
        .map(|seeds| power(&independent, 0.7, seeds).unwrap())
        .collect();
    assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
    // Seeds and slope found lie on either side of the power asked for.
    let seeds = seeds_for(&independent, 0.7, 0.8).unwrap().unwrap();
    assert!(many[seeds - 1] >= 0.8 && many[seeds - 2] < 0.8);
    let slope = detectable_slope(&independent, 20, 0.8).unwrap();
    close(power(&independent, slope, 20).unwrap(), 0.8, 1e-9);
}

#[test]
fn designs_without_power() {
    let of = |slope_sd| Pilot {
        noise: Noise::Clustered { slope_sd },
        points_per_seed: 3,
        coefficients: 2,
    };
    for sd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(power(&of(sd), 1.0, 5), Err(StatsError::NoSuchDesign));
    }
    assert_eq!(power(&of(1.0), 1.0, 1), Err(StatsError::TooFewClusters));
    assert_eq!(
        power(&of(1.0), 1.0, 0),
        Err(StatsError::TooFewPoints { needed: 3 })
    );
    assert_eq!(power(&of(1.0), f64::NAN, 5), Err(StatsError::NonFinite));
    for target in [0.05, 1.0, f64::NAN] {
        assert_eq!(
            seeds_for(&of(1.0), 1.0, target),
            Err(StatsError::NoSuchDesign)
        );
        assert_eq!(
            detectable_slope(&of(1.0), 5, target),
            Err(StatsError::NoSuchDesign)
        );
    }
    assert_eq!(seeds_for(&of(1.0), 1e-6, 0.8), Ok(None));
}

#[test]
fn models_that_trained_badly() {
    let accuracies = [0.834, 0.831, 0.836, 0.803, 0.835, 0.833];
    assert_eq!(outliers(&accuracies, BadEnd::Low, 0.01), [3]);
    assert_eq!(outliers(&accuracies, BadEnd::Low, 0.05), [0usize; 0]);
    assert_eq!(outliers(&accuracies, BadEnd::High, 0.01), [0usize; 0]);
    let losses = accuracies.map(|a| 1.0 - a);
    assert_eq!(outliers(&losses, BadEnd::High, 0.01), [3]);
    // No deviation at all among most: any gap is beyond 3.5 of it, but not beyond 0.01.
    assert_eq!(
        outliers(&[0.9, 0.9, 0.9, 0.899], BadEnd::Low, 0.01),
        [0usize; 0]
    );
    assert_eq!(outliers(&[0.9, 0.9, 0.9, 0.88], BadEnd::Low, 0.01), [3]);
    // 3.4 and 3.6 robust deviations below the median.
    let at = |z: f64| [-1.0, 0.0, 0.0, 1.0, 1.0, -1.0, -z * 1.4826];
    assert_eq!(outliers(&at(3.4), BadEnd::Low, 0.0), [0usize; 0]);
    assert_eq!(outliers(&at(3.6), BadEnd::Low, 0.0), [6]);
    assert_eq!(outliers(&[f64::NAN, 2.0, 2.1], BadEnd::High, 1.0), [0]);
    assert_eq!(outliers(&[0.1, 0.9], BadEnd::Low, 0.1), [0usize; 0]);
}

fn lacks_all(flat: &Series) {
    assert_eq!((flat.line.slope, flat.line.p_value), (None, None));
    assert_eq!(flat.line.randomisation_p, None);
    let lacks: Vec<&str> = flat.missing.iter().map(|m| m.statistic.as_str()).collect();
    assert_eq!(
        lacks,
        [
            "fit",
            "randomisation_p",
            "curvature_p",
            "spearman",
            "mi_ksg",
            "mi_discrete"
        ]
    );
    assert!(
        flat.missing
            .iter()
            .all(|m| m.reason == "the values do not vary")
    );
}

#[test]
fn a_series_says_what_it_lacks() {
    let x: Vec<f64> = (0..12).map(|i| f64::from(i % 4)).collect();
    for constant in [1.0, 0.1, 0.0, 1e308, 1e-310] {
        lacks_all(&describe_series(&x, &[constant; 12], None, 99, 1));
    }
    let one = describe_series(&[0.7; 12], &normals(12, 1), None, 99, 1);
    assert_eq!(one.missing.len(), 6);
    let reason = StatsError::OneLevel.to_string();
    assert!(
        one.missing.iter().all(|m| m.reason == reason),
        "{:?}",
        one.missing
    );
    assert_eq!(
        (one.line.slope, one.mi_discrete, one.spearman),
        (None, None, None)
    );

    // Between two clusters.
    let half: Vec<f64> = (0..12).map(|i| f64::from(i / 6)).collect();
    let ids: Vec<u64> = (0..12).map(|i| i / 6).collect();
    let between = describe_series(&half, &normals(12, 1), Some(&ids), 99, 1);
    assert!(between.line.slope.is_some() && between.line.p_value.is_none());
    assert_eq!(between.missing[0].statistic, "p_value");
    assert_eq!(
        between.missing[0].reason,
        StatsError::OneCluster.to_string()
    );
    assert_eq!(between.line.few_clusters(), Some((2, 0.5)));
    let of = |clusters: u64| {
        let ids: Vec<u64> = (0..12).map(|i| i % clusters).collect();
        describe_series(&x, &normals(12, 1), Some(&ids), 9, 1)
            .line
            .few_clusters()
    };
    assert_eq!((of(5), of(6)), (Some((5, 0.0625)), None));

    let ids: Vec<u64> = (0..12).map(|i| i / 4).collect();
    let y = normals(12, 1);
    let clustered = describe_series(&x, &y, Some(&ids), 99, 1);
    assert_eq!(
        clustered.line.errors,
        Some(Errors::ClusterRobust { clusters: 3 })
    );
    assert_eq!(clustered.line.randomisation_least_p, Some(0.25));
    let text = serde_json::to_string(&clustered).unwrap();
    assert_eq!(serde_json::from_str::<Series>(&text).unwrap(), clustered);

    let empty = describe_series(&[], &[], None, 99, 1);
    assert_eq!((empty.line.n, empty.levels, empty.line.slope), (0, 0, None));
    assert_eq!(empty.missing.len(), 6);
}

/// Levels may be dates, or numbers of a run: what is far from zero is no rounding.
#[test]
fn levels_far_from_zero_are_levels() {
    let seeds: Vec<u64> = (0..40).map(|i| i / 5).collect();
    let noise = normals(40, 7);
    let levels = |offset: f64| -> Vec<f64> { (0..40).map(|i| offset + f64::from(i % 5)).collect() };
    let y: Vec<f64> = (levels(0.0).iter().zip(&noise))
        .map(|(x, e)| 0.1 * x + 0.02 * e)
        .collect();
    let at = |offset: f64| describe_series(&levels(offset), &y, Some(&seeds), 99, 1);
    let near = at(0.0);
    for offset in [1e9, 1e14, -1e14, 1e15] {
        let far = at(offset);
        assert!(far.missing.is_empty(), "{offset}: {:?}", far.missing);
        for of in [
            |s: &Series| s.line.slope,
            |s: &Series| s.line.stderr,
            |s: &Series| s.line.p_value,
            |s: &Series| s.line.randomisation_p,
            |s: &Series| s.curvature_p,
            |s: &Series| s.spearman,
        ] {
            close(of(&far).unwrap(), of(&near).unwrap(), 1e-9);
        }
        // Its jitter decides ties in another way, as another stream would.
        let apart = far.mi_ksg.unwrap() - near.mi_ksg.unwrap();
        assert!(apart.abs() < 0.15, "{offset}: {apart}");
    }
    // What was computed in two ways is one level.
    let one = [0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2];
    assert_eq!(spearman(&one, &noise[..4]), Err(StatsError::OneLevel));
}

/// Numbers of every kind, few of them, so that ties, constants and gaps are common.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -3.0f64..3.0,
        8 => (0u8..4).prop_map(|level| f64::from(level) / 3.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(1e300),
        1 => Just(f64::MIN_POSITIVE),
    ]
}

proptest! {
    #[test]
    fn nothing_panics(
        x in prop::collection::vec(number(), 0..9),
        z in prop::collection::vec(number(), 0..9),
        y in prop::collection::vec(number(), 0..9),
        ids in prop::collection::vec(0u64..4, 0..9),
        tested in 0usize..3,
        trim in any::<bool>(),
    ) {
        // Of equal length or not.
        let n = [x.len(), z.len(), y.len(), ids.len()].into_iter().min().unwrap_or(0);
        let cut = |v: Vec<f64>| if trim { v[..n].to_vec() } else { v };
        let (x, z, y) = (cut(x), cut(z), cut(y));
        let ids = if trim { ids[..n].to_vec() } else { ids };
        let columns = [x.clone(), z.clone()];
        let series = describe_series(&x, &y, Some(&ids), 5, 1);
        prop_assert!(series.line.slope.is_some() || !series.missing.is_empty());
        let p = [
            permutation_p_value(&columns, tested, &y, 5, 1).ok(),
            sign_flip_p_value(&columns, tested, &y, &ids, 1).ok(),
            series.line.randomisation_p,
            series.mi_discrete.map(|m| m.p_value),
        ];
        prop_assert!(p.iter().flatten().all(|p| *p > 0.0 && *p <= 1.0));
        outliers(&y, BadEnd::Low, x.first().copied().unwrap_or(0.0));
        for clustered in [true, false] {
            if let Ok(pilot) = pilot(&columns, tested, &y, &ids, clustered) {
                let found = power(&pilot, 0.5, 3);
                prop_assert!(!found.is_ok_and(f64::is_nan), "{found:?}");
            }
        }
        let design = Design {
            names: vec!["x".into()],
            columns: vec![x],
            clusters: trim.then_some(ids),
            covariates: vec![("z".into(), z)],
            y,
        };
        if let Ok(attribution) = attribute(&design, 5, 1) {
            let sum = attribution.terms[0].share + attribution.covariate_share.unwrap_or(0.0);
            prop_assert!((sum - attribution.r_squared).abs() < 1e-6);
        }
    }

    #[test]
    fn larger_slopes_and_more_seeds_are_found_more_often(
        spread in 0.1f64..3.0,
        squares in 0.1f64..3.0,
        points_per_seed in 3usize..9,
        slope in 0.0f64..2.0,
        seeds in 2usize..12,
        clustered in any::<bool>(),
    ) {
        let pilot = Pilot {
            noise: match clustered {
                true => Noise::Clustered { slope_sd: spread },
                false => Noise::Independent { residual_sd: spread, sum_of_squares: squares },
            },
            points_per_seed,
            coefficients: 2,
        };
        let found = power(&pilot, slope, seeds).unwrap();
        let larger = power(&pilot, slope + 0.2, seeds).unwrap();
        let more = power(&pilot, slope + 0.2, 2 * seeds).unwrap();
        // Up to the error of the integral.
        prop_assert!(0.03 < found && found <= larger + 1e-9 && larger <= more + 1e-9,
            "{found}, {larger}, {more}");
    }

    #[test]
    fn shares_add_up(from in 0u64..5000, terms in 1usize..6) {
        let columns: Vec<Vec<f64>> = (0..terms as u64).map(|t| {
            // Correlated columns.
            let (own, common) = (normals(20, from + 300 * t), normals(20, from + 7777));
            own.iter().zip(common).map(|(a, b)| a + b).collect()
        }).collect();
        let y = normals(20, from + 9999);
        let design = Design {
            names: vec![String::new(); terms],
            columns: columns.clone(),
            y: y.clone(),
            clusters: None,
            covariates: vec![("c".into(), normals(20, from + 5555))],
        };
        let attribution = attribute(&design, 0, 1).unwrap();
        let shares: f64 = attribution.terms.iter().map(|t| t.share).sum();
        let whole = shares + attribution.covariate_share.unwrap();
        prop_assert!((whole - attribution.r_squared).abs() < 1e-9);
        let all = [columns, vec![normals(20, from + 5555)]].concat();
        let fit = fit_linear(&all, &y, None).unwrap();
        prop_assert!((fit.r_squared - attribution.r_squared).abs() < 1e-9);
    }

    /// Each seed has all levels: the test of scores is that of the slopes of seeds.
    #[test]
    fn sign_flips_are_those_of_the_slopes_of_seeds(from in 0u64..5000, seeds in 2usize..8) {
        let levels = [0.0, 0.25, 0.75, 1.0];
        let x = levels.repeat(seeds);
        let ids: Vec<u64> = (0..4 * seeds as u64).map(|i| i / 4).collect();
        let y = normals(4 * seeds as u64, from);
        let slopes: Vec<f64> = y.chunks(4)
            .map(|y| fit_linear(&[levels.to_vec()], y, None).unwrap().terms[0].coefficient)
            .collect();
        let size = |flip: u32| slopes.iter().enumerate()
            .map(|(i, s)| if flip >> i & 1 == 1 { -s } else { *s })
            .sum::<f64>().abs();
        let flips = 1u32 << seeds;
        let at_least = (0..flips).filter(|f| size(*f) >= size(0) - 1e-12).count();
        let p = sign_flip_p_value(&[x], 0, &y, &ids, 1).unwrap();
        prop_assert!((p - at_least as f64 / f64::from(flips)).abs() < 1e-12);
    }

    #[test]
    fn adjusted_p_values_keep_their_order(p in prop::collection::vec(0.0f64..=1.0, 0..12)) {
        let some: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
        let adjusted: Vec<f64> = holm(&some).into_iter().flatten().collect();
        prop_assert_eq!(adjusted.len(), p.len());
        for (i, a) in adjusted.iter().enumerate() {
            prop_assert!(*a >= p[i] && *a <= 1.0);
            prop_assert!(p.iter().zip(&adjusted).all(|(q, b)| p[i] > *q || a <= b));
        }
        let least = p.iter().copied().fold(f64::INFINITY, f64::min);
        let bonferroni = (least * p.len() as f64).min(1.0);
        if !p.is_empty() {
            let found = adjusted.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!((found - bonferroni).abs() < 1e-12);
        }
    }
}
