//! The sizes of a convolution.

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub kernel: usize,
    /// Its step.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

/// All sizes of a convolution from `large` images (its input) to `small` ones (its
/// output). A transposed convolution has the same sizes and goes the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Images.
    pub n: usize,
    /// Channels, height and width of the convolution's input.
    pub large: [usize; 3],
    /// Channels, height and width of its output.
    pub small: [usize; 3],
    /// The window.
    pub window: Window,
    /// Into how many groups the channels of both are divided, each of the output's seeing one of the input's.
    pub groups: usize,
}

impl Geometry {
    /// Of a convolution of `[n, c, h, w]` to `channels`.
    pub fn convolution(input: [usize; 4], channels: usize, window: Window) -> Self {
        let [n, c, h, w] = input;
        let side = |side: usize| (side + 2 * window.padding - window.kernel) / window.stride + 1;
        Self {
            n,
            large: [c, h, w],
            small: [channels, side(h), side(w)],
            window,
            groups: 1,
        }
    }

    /// Of a transposed convolution of `[n, c, h, w]` to `channels`.
    pub fn transposed(input: [usize; 4], channels: usize, window: Window) -> Self {
        let [n, c, h, w] = input;
        let side = |side: usize| (side - 1) * window.stride + window.kernel - 2 * window.padding;
        Self {
            n,
            large: [channels, side(h), side(w)],
            small: [c, h, w],
            window,
            groups: 1,
        }
    }

    /// The same with the channels in groups.
    pub fn in_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Pixels of an output image.
    pub fn positions(&self) -> usize {
        self.small[1] * self.small[2]
    }

    /// Pixels of an input image.
    pub fn pixels(&self) -> usize {
        self.large[1] * self.large[2]
    }

    /// Weights of one output channel for one input channel.
    pub fn taps(&self) -> usize {
        self.window.kernel * self.window.kernel
    }
}
