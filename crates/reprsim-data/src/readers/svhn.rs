//! SVHN, cropped digits: one MATLAB file a part, with images `X` (rows, columns,
//! channels, samples; rows vary fastest) and labels `y` from 1 to 10.
//! Source: <http://ufldl.stanford.edu/housenumbers/>.

use std::path::Path;

use rayon::prelude::*;

use super::RawPart;
use super::mat::read_mat;
use super::raw::check_count;
use crate::{Card, DataError, Factor, Part};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// The file of a part.
pub(crate) fn file_name(part: Part) -> &'static str {
    match part {
        Part::Train => "train_32x32.mat",
        Part::Validation | Part::Test => "test_32x32.mat",
    }
}

/// Reads a part from the file at `path`.
pub(crate) fn read(card: &Card, part: Part, path: &Path) -> Result<RawPart, DataError> {
    let damaged = |reason: String| DataError::damaged(path, 0, reason);
    let [x, y] = read_mat(path, ["X", "y"])?;
    let count = y.values.len();
    if x.dims != [SIDE, SIDE, 3, count] {
        return Err(damaged(format!(
            "'X' is of size {:?}; {count} images of 32x32x3 belong to the labels",
            x.dims
        )));
    }
    check_count(path, card, part, count)?;
    let classes = card.classes.len();
    let mut values = Vec::with_capacity(count);
    for (index, &label) in y.values.iter().enumerate() {
        // Class 10 is the digit 0.
        match usize::from(label) {
            10 => values.push(0),
            1..10 => values.push(u16::from(label)),
            _ => {
                return Err(damaged(format!(
                    "label {label} of sample {index} is out of range: labels are 1 to {classes}"
                )));
            }
        }
    }
    let mut samples = x.values;
    samples.par_chunks_exact_mut(PLANE).for_each(transpose);
    let factor = Factor {
        name: "class".into(),
        classes: card.classes.clone(),
        values,
    };
    Ok(RawPart::colour(SIDE, samples, vec![factor]))
}

/// From column by column to row by row.
fn transpose(plane: &mut [u8]) {
    for row in 0..SIDE {
        for column in row + 1..SIDE {
            plane.swap(row * SIDE + column, column * SIDE + row);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::mat::writer::{compressed, header, matrix};
    use super::*;
    use crate::find_card;

    /// The value of one pixel, and an image in the order of the file.
    fn pixel(n: usize, row: usize, column: usize, channel: usize) -> u8 {
        (row * 7 + column * 3 + channel * 50 + n * 11) as u8
    }

    fn columns_first(n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for channel in 0..3 {
            for column in 0..SIDE {
                bytes.extend((0..SIDE).map(|row| pixel(n, row, column, channel)));
            }
        }
        bytes
    }

    fn read_with(labels: &[u8], images: usize, expected: usize) -> Result<RawPart, DataError> {
        let x: Vec<u8> = (0..images).flat_map(columns_first).collect();
        let bytes = [
            header(),
            compressed(&matrix("X", 9, &[32, 32, 3, images as i32], 2, &x)),
            compressed(&matrix("y", 9, &[labels.len() as i32, 1], 2, labels)),
        ]
        .concat();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test_32x32.mat");
        fs::write(&path, bytes).unwrap();
        let card = Card {
            test: expected,
            ..find_card("svhn").unwrap().clone()
        };
        read(&card, Part::Test, &path)
    }

    #[test]
    fn pixels_and_labels_are_in_place() {
        let part = read_with(&[10, 1, 9, 5, 2], 5, 5).unwrap();
        assert_eq!(part.factors[0].values, [0, 1, 9, 5, 2]);
        for (n, channel, row, column) in [(0, 0, 0, 1), (2, 1, 30, 4), (4, 2, 31, 31)] {
            let at = n * 3 * PLANE + channel * PLANE + row * SIDE + column;
            assert_eq!(part.samples[at], pixel(n, row, column, channel));
        }
    }

    #[test]
    fn labels_and_sizes_are_checked() {
        let text = |labels: &[u8], images, expected| {
            let error = read_with(labels, images, expected).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }));
            error.to_string()
        };
        assert!(text(&[1, 2, 3, 4, 0], 5, 5).contains("label 0 of sample 4"));
        assert!(text(&[1, 11, 3, 4, 5], 5, 5).contains("label 11 of sample 1"));
        assert!(text(&[1, 2, 3, 4], 5, 5).contains("4 images of 32x32x3"));
        assert!(text(&[1, 2, 3, 4, 5], 5, 6).contains("holds 5 samples; svhn has 6"));
    }
}
