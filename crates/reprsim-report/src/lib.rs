//! Figures (SVG, PNG), tables (Parquet) and one self-contained HTML page. Knows
//! nothing of training: it draws what a [`Report`] or a [`Panel`] says.

mod columns;
mod figure;
mod forest;
mod format;
mod heatmap;
mod interaction;
mod page;
mod png;
mod report;
mod scale;

pub use columns::{Column, ParquetFailure, parquet};
pub use heatmap::{Panel, heatmap};
pub use page::render;
pub use png::{PngError, png};
pub use report::{
    AxisSection, EffectRow, Fit, ForestRow, GridAnswer, GridLine, GridSection, GridTerm,
    LevelSummary, Reference, Report, SkillRow, Verdict,
};
