//! Figures (SVG, PNG), tables (Parquet), event files (TensorBoard) and self-contained
//! HTML pages. Knows nothing of training: it draws what a [`Report`] or a [`Panel`] says.

mod attribution;
mod clustermap;
mod colours;
mod columns;
mod comparison;
mod curves;
mod download;
mod drawing;
mod events;
mod figure;
mod figures;
mod forest;
mod format;
mod heatmap;
mod interaction;
mod page;
mod palette;
mod parquet_table;
mod plot;
mod png;
mod references;
mod report;
mod scale;
mod sections;
mod sizes;
mod surface;
mod value_scale;

pub use clustermap::{ModelPanel, clustermap};
pub use columns::{Column, ParquetFailure, parquet};
pub use comparison::render_comparison;
pub use events::{Scalar, event_file};
pub use figures::{Figure, figures};
pub use heatmap::heatmap;
pub use page::render;
pub use parquet_table::{ParquetRefusal, ParquetTable, read_parquet};
pub use png::{PngError, png};
pub use report::{
    AttributionRow, AxisSection, ChangeRow, Curve, CurvePanel, EffectRow, Fit, ForestRow,
    GridAnswer, GridLine, GridSection, GridTerm, HeatmapPair, LevelSummary, MeasureRow, Panel,
    Reference, Report, SizeSlope, SizeSlopes, SkillRow, StartRow,
};
pub use value_scale::{ValueScale, Verdict};
