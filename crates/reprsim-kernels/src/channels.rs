//! Images whose slowest axis in memory is the channel.

/// The planes of a batch of images: plane (c, i) begins at `c * channel + i * image`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Distance between channels.
    pub channel: usize,
    /// Distance between images.
    pub image: usize,
    /// Pixels of a plane.
    pub pixels: usize,
}

impl<'a> Planes<'a> {
    /// One plane.
    pub fn plane(&self, channel: usize, image: usize) -> &'a [f32] {
        let start = channel * self.channel + image * self.image;
        &self.values[start..start + self.pixels]
    }
}
