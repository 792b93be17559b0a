//! Products of samples, tile by tile, on their way to the host.

use std::ops::Range;
use std::sync::Mutex;

use reprsim_graph::{
    Computation, Gpu, Graph, GraphError, Leaf, Program, Region, Session, Shapes, Target,
};

use super::replay::words;
use crate::MetricError;
use crate::source::HostValues;
use crate::view::View;

/// The Gram matrix of a view whose rows are on the device.
pub(crate) struct Gram {
    /// One tile at a time.
    session: Mutex<Session>,
    /// Rows and columns of a tile.
    tile: [usize; 2],
}

impl Gram {
    /// Of tiles of at most `tile` rows and columns; `None` where the view's rows are not kept,
    /// or not on a device that replays.
    pub fn new(view: &View, tile: [usize; 2]) -> Result<Option<Self>, MetricError> {
        let Some((gpu, values)) = device(view)? else {
            return Ok(None);
        };
        let (n, d) = (view.rows(), view.width());
        let tile = tile.map(|side| side.min(n));
        let mut graph = Graph::default();
        let table = graph.leaf(Leaf::State(0), &[n, d]);
        let [rows, columns] = [0, 1].map(|side| {
            let places = graph.leaf(Leaf::Feed(side), &[tile[side]]);
            graph.gather(table, places)
        });
        let product = graph.contract([rows, columns], [b"rd", b"cd", b"rc"]);
        let computation = Computation {
            graph,
            outputs: vec![(product, Target::Read)],
            feeds: tile.to_vec(),
            ..Computation::default()
        };
        let shapes = Shapes {
            states: vec![n * d],
            ..Shapes::default()
        };
        let program = Program::new(&computation, &shapes, None, gpu.hardware);
        let session = match Session::new(&gpu, &shapes, 1, vec![program.into()]) {
            Ok(session) => session,
            Err(GraphError::Memory { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        session.write(0, Region::State(0), &values);
        Ok(Some(Self {
            session: Mutex::new(session),
            tile,
        }))
    }

    /// The products of samples `rows` with samples `columns`, row-major.
    pub fn tile(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Vec<f32>, MetricError> {
        let poisoned = |_| MetricError::Device("a thread that used the device panicked".into());
        let session = self.session.lock().map_err(poisoned)?;
        let mut fed = vec![0; session.fed(0)];
        for (feed, range) in [rows, columns].into_iter().enumerate() {
            let at = session.feed_place(0, feed);
            let places = words(range.start as u32..range.end as u32);
            fed[at..at + places.len()].copy_from_slice(&places);
        }
        session.run(0, fed)?;
        let whole = session.fetch(session.stage(0)?)?.pop().unwrap_or_default();
        let row = |row: &[f32]| row[..columns.len()].to_vec();
        let [_, width] = self.tile;
        Ok((whole.chunks_exact(width).take(rows.len()))
            .flat_map(row)
            .collect())
    }
}

/// The GPU that replays, and the view's rows; `None` where there is none, or they are not kept.
pub(super) fn device(view: &View) -> Result<Option<(Gpu, HostValues)>, MetricError> {
    if !numbered(view.rows()) {
        return Ok(None);
    }
    // What we cannot open burn may, or says better what is wrong.
    let Some(gpu) = Gpu::of(view.device()) else {
        return Ok(None);
    };
    let values = |kept: &[f32]| HostValues::from(kept.to_vec());
    Ok(view.kept().map(|kept| (gpu, values(kept))))
}

/// Whether each of so many rows has a number that f32 holds.
pub(super) fn numbered(rows: usize) -> bool {
    rows < 1 << 24
}
