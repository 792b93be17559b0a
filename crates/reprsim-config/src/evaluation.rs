//! What is computed of a finished pair, as far as an experiment file is concerned.

use std::fmt::Debug;

use reprsim_base::SettingsError;
use schemars::Schema;
use serde_json::Value;

/// An evaluation of a pair that an experiment file can ask for by a section
/// `[evaluation.NAME]`. (What it computes is a matter of `reprsim-run`.)
pub trait EvaluationSettings: Sync + Debug {
    /// The name.
    fn name(&self) -> &'static str;

    /// Its settings with every default filled in.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn settings(&self, given: &Value) -> Result<Value, SettingsError>;

    /// What its section may hold.
    fn schema(&self) -> Schema;
}
