//! Arrays that another program lends are read as those of files are.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use reprsim_activations::{Axes, Element, Elsewhere, Mask, Pool, Reading, StoredLayer};

/// Bytes that are made when they are asked for: of 0, 1, 2, ... in float32.
#[derive(Debug)]
struct Counting(usize);

impl Elsewhere for Counting {
    fn bytes(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>> {
        let all = (0..self.0).flat_map(|i| (i as f32).to_le_bytes());
        (range.end <= 4 * self.0).then(|| all.skip(range.start).take(range.len()).collect())
    }
}

/// What was warned of.
struct Warnings(Mutex<Vec<String>>);

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

impl log::Log for Warnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            said.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn layer(shape: &[usize], count: usize) -> StoredLayer {
    let lent = Arc::new(Counting(count));
    StoredLayer::lent("x", Path::new("lender"), shape.to_vec(), Element::F32, lent)
}

#[test]
fn rows_are_read_and_pooled() -> Result<(), Box<dyn std::error::Error>> {
    let matrix = layer(&[4, 3], 12).matrix(&Reading::default())?;
    let mut out = [0.0; 6];
    matrix.read(1..3, &mut out)?;
    assert_eq!(out, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(matrix.epsilon(), f64::from(f32::EPSILON));

    let mask = Mask::new(
        Path::new("mask"),
        [2, 3],
        vec![true, true, false, true, false, false],
    )?;
    let reading = Reading {
        mask: Some(mask),
        ..Reading::pooled(Pool::Mean)
    };
    let matrix = layer(&[2, 3, 2], 12).matrix(&reading)?;
    let mut out = [0.0; 4];
    matrix.read(0..2, &mut out)?;
    assert_eq!(out, [1.0, 2.0, 6.0, 7.0]);
    Ok(())
}

/// The names of PyTorch and ml_dtypes, whose `float8_e4m3` has infinities and is another type.
#[test]
fn types_are_known_by_their_names() {
    assert_eq!("float8_e4m3fn".parse(), Ok(Element::F8E4M3));
    for element in Element::ALL {
        assert_eq!(element.name().parse(), Ok(element));
    }
    for name in ["float8_e4m3", "float8_e4m3fnuz", "complex64", ""] {
        let told = name.parse::<Element>().err().map(|error| error.to_string());
        let told = told.unwrap_or_default();
        assert!(told.starts_with(&format!("an array of {name}: ")), "{told}");
        assert!(told.contains("float8_e4m3fn and"), "{told}");
    }
}

/// The tests of this file have one logger, and one of them looks at it.
#[test]
fn maps_that_look_channels_last_are_warned_of_once() -> Result<(), Box<dyn std::error::Error>> {
    log::set_logger(&WARNINGS)?;
    log::set_max_level(log::LevelFilter::Warn);
    let said = |shape: &[usize; 4], reading: &Reading| -> Result<Vec<String>, _> {
        let lent = layer(shape, shape.iter().product());
        for _ in 0..2 {
            lent.matrix(reading)?;
        }
        let mut said = WARNINGS.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok::<_, reprsim_activations::ActivationError>(std::mem::take(&mut *said))
    };
    let mean = Reading::pooled(Pool::Mean);
    let found = said(&[2, 5, 5, 8], &mean)?;
    assert!(
        found.len() == 1 && found[0].contains("layer 'x' of shape [2, 5, 5, 8]"),
        "{found:?}"
    );
    let named = Reading {
        axes: Axes::several("nhwc")?,
        ..mean.clone()
    };
    assert_eq!(said(&[2, 5, 5, 8], &named)?, [""; 0]);
    assert_eq!(said(&[2, 8, 5, 5], &mean)?, [""; 0]);
    Ok(())
}

#[test]
fn what_a_lender_lacks_is_said() {
    let error = |found: Result<_, reprsim_activations::ActivationError>| {
        found
            .err()
            .map(|e: reprsim_activations::ActivationError| e.to_string())
            .unwrap_or_default()
    };
    let short = layer(&[4, 3], 11).matrix(&Reading::default());
    let mut out = [0.0; 12];
    let told = error(short.and_then(|matrix| matrix.read(0..4, &mut out)));
    assert!(
        told.starts_with("lender: ") && told.contains("shorter"),
        "{told}"
    );
    let told = error(
        layer(&[2, 3, 2], 12)
            .matrix(&Reading::default())
            .map(|_| ()),
    );
    assert!(told.contains("layer 'x'"), "{told}");
    let told = error(Mask::new(Path::new("mask"), [2, 2], vec![true; 3]).map(|_| ()));
    assert!(told.starts_with("mask: "), "{told}");
    let told = error(Mask::new(Path::new("mask"), [2, 1], vec![true, false]).map(|_| ()));
    assert!(told.contains("row 1"), "{told}");
}
