//! Windows drawn at random from chunks of text, on the host: a few kilobytes a step from the
//! mapped token file, whatever its size.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};
use reprsim_data::Dataset;

/// The chunks that a model draws its windows from.
pub(crate) struct Windows<'a> {
    pub dataset: &'a Dataset,
    pub chunks: &'a [u32],
    /// Tokens that a model takes in.
    pub window: usize,
    pub device: &'a Device,
}

impl Windows<'_> {
    /// `batch` windows of `window + 1` tokens; each from a chunk drawn at random, at a place
    /// drawn at random, and never across the chunk's end.
    pub fn draw(&self, batch: usize, rng: &mut impl Rng) -> Tensor<2, Int> {
        let values = self.tokens(batch, rng);
        let data = TensorData::new(values, [batch, self.window + 1]);
        Tensor::from_data(data, self.device)
    }

    /// The same tokens on the host.
    pub fn tokens(&self, batch: usize, rng: &mut impl Rng) -> Vec<i32> {
        let window = self.window;
        let mut values = Vec::with_capacity(batch * (window + 1));
        for _ in 0..batch {
            let chunk = self.chunks[rng.random_range(0..self.chunks.len())];
            let tokens = self.dataset.tokens(chunk as usize);
            let start = rng.random_range(0..tokens.len() - window);
            let tokens = &tokens[start..start + window + 1];
            values.extend(tokens.iter().map(|&token| i32::from(token)));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use reprsim_base::Stream;
    use reprsim_data::{DatasetSpec, FATHER_BROWN, Part, TEXT, TextSettings, Tokenizer, open};

    use super::*;

    const WINDOW: usize = 12;

    fn part(part: Part, chunks: usize) -> Dataset {
        let cache = tempfile::tempdir().unwrap();
        let text = TextSettings {
            corpora: vec![FATHER_BROWN.into()],
            tokenizer: Tokenizer::Bytes,
            window: WINDOW,
            chunks,
            field: None,
        };
        let spec = DatasetSpec {
            name: TEXT.into(),
            text: Some(text),
            ..DatasetSpec::default()
        };
        open(&spec, part, cache.path()).unwrap()
    }

    fn drawn(dataset: &Dataset, chunks: &[u32], count: usize) -> Vec<Vec<u16>> {
        let windows = Windows {
            dataset,
            chunks,
            window: WINDOW,
            device: &Device::flex(),
        };
        let windows = windows.draw(count, &mut Stream::new(1).rng()).into_data();
        let tokens: Vec<u16> = windows.iter::<i64>().map(|t| t as u16).collect();
        tokens.chunks(WINDOW + 1).map(<[u16]>::to_vec).collect()
    }

    #[test]
    fn windows_are_whole_pieces_of_the_models_own_chunks() {
        let train = part(Part::Train, 4000);
        let own = [7u32, 1234, 3999];
        let length = train.tokens(7).len();
        assert!(
            (WINDOW + 2..200).contains(&length),
            "short chunks, many borders"
        );
        let mut starts = vec![0usize; length];
        for window in drawn(&train, &own, 3000) {
            let place = own.iter().find_map(|&chunk| {
                let mut pieces = train.tokens(chunk as usize).windows(WINDOW + 1);
                pieces.position(|piece| piece == window)
            });
            starts[place.expect("a window inside one of the chunks")] += 1;
        }
        // From the first place to the last that leaves a whole window.
        assert!(starts[0] > 0 && starts[length - WINDOW - 1] > 0);
        assert!(starts[length - WINDOW..].iter().all(|&n| n == 0));
    }

    #[test]
    fn a_chunk_of_one_window_is_that_window() {
        let tokens = part(Part::Train, 2).tokens(0).len() * 2;
        let train = part(Part::Train, tokens / (WINDOW + 1));
        assert_eq!(train.tokens(5).len(), WINDOW + 1);
        for window in drawn(&train, &[5], 20) {
            assert_eq!(window, train.tokens(5));
        }
    }

    /// The longest stretches of held-out windows are nowhere in the training text: no
    /// document is in two parts.
    #[test]
    fn held_out_text_is_in_no_training_chunk() {
        let train = part(Part::Train, 10);
        let all: Vec<u16> = (0..10).flat_map(|i| train.tokens(i).to_vec()).collect();
        for held_out in [part(Part::Validation, 80), part(Part::Test, 80)] {
            // Ten windows that follow each other in one document.
            for start in (0..held_out.len() - 10).step_by(40) {
                let same = held_out.blocks[start] == held_out.blocks[start + 9];
                if !same {
                    continue;
                }
                let text: Vec<u16> = (start..start + 10)
                    .flat_map(|i| held_out.tokens(i).to_vec())
                    .collect();
                assert!(!all.windows(text.len()).any(|piece| piece == text));
            }
        }
    }
}
