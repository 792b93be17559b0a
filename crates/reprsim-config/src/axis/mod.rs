//! What a sweep varies: one file a kind, one line each in the table.

mod cause;
mod class;
mod data;
mod kind;
mod partition;
mod style;
mod task;
mod size;

pub use cause::{Cause, Design, LabelSpace, Refusal, SplitRequest, Subject, Words};
pub use kind::AxisKind;

/// All kinds, in the order in which a grid takes them.
pub const CAUSES: &[&dyn Cause] = &[
    &class::Class,
    &data::Data,
    &task::Task,
    &partition::Partition,
    &style::Style,
    &size::Width,
    &size::Depth,
];
