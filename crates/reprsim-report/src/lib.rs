//! Figures (SVG, PNG), tables (Parquet), event files (TensorBoard) and self-contained
//! HTML pages. Knows nothing of training: it draws what a [`Report`] or a [`Panel`] says.

mod attribution;
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
mod plot;
mod png;
mod references;
mod report;
mod scale;
mod sections;
mod surface;

pub use columns::{Column, ParquetFailure, parquet};
pub use comparison::render_comparison;
pub use events::{Scalar, event_file};
pub use figures::{Figure, figures};
pub use heatmap::{Panel, heatmap};
pub use page::render;
pub use png::{PngError, png};
pub use report::{
    AttributionRow, AxisSection, Curve, CurvePanel, EffectRow, Fit, ForestRow, GridAnswer,
    GridLine, GridSection, GridTerm, HeatmapPair, LevelSummary, MeasureRow, Reference, Report,
    SkillRow, Verdict,
};
