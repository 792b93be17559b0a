//! Samples in a pass that is being recorded: what it reads of them, and what each replay feeds
//! it.

use std::ops::Range;

use burn::tensor::Tensor;
use reprsim_graph::{Leaf, Tape};
use reprsim_models::{Input, InputShape};

use crate::supply::Supply;

impl Supply {
    /// Bytes of a sample of the resident data, of whose images each begins a new word; 0 of
    /// text, which is fed.
    pub fn taped_bytes(&self) -> usize {
        match self.shape() {
            InputShape::Image {
                channels,
                height,
                width,
            } => (channels * height * width).next_multiple_of(4),
            InputShape::Tokens { .. } => 0,
        }
    }

    /// Words of the feed of a pass over `size` samples.
    pub fn taped_words(&self, size: usize) -> usize {
        match self.shape() {
            InputShape::Image { .. } => size,
            InputShape::Tokens { window, .. } => size * window,
        }
    }

    /// `size` samples as a batch that models take: resident images whose places `feed` holds,
    /// or the tokens that it holds.
    pub fn taped(&self, tape: &Tape, size: usize, feed: usize) -> Input {
        match self.shape() {
            InputShape::Image { .. } => {
                let images = self.taped_images(tape, size, feed);
                Input::Images(self.taped_normalized(tape, images))
            }
            InputShape::Tokens { window, .. } => {
                Input::Tokens(tape.int([size, window], Leaf::Feed(feed)))
            }
        }
    }

    /// What that feed holds of the samples in `range`.
    pub fn taped_feed(&self, range: Range<usize>) -> Vec<u32> {
        match self.shape() {
            InputShape::Image { .. } => range.map(|place| place as u32).collect(),
            InputShape::Tokens { window, .. } => range
                .flat_map(|place| self.tokens(place..place + 1).take(window))
                .map(|token| f32::from(token).to_bits())
                .collect(),
        }
    }

    /// The images whose places `feed` holds, on the 0..255 scale, `[size, c, h, w]`.
    pub(crate) fn taped_images(&self, tape: &Tape, size: usize, feed: usize) -> Tensor<4> {
        let [channels, height, width] = match self.shape() {
            InputShape::Image {
                channels,
                height,
                width,
            } => [channels, height, width],
            InputShape::Tokens { .. } => [0; 3],
        };
        tape.float([size, channels, height, width], Leaf::Samples(feed))
    }

    /// The same on the scale that models see.
    pub(crate) fn taped_normalized(&self, tape: &Tape, images: Tensor<4>) -> Tensor<4> {
        let [scale, offset] = self.scales_on(tape.device());
        images * scale - offset
    }
}
