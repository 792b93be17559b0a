//! Training images on the device: bytes that come back, and random changes that do
//! what they say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
#[path = "common/devices.rs"]
mod devices;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use reprsim_data::{Dataset, Factor, Filter, Part, Resampling, SampleShape, Samples};
use reprsim_models::Input;
use reprsim_train::{Augmentation, Normalization, Supply, augment};

alike_on_every_device!(
    bytes_come_back,
    a_probability_of_zero_changes_nothing,
    flips_mirror,
    colours_move_as_published,
    translations_move_and_fill,
    cutouts_are_one_square,
    devices_draw_the_same,
    images_are_resampled_as_torchvision_does,
    resident_and_sent_images_are_seen_alike,
);

const SIDE: usize = 9;

/// Images of 9x9 pixels, whose number of bytes is no multiple of 4.
fn dataset(count: usize, channels: usize) -> Dataset {
    let len = channels * SIDE * SIDE;
    let bytes: Vec<u8> = (0..count * len)
        .map(|i| ((i * i + 31 * i) % 256) as u8)
        .collect();
    Dataset {
        name: "made".into(),
        identity: "made".into(),
        part: Part::Train,
        shape: SampleShape::Image {
            channels,
            height: SIDE,
            width: SIDE,
        },
        samples: Samples::images(bytes, len),
        factors: vec![Factor {
            name: "class".into(),
            classes: vec!["one".into()],
            values: vec![0; count],
        }],
        label: vec!["class".into()],
        blocks: vec![],
        skipped: vec![],
    }
}

fn on(device: &Device, set: &Dataset, normalization: &Normalization) -> Supply {
    Supply::new(set.clone(), None, normalization.clone(), device, u64::MAX)
}

fn values(images: Tensor<4>) -> Vec<f32> {
    images.into_data().iter::<f32>().collect()
}

/// Images with values from 60 to 160, so that colours can move without clipping.
fn images(device: &Device, count: usize, channels: usize) -> Tensor<4> {
    let len = count * channels * SIDE * SIDE;
    let values: Vec<f32> = (0..len).map(|i| 60.0 + ((i * 37) % 101) as f32).collect();
    Tensor::from_data(
        TensorData::new(values, [count, channels, SIDE, SIDE]),
        device,
    )
}

fn change(images: &Tensor<4>, step: Augmentation, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let fill = [1.0, 2.0, 3.0];
    values(augment(images.clone(), &[step], &fill, &mut rng))
}

fn bytes_come_back(device: &Device) {
    for channels in [1, 3] {
        let set = dataset(6, channels);
        let identity = Normalization::identity(channels);
        let samples = on(device, &set, &identity);
        let order = Tensor::<1, Int>::from_data([4, 0, 4, 5], device);
        let gathered = values(samples.gather(&[4, 0, 4, 5], order));
        let expected: Vec<f32> = [4, 0, 4, 5]
            .iter()
            .flat_map(|&i| set.bytes(i).iter().map(|&b| f32::from(b)))
            .collect();
        assert_eq!(gathered, expected);
        // Normalised: mean 0 and deviation 1 over the whole set.
        let samples = on(device, &set, &Normalization::of(&set));
        let Input::Images(all) = samples.slice(0..6) else {
            panic!("images")
        };
        let all = values(all);
        let n = all.len() as f64;
        let mean = all.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = all
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
            / n;
        assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4);
    }
}

fn a_probability_of_zero_changes_nothing(device: &Device) {
    let before = images(device, 3, 3);
    for step in [
        Augmentation::Flip { p: 0.0 },
        Augmentation::Brightness {
            magnitude: 0.5,
            p: 0.0,
        },
        Augmentation::Contrast {
            magnitude: 0.5,
            p: 0.0,
        },
        Augmentation::Saturation {
            magnitude: 0.5,
            p: 0.0,
        },
        Augmentation::Translate { pixels: 3, p: 0.0 },
        Augmentation::Cutout { side: 3, p: 0.0 },
    ] {
        let after = change(&before, step, 1);
        for (a, b) in values(before.clone()).iter().zip(&after) {
            assert!((a - b).abs() < 1e-4, "{step:?}: {a} became {b}");
        }
    }
}

fn flips_mirror(device: &Device) {
    let before = images(device, 2, 1);
    let after = change(&before, Augmentation::Flip { p: 1.0 }, 1);
    for (row, mirrored) in values(before)
        .chunks_exact(SIDE)
        .zip(after.chunks_exact(SIDE))
    {
        assert!(row.iter().eq(mirrored.iter().rev()));
    }
}

fn luma(pixel: [f32; 3]) -> f32 {
    0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
}

/// Brightness scales all of an image by one factor; contrast keeps the mean grey,
/// saturation the grey of each pixel; factors stay within their range.
fn colours_move_as_published(device: &Device) {
    let (count, plane) = (8, SIDE * SIDE);
    let before = images(device, count, 3);
    let old = values(before.clone());
    let factors = |step: Augmentation, base: &dyn Fn(usize, usize) -> f32| {
        let new = change(&before, step, 2);
        let mut seen = Vec::new();
        for image in 0..count {
            let mut of_image = Vec::new();
            for (i, (&o, &n)) in old
                .iter()
                .zip(&new)
                .enumerate()
                .skip(image * 3 * plane)
                .take(3 * plane)
            {
                let base = base(image, i % plane);
                if (o - base).abs() > 5.0 {
                    of_image.push((n - base) / (o - base));
                }
            }
            let first = of_image[0];
            assert!(
                of_image.iter().all(|f| (f - first).abs() < 1e-3),
                "{step:?}"
            );
            seen.push(first);
        }
        assert!(
            seen.iter().all(|f| (0.8 - 1e-3..=1.2 + 1e-3).contains(f)),
            "{seen:?}"
        );
        assert!(
            seen.iter().any(|f| (f - seen[0]).abs() > 0.01),
            "each image draws its own"
        );
    };
    let pixel =
        |image: usize, place: usize| luma([0, 1, 2].map(|c| old[(image * 3 + c) * plane + place]));
    let mean =
        |image: usize| (0..plane).map(|place| pixel(image, place)).sum::<f32>() / plane as f32;
    factors(
        Augmentation::Brightness {
            magnitude: 0.2,
            p: 1.0,
        },
        &|_, _| 0.0,
    );
    factors(
        Augmentation::Contrast {
            magnitude: 0.2,
            p: 1.0,
        },
        &|image, _| mean(image),
    );
    factors(
        Augmentation::Saturation {
            magnitude: 0.2,
            p: 1.0,
        },
        &pixel,
    );
}

fn translations_move_and_fill(device: &Device) {
    let before = images(device, 12, 3);
    let old = values(before.clone());
    let new = change(&before, Augmentation::Translate { pixels: 2, p: 1.0 }, 3);
    let plane = SIDE * SIDE;
    let mut moves = std::collections::BTreeSet::new();
    for image in 0..12 {
        let found = (-2..=2i32)
            .flat_map(|dy| (-2..=2i32).map(move |dx| (dy, dx)))
            .find(|&(dy, dx)| {
                (0..3 * plane).all(|i| {
                    let (c, y, x) = (i / plane, i % plane / SIDE, i % SIDE);
                    let (from_y, from_x) = (y as i32 + dy, x as i32 + dx);
                    let inside =
                        (0..SIDE as i32).contains(&from_y) && (0..SIDE as i32).contains(&from_x);
                    let expected = match inside {
                        true => {
                            old[(image * 3 + c) * plane + from_y as usize * SIDE + from_x as usize]
                        }
                        false => (c + 1) as f32,
                    };
                    new[image * 3 * plane + i] == expected
                })
            });
        moves.insert(found.expect("a move by at most two pixels"));
    }
    assert!(moves.len() > 4, "{moves:?}");
}

fn cutouts_are_one_square(device: &Device) {
    let before = images(device, 10, 3);
    let old = values(before.clone());
    let new = change(&before, Augmentation::Cutout { side: 4, p: 1.0 }, 4);
    let plane = SIDE * SIDE;
    let mut corners = std::collections::BTreeSet::new();
    for image in 0..10 {
        for c in 0..3 {
            let start = (image * 3 + c) * plane;
            let cut: Vec<usize> = (0..plane)
                .filter(|&i| new[start + i] != old[start + i])
                .collect();
            assert_eq!(cut.len(), 16);
            assert!(cut.iter().all(|&i| new[start + i] == (c + 1) as f32));
            let (top, left) = (cut[0] / SIDE, cut[0] % SIDE);
            assert!(
                cut.iter().all(|&i| (top..top + 4).contains(&(i / SIDE))
                    && (left..left + 4).contains(&(i % SIDE)))
            );
            corners.insert((image, top, left));
        }
    }
    assert_eq!(
        corners.len(),
        10,
        "one square an image, the same in all channels"
    );
    assert!(
        corners
            .iter()
            .map(|&(_, y, x)| (y, x))
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            > 3
    );
}

/// Random numbers are drawn on the host: every device makes the same changes.
fn devices_draw_the_same(device: &Device) {
    let steps = [
        Augmentation::Flip { p: 0.5 },
        Augmentation::Contrast {
            magnitude: 0.2,
            p: 0.3,
        },
        Augmentation::Translate { pixels: 2, p: 0.5 },
        Augmentation::Cutout { side: 3, p: 0.5 },
    ];
    let run = |device: &Device| {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        values(augment(images(device, 6, 3), &steps, &[125.0; 3], &mut rng))
    };
    for (a, b) in run(device).iter().zip(&run(&devices::cpu())) {
        assert!((a - b).abs() < 1e-2);
    }
}

/// What a model sees of the first `count` images.
fn seen(supply: &Supply, count: usize) -> Vec<f32> {
    let Input::Images(images) = supply.slice(0..count) else {
        panic!("images")
    };
    values(images)
}

/// Images whose bytes are a formula of their place, in f64 by torchvision: the script says how.
fn images_are_resampled_as_torchvision_does(device: &Device) {
    let golden = include_str!("golden/resampled.json");
    let golden: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
    assert_eq!(golden.len(), 10);
    for case in &golden {
        let side = |key: &str| case[key].as_u64().unwrap() as usize;
        let by: Resampling = serde_json::from_value(serde_json::json!({
            "size": side("size"), "resize": side("resize"), "filter": case["filter"],
        }))
        .unwrap();
        let (height, width) = (side("height"), side("width"));
        let shape = SampleShape::Image {
            channels: 3,
            height,
            width,
        };
        let bytes = (0..3 * height * width).map(|i| ((i * i + 31 * i) % 256) as u8);
        let set = Dataset {
            shape,
            samples: Samples::images(bytes.collect::<Vec<u8>>(), shape.values()),
            ..dataset(1, 3)
        };
        let expected = case["values"].as_array().unwrap();
        let expected: Vec<f32> = expected
            .iter()
            .map(|v| v.as_f64().unwrap() as f32)
            .collect();
        let [rows, columns] = by.matrices([height, width]);
        let matrix = |values: Vec<f32>, side: usize| {
            Tensor::from_data(TensorData::new(values, [side, by.size]), device)
        };
        let pixels: Vec<f32> = set.bytes(0).iter().map(|&byte| f32::from(byte)).collect();
        let image = Tensor::from_data(TensorData::new(pixels, [1, 3, height, width]), device);
        let made = reprsim_kernels::resample(image, matrix(rows, height), matrix(columns, width));
        assert_eq!(made.dims(), [1, 3, by.size, by.size]);
        for (ours, theirs) in values(made).iter().zip(&expected) {
            assert!(
                (ours - theirs).abs() < 1e-3,
                "{by:?}: {ours} is not {theirs}"
            );
        }
        // As a model sees it: clamped, then the mean and deviation of the checkpoint.
        let supply = on(device, &set, &Normalization::imagenet()).resampled(Some(by));
        let Normalization { mean, std } = Normalization::imagenet();
        let plane = by.size * by.size;
        for (i, (ours, theirs)) in seen(&supply, 1).iter().zip(&expected).enumerate() {
            let channel = i / plane;
            let theirs = f64::from(theirs.clamp(0.0, 255.0)) / 255.0;
            let theirs = (theirs - mean[channel]) / std[channel];
            assert!(
                (f64::from(*ours) - theirs).abs() < 5e-5,
                "{by:?}: {ours} is not {theirs}"
            );
        }
    }
}

fn resident_and_sent_images_are_seen_alike(device: &Device) {
    let set = dataset(7, 3);
    let identity = Normalization::identity(3);
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        let by = Resampling {
            size: 14,
            resize: Some(17),
            filter,
        };
        let seen = |budget: u64| {
            let supply = Supply::new(set.clone(), None, identity.clone(), device, budget);
            let supply = supply.resampled(Some(by));
            let found = seen(&supply, 7);
            assert_eq!(supply.is_resident(), budget > 0);
            assert_eq!(found.len(), 7 * supply.shape().values());
            found
        };
        assert_eq!(seen(u64::MAX), seen(0));
    }
    // What becomes of an image at its own size is the image, to the bit.
    let plain = on(device, &set, &identity);
    let own = Resampling {
        size: SIDE,
        resize: None,
        filter: Filter::Bicubic,
    };
    let same = on(device, &set, &identity).resampled(Some(own));
    assert_eq!(seen(&plain, 7), seen(&same, 7));
}
