//! What models are trained to do: a file a task, a line each in the table.

mod contract;
mod table;

use table::tasks;

tasks! {
    // file: settings, variant; the name in experiment files.
    classify: ClassifySettings, Classify, "classify";
    reconstruct: ReconstructSettings, Reconstruct, "reconstruct";
    distill: DistillSettings, Distill, "distill";
    predict: PredictSettings, Predict, "predict";
}

pub use classify::cross_entropy;
pub use contract::{Batch, Loss, Reduction, Target, Task, Teacher, WrongSetting};
pub use distill::divergence;
pub use reconstruct::negative_elbo;
