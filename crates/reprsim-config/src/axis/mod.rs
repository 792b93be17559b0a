//! What a sweep varies: a file a kind, a line each in the table.

mod cause;
mod kind;
mod table;

use table::causes;

causes! {
    // file: kinds.
    data: Data;
    class: Class;
    task: Task;
    partition: Partition;
    style: Style;
    size: WIDTH, DEPTH, MODELS;
}

pub use cause::{Asked, Cause, Design, LabelSpace, Place, Refusal, SplitRequest, Subject, Words};
pub use kind::AxisKind;
