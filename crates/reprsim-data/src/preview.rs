//! Samples for a person to look at: images in a labelled grid, text as text.

use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};

use crate::{DataError, Dataset, SampleShape, Tokenizer};

const SCALE: u32 = 4;
const PAD: u32 = 8;
const LINE: u32 = 10;
const GLYPH: u32 = 8;

/// Draws the samples at `indices`, enlarged, `columns` to a row, each with the
/// classes of all its label factors written below.
///
/// # Errors
/// [`DataError::Setting`] for text, which [`preview_text`] shows.
pub fn grid(dataset: &Dataset, indices: &[usize], columns: usize) -> Result<RgbImage, DataError> {
    let SampleShape::Image {
        channels,
        height,
        width,
    } = dataset.shape
    else {
        return Err(DataError::Setting {
            dataset: dataset.name.clone(),
            reason: "text is no picture; use a preview of text".into(),
        });
    };
    let columns = columns.max(1);
    let labels: Vec<Vec<&str>> = indices
        .iter()
        .map(|&i| {
            dataset
                .factors
                .iter()
                .map(|f| f.classes[usize::from(f.values[i])].as_str())
                .collect()
        })
        .collect();
    let longest = labels
        .iter()
        .flatten()
        .map(|text| text.len() as u32)
        .max()
        .unwrap_or(1);
    let cell_width = (width as u32 * SCALE).max(longest * GLYPH) + PAD;
    let cell_height = height as u32 * SCALE + LINE * dataset.factors.len() as u32 + PAD;
    let rows = indices.len().div_ceil(columns) as u32;
    let mut canvas = RgbImage::from_pixel(
        cell_width * columns as u32 + PAD,
        cell_height * rows + PAD,
        Rgb([245, 245, 245]),
    );
    let plane = height * width;
    for (cell, (&index, label)) in indices.iter().zip(&labels).enumerate() {
        let left = PAD + (cell % columns) as u32 * cell_width;
        let top = PAD + (cell / columns) as u32 * cell_height;
        let sample = dataset.bytes(index);
        for y in 0..height as u32 * SCALE {
            for x in 0..width as u32 * SCALE {
                let pixel = (y / SCALE) as usize * width + (x / SCALE) as usize;
                let value = |channel: usize| sample[channel.min(channels - 1) * plane + pixel];
                canvas.put_pixel(left + x, top + y, Rgb([value(0), value(1), value(2)]));
            }
        }
        for (line, text) in label.iter().enumerate() {
            let y = top + height as u32 * SCALE + 2 + line as u32 * LINE;
            write_text(&mut canvas, left, y, text);
        }
    }
    Ok(canvas)
}

/// The samples at `indices` as text, each as much of it as a model sees at once.
/// Pictures give nothing.
pub fn preview_text(dataset: &Dataset, indices: &[usize], tokenizer: Tokenizer) -> Vec<String> {
    if !dataset.is_text() {
        return vec![];
    }
    indices
        .iter()
        .map(|&i| {
            let tokens = dataset.tokens(i);
            tokenizer.decode(&tokens[..tokens.len().min(dataset.shape.len())])
        })
        .collect()
}

fn write_text(canvas: &mut RgbImage, left: u32, top: u32, text: &str) {
    for (i, letter) in text.chars().enumerate() {
        let Some(rows) = font8x8::BASIC_FONTS.get(letter) else {
            continue;
        };
        for (y, row) in rows.iter().enumerate() {
            for x in 0..GLYPH {
                if row & (1 << x) != 0 {
                    let (px, py) = (left + i as u32 * GLYPH + x, top + y as u32);
                    if px < canvas.width() && py < canvas.height() {
                        canvas.put_pixel(px, py, Rgb([40, 40, 40]));
                    }
                }
            }
        }
    }
}
