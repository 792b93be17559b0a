//! Samples for a person to look at: images in a labelled grid, text as text.

use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};

use crate::adapt::resize;
use crate::{DataError, Dataset, Resampling, SampleShape, Samples, Tokenizer};

/// Pixels of the longer side of an image, at most; smaller ones are enlarged by whole numbers.
const SIDE: usize = 128;
const PAD: u32 = 8;
const LINE: u32 = 10;
const GLYPH: u32 = 8;
const PAPER: Rgb<u8> = Rgb([245, 245, 245]);
const INK: Rgb<u8> = Rgb([40, 40, 40]);

/// Some samples of a data set, below a title.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// What is written above; nothing is, if it is empty.
    pub title: String,
    /// Where the samples are from.
    pub dataset: &'a Dataset,
    /// Which they are.
    pub indices: Vec<usize>,
}

/// Draws sections below each other, `columns` samples to a row, each sample with the
/// classes of all its label factors written below.
///
/// # Errors
/// [`DataError::Setting`] for text, which [`preview_text`] shows.
pub fn grid(sections: &[Section<'_>], columns: usize) -> Result<RgbImage, DataError> {
    let columns = columns.max(1);
    let rows: Vec<Row> = sections
        .iter()
        .map(|s| Row::of(s, columns))
        .collect::<Result<_, _>>()?;
    let width = rows.iter().map(|r| r.cell.0 * columns as u32).max();
    let height: u32 = rows.iter().map(Row::height).sum();
    let mut canvas = RgbImage::from_pixel(width.unwrap_or(0) + PAD, height + PAD, PAPER);
    let mut top = PAD;
    for (section, row) in sections.iter().zip(&rows) {
        row.draw(&mut canvas, top, section, columns);
        top += row.height();
    }
    Ok(canvas)
}

/// How the rows of a section are laid out, in pixels.
struct Row {
    /// Channels, height and width of a sample.
    sample: (usize, usize, usize),
    /// Height and width of a sample as it is drawn.
    drawn: (usize, usize),
    /// Width and height of a sample with its labels and the space after.
    cell: (u32, u32),
    title: u32,
    rows: u32,
}

impl Row {
    fn of(section: &Section<'_>, columns: usize) -> Result<Self, DataError> {
        let dataset = section.dataset;
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
        let longer = height.max(width);
        let scaled = |side: usize| match SIDE / longer {
            0 => (side * SIDE / longer).max(1),
            scale => side * scale,
        };
        let drawn = (scaled(height), scaled(width));
        let longest = dataset
            .factors
            .iter()
            .flat_map(|f| &f.classes)
            .map(|c| c.chars().count());
        let longest = longest.max().unwrap_or(0).min(SIDE / GLYPH as usize) as u32;
        Ok(Self {
            sample: (channels, height, width),
            drawn,
            cell: (
                (drawn.1 as u32).max(longest * GLYPH) + PAD,
                drawn.0 as u32 + 2 + LINE * dataset.factors.len() as u32 + PAD,
            ),
            title: if section.title.is_empty() {
                0
            } else {
                LINE + PAD
            },
            rows: section.indices.len().div_ceil(columns) as u32,
        })
    }

    fn height(&self) -> u32 {
        self.title + self.rows * self.cell.1
    }

    fn draw(&self, canvas: &mut RgbImage, top: u32, section: &Section<'_>, columns: usize) {
        let all = canvas.width() - PAD;
        write_text(canvas, (PAD, top), all, &section.title);
        for (cell, &index) in section.indices.iter().enumerate() {
            let left = PAD + (cell % columns) as u32 * self.cell.0;
            let top = top + self.title + (cell / columns) as u32 * self.cell.1;
            self.draw_sample(canvas, (left, top), section.dataset.bytes(index));
            for (line, factor) in section.dataset.factors.iter().enumerate() {
                let class = &factor.classes[usize::from(factor.values[index])];
                let y = top + self.drawn.0 as u32 + 2 + line as u32 * LINE;
                write_text(canvas, (left, y), self.cell.0 - PAD, class);
            }
        }
    }

    fn draw_sample(&self, canvas: &mut RgbImage, (left, top): (u32, u32), sample: &[u8]) {
        let (channels, height, width) = self.sample;
        // Made smaller where it must be; enlarged pixels stay squares.
        let (rows, columns) = (self.drawn.0.min(height), self.drawn.1.min(width));
        let planes: Vec<Vec<u8>> = sample
            .chunks_exact(height * width)
            .map(|plane| resize(plane.to_vec(), (height, width), (rows, columns)))
            .collect();
        for y in 0..self.drawn.0 {
            for x in 0..self.drawn.1 {
                let pixel = y * rows / self.drawn.0 * columns + x * columns / self.drawn.1;
                let value = |channel: usize| planes[channel.min(channels - 1)][pixel];
                let colour = Rgb([value(0), value(1), value(2)]);
                canvas.put_pixel(left + x as u32, top + y as u32, colour);
            }
        }
    }
}

/// The images at `indices` alone, as models see them that are given images resampled by `by`,
/// rounded to bytes. Text stays as it is.
///
/// # Panics
/// If there is no sample at one of the indices.
#[must_use]
pub fn seen(dataset: &Dataset, indices: &[usize], by: Resampling) -> Dataset {
    let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
    let chosen = dataset.select(&indices);
    let SampleShape::Image { height, width, .. } = dataset.shape else {
        return chosen;
    };
    let planes = (0..chosen.len()).flat_map(|i| chosen.bytes(i).chunks_exact(height * width));
    let bytes: Vec<u8> = planes
        .flat_map(|plane| by.plane(plane, [height, width]))
        .collect();
    let shape = by.shape(dataset.shape);
    Dataset {
        shape,
        samples: Samples::images(bytes, shape.values()),
        ..chosen
    }
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
            tokenizer.decode(&tokens[..tokens.len().min(dataset.shape.values())])
        })
        .collect()
}

/// Writes as much of a text as fits into `width`; what is cut ends in two dots.
fn write_text(canvas: &mut RgbImage, (left, top): (u32, u32), width: u32, text: &str) {
    let fitting = (width / GLYPH) as usize;
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() > fitting {
        letters.truncate(fitting.saturating_sub(2));
        letters.extend("..".chars());
    }
    for (i, letter) in letters.into_iter().enumerate() {
        for (y, row) in glyph(letter).into_iter().enumerate() {
            for x in 0..GLYPH {
                if row & (1 << x) != 0 {
                    let (px, py) = (left + i as u32 * GLYPH + x, top + y as u32);
                    if px < canvas.width() && py < canvas.height() {
                        canvas.put_pixel(px, py, INK);
                    }
                }
            }
        }
    }
}

/// The rows of a letter; those that the font lacks are question marks.
fn glyph(letter: char) -> [u8; GLYPH as usize] {
    font8x8::BASIC_FONTS
        .get(letter)
        .or_else(|| font8x8::LATIN_FONTS.get(letter))
        .or_else(|| font8x8::GREEK_FONTS.get(letter))
        .or_else(|| font8x8::HIRAGANA_FONTS.get(letter))
        .or_else(|| font8x8::BASIC_FONTS.get('?'))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Factor, Part, Samples};

    fn dataset(height: usize, width: usize, class: &str) -> Dataset {
        let shape = SampleShape::Image {
            channels: 3,
            height,
            width,
        };
        let plane = height * width;
        let sample: Vec<u8> = [200, 100, 50]
            .iter()
            .flat_map(|&v| vec![v; plane])
            .collect();
        Dataset {
            name: "x".into(),
            identity: "x".into(),
            part: Part::Test,
            shape,
            samples: Samples::images(sample.repeat(2), shape.values()),
            factors: vec![Factor {
                name: "class".into(),
                classes: vec![class.into()],
                values: vec![0, 0],
            }],
            label: vec!["class".into()],
            blocks: vec![],
            skipped: vec![],
        }
    }

    fn of(dataset: &Dataset) -> Section<'_> {
        Section {
            title: "two of them".into(),
            dataset,
            indices: vec![0, 1],
        }
    }

    /// Images of any size take about the same room, and long names no more.
    #[test]
    fn cells_are_of_one_size_whatever_is_in_them() {
        for (height, width) in [
            (1, 1),
            (28, 28),
            (64, 64),
            (512, 512),
            (4000, 10),
            (3, 4096),
        ] {
            let data = dataset(height, width, &"a very long name of a class ".repeat(9));
            let drawn = grid(&[of(&data)], 2).unwrap();
            assert!(
                (200..=280).contains(&drawn.width()),
                "{height}x{width}: {:?}",
                drawn.dimensions()
            );
            assert!(
                drawn.height() <= 180,
                "{height}x{width}: {:?}",
                drawn.dimensions()
            );
            // The first pixel of the first sample.
            assert_eq!(drawn.get_pixel(PAD, PAD + LINE + PAD).0, [200, 100, 50]);
        }
    }

    #[test]
    fn sections_are_below_each_other() {
        let (small, large) = (dataset(4, 4, "a"), dataset(200, 100, "b"));
        let [one, two] = [&small, &large].map(|data| grid(&[of(data)], 2).unwrap().height());
        let both = grid(&[of(&small), of(&large)], 2).unwrap();
        assert_eq!(both.height(), one + two - PAD);
    }

    #[test]
    fn every_letter_is_drawn() {
        for letter in ['a', 'é', 'λ', 'ひ', '猫', '\u{1f600}'] {
            assert_ne!(glyph(letter), [0; 8], "{letter}");
        }
    }
}
