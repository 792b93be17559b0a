//! What networks of inverted residual blocks have in common (Sandler et al. 2018, arXiv 1801.04381): few
//! channels, then many of them each convolved by itself, then few again.

use super::sizes::{map_values, side_after};
use crate::Kept;

/// Channels of the stem by which a multiplier of channels is given: it is the width over this.
pub(crate) const STEM: usize = 32;

/// The sizes of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inverted {
    /// Channels before it, of its depthwise convolution, and behind it.
    pub channels: [usize; 3],
    /// Side of the depthwise convolution's kernel.
    pub kernel: usize,
    /// Its step.
    pub stride: usize,
}

impl Inverted {
    /// Whether there is a convolution before the depthwise one.
    pub fn expands(&self) -> bool {
        self.channels[0] != self.channels[1]
    }

    /// Whether the input is led around it.
    pub fn is_residual(&self) -> bool {
        self.stride == 1 && self.channels[0] == self.channels[2]
    }

    /// What a training step keeps of a sample whose maps have these sides, of each convolution before and
    /// after its norm, and of the sum, is added to `kept`; `sides` become those of its output.
    fn keep(&self, kept: &mut Kept, sides: &mut [usize; 2]) {
        let [_, inner, to] = self.channels;
        let before = 2 * u128::from(self.expands()) * map_values(inner, *sides);
        *sides = sides.map(|side| side_after(side, self.kernel, self.stride, self.kernel / 2));
        let output = map_values(to, *sides);
        let behind = 1 + u128::from(self.is_residual());
        let inside = before + 2 * map_values(inner, *sides) + behind * output;
        kept.add_part(inside, output);
    }
}

/// Stages of blocks: how often their input's channels are inside, channels behind them, how many they are,
/// the kernel and the step of the first.
pub(crate) type Stages<const N: usize> = [([usize; 3], [usize; 2]); N];

/// All blocks, a stage each, of a network with so many channels behind its stem and as many in its stages as
/// `width` over [`STEM`] times those given.
pub(crate) fn stages_of<const N: usize>(
    stem: usize,
    width: usize,
    stages: Stages<N>,
) -> Vec<Vec<Inverted>> {
    let mut from = stem;
    let stages = stages.into_iter();
    let stage = stages.map(|([times, channels, blocks], [kernel, stride])| {
        let to = scaled(channels, width);
        let blocks = (0..blocks).map(|block| {
            let sizes = Inverted {
                channels: [from, times * from, to],
                kernel,
                stride: if block == 0 { stride } else { 1 },
            };
            from = to;
            sizes
        });
        blocks.collect()
    });
    stage.collect()
}

/// What a training step keeps of a sample: of the stem (its channels and step), the blocks, and the last
/// convolution's channels.
pub(crate) fn kept_of_blocks(
    [stem, stride]: [usize; 2],
    blocks: &[Vec<Inverted>],
    last: usize,
    sides: [usize; 2],
) -> Kept {
    let mut sides = sides.map(|side| side_after(side, 3, stride, 1));
    let mut kept = Kept::always(2 * map_values(stem, sides));
    for block in blocks.iter().flatten() {
        block.keep(&mut kept, &mut sides);
    }
    kept.add(2 * map_values(last, sides));
    kept
}

/// Channels that a multiplier leaves of `channels`: the nearest multiple of 8, but no less than nine tenths
/// of them (as TensorFlow, torchvision and timm round). The multiplier is `width` over [`STEM`].
pub(crate) fn scaled(channels: usize, width: usize) -> usize {
    let exact = channels * width;
    let rounded = ((exact + 4 * STEM) / STEM / 8 * 8).max(8);
    match 10 * STEM * rounded < 9 * exact {
        true => rounded + 8,
        false => rounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision's `_make_divisible(channels * multiplier, 8)` at multipliers 1, 0.5, 0.75, 0.25 and 1.25.
    #[test]
    fn channels_are_torchvisions() {
        let of = |width: usize| [16, 24, 32, 64, 96, 160, 320].map(|c| scaled(c, width));
        assert_eq!(of(32), [16, 24, 32, 64, 96, 160, 320]);
        assert_eq!(of(16), [8, 16, 16, 32, 48, 80, 160]);
        assert_eq!(of(24), [16, 24, 24, 48, 72, 120, 240]);
        assert_eq!(of(8), [8, 8, 8, 16, 24, 40, 80]);
        assert_eq!(of(40), [24, 32, 40, 80, 120, 200, 400]);
    }
}
