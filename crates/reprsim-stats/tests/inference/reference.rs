//! Numbers of scripts/check_inference.py: statsmodels 0.15, scipy 1.17, scikit-learn 1.9
//! and brute force.

use reprsim_stats::{
    Design, Noise, Pilot, attribute, curvature, detectable_slope, fit_linear, holm,
    mutual_information_discrete, mutual_information_ksg, permutation_p_value, power, seeds_for,
    sign_flip_p_value, spearman,
};

use crate::{Table, close, noise};

fn design(table: Table, covariates: bool) -> Design {
    Design {
        names: ["a", "b", "a x b"].map(String::from).to_vec(),
        columns: table.terms(),
        covariates: match covariates {
            true => vec![("accuracy".into(), table.accuracy)],
            false => vec![],
        },
        y: table.y,
        clusters: Some(table.seeds),
    }
}

#[test]
fn attribution_with_a_covariate() {
    let attribution = attribute(&design(Table::unbalanced(), true), 200, 1).unwrap();
    let expected = [
        // Coefficient, CR2 error, degrees of freedom, p, partial R², share.
        [
            0.200_827_012_480_361_94,
            0.012_884_047_118_594_708,
            4.657_626_790_237_757_5,
            3.380_224_672_594_875e-5,
            0.843_825_583_697_437_8,
            0.157_414_459_817_812_07,
        ],
        [
            0.393_833_436_393_786_2,
            0.015_007_273_206_281_865,
            4.951_775_681_230_543,
            1.658_466_341_316_532_6e-6,
            0.964_531_686_050_897_5,
            0.735_024_302_641_818_4,
        ],
        [
            0.146_626_137_725_633_38,
            0.032_949_179_625_939_2,
            4.776_766_922_158_001,
            0.007_463_945_862_410_022,
            0.386_486_880_465_618_6,
            0.027_390_951_800_781_29,
        ],
    ];
    assert_eq!(attribution.terms.len(), 3);
    for (found, expected) in attribution.terms.iter().zip(expected) {
        close(found.term.coefficient, expected[0], 1e-10);
        close(found.term.stderr.unwrap(), expected[1], 1e-10);
        close(found.term.df.unwrap(), expected[2], 1e-10);
        close(found.term.p_value.unwrap(), expected[3], 1e-8);
        close(found.partial_r_squared, expected[4], 1e-10);
        close(found.share, expected[5], 1e-10);
        close(found.randomisation_p.unwrap(), 0.031_25, 1e-12);
        assert_eq!(found.randomisation_least_p, Some(0.031_25));
    }
    close(attribution.r_squared, 0.973_475_502_419_018_6, 1e-12);
    close(
        attribution.covariate_share.unwrap(),
        0.053_645_788_158_606_88,
        1e-10,
    );
    let accuracy = &attribution.covariates[0];
    assert_eq!(accuracy.name, "accuracy");
    close(accuracy.term.coefficient, 0.142_782_598_983_712_37, 1e-10);
    close(
        accuracy.term.stderr.unwrap(),
        0.300_561_900_922_169_2,
        1e-10,
    );
    close(accuracy.randomisation_p.unwrap(), 0.59375, 1e-12);
}

#[test]
fn shares_without_a_covariate() {
    let attribution = attribute(&design(Table::unbalanced(), false), 10, 1).unwrap();
    let expected = [
        0.210_880_626_261_605,
        0.738_341_067_387_614_6,
        0.024_231_782_457_401_558,
    ];
    for (found, expected) in attribution.terms.iter().zip(expected) {
        close(found.share, expected, 1e-10);
    }
    assert_eq!(attribution.covariate_share, None);
}

#[test]
fn sign_flips_by_enumeration() {
    let table = Table::unbalanced();
    for (place, expected) in [0.031_25, 0.937_5, 0.625].into_iter().enumerate() {
        let p = sign_flip_p_value(&table.terms(), place, &table.accuracy, &table.seeds, 1);
        close(p.unwrap(), expected, 1e-12);
    }
}

#[test]
fn permutations_by_enumeration() {
    let table = Table::factorial();
    let (a, b) = (table.a[..7].to_vec(), table.b[..7].to_vec());
    let draws = 100_000;
    let check = |columns: &[Vec<f64>], expected: f64| {
        let p = permutation_p_value(columns, 0, &table.y[..7], draws, 1).unwrap();
        let error = (expected * (1.0 - expected) / draws as f64).sqrt();
        assert!((p - expected).abs() < 4.0 * error, "{p} is not {expected}");
    };
    check(std::slice::from_ref(&a), 0.878_571_428_571_428_6);
    check(&[a, b], 0.032_341_269_841_269_844);
}

#[test]
fn a_curve() {
    let table = Table::factorial();
    let bend = curvature(&table.b, &table.y, None).unwrap();
    close(bend.coefficient, 0.061_568_109_239_070_19, 1e-9);
    close(bend.stderr.unwrap(), 0.105_050_266_316_788_02, 1e-9);
    close(bend.p_value.unwrap(), 0.560_405_169_820_709_2, 1e-9);
}

#[test]
fn rank_correlations() {
    let Table { b, y, accuracy, .. } = Table::factorial();
    close(spearman(&b, &y).unwrap(), 0.896_404_288_011_723_3, 1e-12);
    let coarse: Vec<f64> = y.iter().map(|v| (v * 10.0).round() / 10.0).collect();
    close(
        spearman(&coarse, &accuracy).unwrap(),
        0.205_371_839_413_815_45,
        1e-12,
    );
}

#[test]
fn information() {
    let Table { b, y, accuracy, .. } = Table::factorial();
    close(
        mutual_information_ksg(&b, &y).unwrap(),
        0.736_163_799_167_217_4,
        1e-12,
    );
    let second: Vec<f64> = y.iter().zip(&accuracy).map(|(y, a)| y + 20.0 * a).collect();
    close(
        mutual_information_ksg(&y, &second).unwrap(),
        0.596_442_274_211_775_2,
        1e-12,
    );

    let even = mutual_information_discrete(&b, &y, 199, 1).unwrap();
    close(even.nats, 0.736_163_799_167_218_3, 1e-12);
    close(even.entropy, 3f64.ln(), 1e-12);
    close(
        even.share.unwrap(),
        0.736_163_799_167_218_3 / 3f64.ln(),
        1e-12,
    );
    close(even.p_value, 1.0 / 200.0, 1e-12);
    // Levels of 1, 2, 3 and of many points.
    let mut sorted = y.clone();
    sorted.sort_by(f64::total_cmp);
    let name = |(y, b): (&f64, &f64)| match y {
        y if *y <= sorted[0] => 9.0,
        y if *y <= sorted[2] => 7.0,
        y if *y <= sorted[5] => 8.0,
        _ => 2.0 * b,
    };
    let levels: Vec<f64> = y.iter().zip(&b).map(name).collect();
    let uneven = mutual_information_discrete(&levels, &y, 9, 1).unwrap();
    close(uneven.nats, 0.881_766_721_945_193_7, 1e-12);
    close(uneven.entropy, 1.356_058_058_668_307_8, 1e-12);
}

#[test]
fn adjusted_p_values() {
    let p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.02].map(Some);
    let adjusted = holm(&p);
    for (found, expected) in adjusted.iter().zip([0.05, 0.09, 0.09, 0.03, 0.5, 0.08]) {
        close(found.unwrap(), expected, 1e-12);
    }
    let sparse = [
        None,
        p[0],
        p[1],
        Some(f64::NAN),
        p[2],
        p[3],
        p[4],
        p[5],
        None,
    ];
    let shifted = holm(&sparse);
    assert_eq!([shifted[0], shifted[3], shifted[8]], [None; 3]);
    assert_eq!(shifted[1..3], adjusted[..2]);
    assert_eq!(shifted[4..8], adjusted[2..]);
}

/// scipy.stats.nct.
#[test]
fn power_by_the_noncentral_t() {
    let independent = Pilot {
        noise: Noise::Independent {
            residual_sd: 0.5,
            sum_of_squares: 2.5,
        },
        points_per_seed: 5,
        coefficients: 2,
    };
    for (seeds, expected) in [
        (1, 0.105_148_794_150_452_72),
        (2, 0.219_899_527_835_925_7),
        (3, 0.331_140_441_421_763_8),
        (8, 0.743_761_478_800_246),
    ] {
        close(power(&independent, 0.3, seeds).unwrap(), expected, 1e-7);
        close(power(&independent, -0.3, seeds).unwrap(), expected, 1e-7);
    }
    let clustered = Pilot {
        noise: Noise::Clustered { slope_sd: 0.1 },
        points_per_seed: 3,
        coefficients: 2,
    };
    for (seeds, expected) in [
        (2, 0.092_809_155_056_336_05),
        (3, 0.179_255_393_776_551_8),
        (5, 0.401_389_917_371_795_36),
        (8, 0.680_833_958_206_266_6),
        (20, 0.988_591_294_777_875_8),
    ] {
        close(power(&clustered, 0.1, seeds).unwrap(), expected, 1e-7);
        let slope = detectable_slope(&clustered, seeds, expected).unwrap();
        close(slope, 0.1, 1e-7);
        let least = seeds_for(&clustered, 0.1, expected - 1e-9).unwrap();
        assert_eq!(least, Some(seeds));
    }
    assert_eq!(seeds_for(&clustered, 0.0, 0.8), Ok(None));
}

/// Seeds of 1 to 8 points, and a covariate that each seed has one value of.
#[test]
fn clustered_errors_where_few_seeds_decide() {
    let table = Table::factorial();
    let seed = |point: usize| point / 9;
    let kept: Vec<usize> = (0..54)
        .filter(|&i| i % 9 <= seed(i) + usize::from(seed(i) > 3))
        .collect();
    let pick = |values: &[f64]| -> Vec<f64> { kept.iter().map(|&i| values[i]).collect() };
    let seeds: Vec<u64> = kept.iter().map(|&i| table.seeds[i]).collect();
    let level = seeds.iter().map(|seed| noise(3 * seed + 17)).collect();
    let columns = [pick(&table.a), pick(&table.b), level];
    let fit = fit_linear(&columns, &pick(&table.y), Some(&seeds)).unwrap();
    // Coefficient, error, degrees of freedom, ends of the interval, p.
    let expected = [
        [
            0.188_387_332_738_686_55,
            0.024_142_786_700_648_077,
            1.973_669_422_493_643_3,
            0.083_169_910_191_963_57,
            0.293_604_755_285_409_5,
            0.016_645_502_571_435_68,
        ],
        [
            0.360_640_308_594_895,
            0.010_338_888_186_423_518,
            3.294_886_966_805_832,
            0.329_342_127_619_942_75,
            0.391_938_489_569_847_2,
            2.395_399_002_593_530_2e-05,
        ],
        [
            -0.035_666_517_324_734_45,
            0.012_735_825_776_572_906,
            2.043_634_153_051_901_3,
            -0.089_358_279_364_342_93,
            0.018_025_244_714_873_99,
            0.104_821_498_343_009_31,
        ],
    ];
    for (term, expected) in fit.terms.iter().zip(expected) {
        close(term.coefficient, expected[0], 1e-9);
        close(term.stderr.unwrap(), expected[1], 1e-9);
        close(term.df.unwrap(), expected[2], 1e-9);
        close(term.ci_low.unwrap(), expected[3], 1e-8);
        close(term.ci_high.unwrap(), expected[4], 1e-8);
        close(term.p_value.unwrap(), expected[5], 1e-8);
    }
}
