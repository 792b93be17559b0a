//! Samples in a pass that is being recorded: what it reads of them, and what each replay feeds
//! it.

use burn::tensor::Tensor;
use reprsim_graph::{Leaf, Samples, Tape};
use reprsim_models::{Input, SampleShape};

use crate::supply::Supply;

impl Supply {
    /// Where a pass finds images: resident where they fit the budget, else fed. Text is fed as
    /// tokens.
    pub fn taped_samples(&self) -> Samples {
        match self.shape() {
            SampleShape::Image {
                channels,
                height,
                width,
            } => {
                let bytes = (channels * height * width).next_multiple_of(4);
                match self.fits() {
                    true => Samples::Resident(bytes),
                    false => Samples::Fed(bytes),
                }
            }
            SampleShape::Tokens { .. } => Samples::None,
        }
    }

    /// Words of the feed of a pass over `size` samples.
    pub fn taped_words(&self, size: usize) -> usize {
        match (self.taped_samples(), self.shape()) {
            (Samples::Resident(_), _) => size,
            (Samples::Fed(bytes), _) => size * bytes / 4,
            (_, SampleShape::Tokens { window, .. }) => size * window,
            (Samples::None, _) => 0,
        }
    }

    /// `size` samples as a batch that models take: resident images whose places `feed` holds,
    /// or the tokens that it holds.
    pub fn taped(&self, tape: &Tape, size: usize, feed: usize) -> Input {
        match self.shape() {
            SampleShape::Image { .. } => {
                let images = self.taped_images(tape, size, feed);
                Input::Images(self.taped_normalized(tape, images))
            }
            SampleShape::Tokens { window, .. } => {
                Input::Tokens(tape.int([size, window], Leaf::Feed(feed)))
            }
        }
    }

    /// What that feed holds of the samples at some places.
    pub fn taped_feed(&self, places: impl Iterator<Item = usize>) -> Vec<u32> {
        match (self.taped_samples(), self.shape()) {
            (Samples::Fed(_), _) => places.flat_map(|place| self.image_words(place)).collect(),
            (_, SampleShape::Tokens { window, .. }) => places
                .flat_map(|place| self.tokens(place).iter().take(window))
                .map(|&token| f32::from(token).to_bits())
                .collect(),
            _ => places.map(|place| place as u32).collect(),
        }
    }

    /// The images whose places `feed` holds, on the 0..255 scale, `[size, c, h, w]`.
    pub(crate) fn taped_images(&self, tape: &Tape, size: usize, feed: usize) -> Tensor<4> {
        let [channels, height, width] = match self.shape() {
            SampleShape::Image {
                channels,
                height,
                width,
            } => [channels, height, width],
            SampleShape::Tokens { .. } => [0; 3],
        };
        tape.float([size, channels, height, width], Leaf::Samples(feed))
    }

    /// The same on the scale that models see.
    pub(crate) fn taped_normalized(&self, tape: &Tape, images: Tensor<4>) -> Tensor<4> {
        let [scale, offset] = self.scales_on(tape.device());
        images * scale - offset
    }
}
