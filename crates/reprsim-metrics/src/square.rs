//! Tables of products of layers.

/// A symmetric or rectangular table of products by layer numbers.
#[derive(Clone, Default)]
pub(crate) struct Square {
    size: usize,
    pub values: Vec<f64>,
}

impl Square {
    pub fn new(size: usize) -> Self {
        Self {
            size,
            values: vec![0.0; size * size],
        }
    }

    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.size + j]
    }

    pub fn add(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.size + j] += value;
    }
}

/// Products of all pairs of layers.
#[cfg_attr(
    not(feature = "wgpu"),
    allow(dead_code, reason = "no GPU that finds them")
)]
pub(crate) struct Found {
    /// As they are.
    pub observed: Square,
    /// Under each permutation.
    pub permuted: Vec<Square>,
    /// Sums along the rows of the tiles, of each layer; empty where they were known.
    pub rows: Vec<Vec<f64>>,
}
