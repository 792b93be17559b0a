//! Figures and one self-contained HTML page. Knows nothing of training: it
//! draws what a [`Report`] says.

mod figure;
mod forest;
mod format;
mod page;
mod report;
mod scale;

pub use page::render;
pub use report::{
    AccuracyRow, AxisSection, EffectRow, Fit, ForestRow, LevelSummary, Reference, Report, Verdict,
};
