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
            SampleShape::Image { .. } => {
                let bytes = self.stored().iter().product::<usize>().next_multiple_of(4);
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
                Input::Images(self.taped_preprocessed(tape, images))
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

    /// The images whose places `feed` holds, on the 0..255 scale, `[size, c, h, w]`, as they are
    /// stored.
    pub(crate) fn taped_images(&self, tape: &Tape, size: usize, feed: usize) -> Tensor<4> {
        let [channels, height, width] = self.stored();
        tape.float([size, channels, height, width], Leaf::Samples(feed))
    }

    /// The same at the size and on the scale that models see.
    pub(crate) fn taped_preprocessed(&self, tape: &Tape, images: Tensor<4>) -> Tensor<4> {
        self.constants_on(tape.device()).preprocess(images)
    }
}
