//! The shape of a sample, as data sets have it and models take it in.

/// The shape of one sample, by modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleShape {
    /// An image, stored channel by channel, row by row.
    Image {
        /// Colour channels (1 or 3).
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A piece of a stream of tokens. A held-out sample is a window of
    /// `window + 1` tokens, the input and its target shifted by one; a training
    /// sample is a chunk of the stream, from which such windows are drawn.
    Tokens {
        /// Tokens that a model sees at once.
        window: usize,
        /// Tokens are below this.
        vocabulary: usize,
    },
}

impl SampleShape {
    /// Values that a model sees of one sample at once.
    pub fn values(self) -> usize {
        match self {
            Self::Image {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Tokens { window, .. } => window,
        }
    }
}
