//! An n x n matrix in tiles, never whole, and the products of samples in them.

use std::ops::Range;

use crate::MetricError;
use crate::host;
use crate::rows::Rows;
use crate::source::HostValues;
use crate::view::View;

/// Rows of a tile.
const TILE_ROWS: usize = 128;

/// Entries of a tile at most: the sum over their squares in f32 keeps seven
/// digits. Tiles are added up in f64.
const TILE_ENTRIES: usize = 1 << 18;

/// Bytes of all layers' tiles that a thread works on.
const TILES_BYTES: usize = 64 << 20;

/// Tiles that together cover an n x n matrix on and above the diagonal, of a size
/// for working on those of `layers` layers at once: squares on the diagonal and
/// wide tiles beside them.
pub(crate) fn tiles(n: usize, layers: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let entries = TILE_ENTRIES.min(TILES_BYTES / 4 / layers.max(1));
    let width = (entries / TILE_ROWS).max(TILE_ROWS);
    let mut all = Vec::new();
    for start in (0..n).step_by(TILE_ROWS) {
        let rows = start..(start + TILE_ROWS).min(n);
        all.push((rows.clone(), rows.clone()));
        for left in (rows.end..n).step_by(width) {
            all.push((rows.clone(), left..(left + width).min(n)));
        }
    }
    all
}

/// The products of some samples of a view on the host with others, row-major, zeros for far ones;
/// many on all threads.
fn product(
    view: &View,
    rows: &Range<usize>,
    columns: &Range<usize>,
) -> Result<Vec<f32>, MetricError> {
    let (x, y) = (view.near(rows.clone())?, view.near(columns.clone())?);
    Ok(host::gram(&x, &y, view.width()))
}

/// The products of a view's samples, tile by tile, in the host's memory.
pub(crate) struct GramTiles<'a> {
    view: &'a View,
    /// All its rows, where the view does not keep them and they are needed time and again.
    near: Option<Vec<f32>>,
    #[cfg(feature = "wgpu")]
    replayed: Option<crate::gpu::Gram>,
}

impl<'a> GramTiles<'a> {
    /// Of a view that is not degenerate.
    pub fn new(view: &'a View) -> Result<Self, MetricError> {
        Ok(Self {
            view,
            near: None,
            #[cfg(feature = "wgpu")]
            replayed: crate::gpu::Gram::new(view, [TILE_ROWS, TILE_ENTRIES / TILE_ROWS])?,
        })
    }

    /// The same where all its rows are at hand in f64: a view that does not keep them would read and map
    /// each of them for every tile that it is in.
    pub fn of_rows(view: &'a View, rows: &[f64]) -> Result<Self, MetricError> {
        let tiles = Self::new(view)?;
        let near = (view.on_host() && !view.is_kept()).then(|| view.near_of(rows));
        Ok(Self { near, ..tiles })
    }

    /// The products of some samples with others, row-major. The ranges are those of [`tiles`] of
    /// one layer.
    pub fn tile(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<HostValues, MetricError> {
        self.view.check_stop()?;
        #[cfg(feature = "wgpu")]
        if let Some(replayed) = &self.replayed {
            return Ok(HostValues::from(replayed.tile(rows, columns)?));
        }
        if let Some(near) = &self.near {
            let d = self.view.width();
            let of = |range: &Range<usize>| &near[range.start * d..range.end * d];
            return Ok(HostValues::from(host::gram(of(rows), of(columns), d)));
        }
        if self.view.on_host() {
            return Ok(HostValues::from(product(self.view, rows, columns)?));
        }
        let x = self.view.chunk(rows.clone())?;
        let y = self.view.chunk(columns.clone())?;
        HostValues::of(x.matmul(y.transpose()))
    }
}
