//! The `[evaluation.NAME]` sections.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Reader;
use crate::error::ConfigError;
use crate::evaluation::EvaluationSettings;

impl Reader<'_> {
    /// The settings of each evaluation that is asked for.
    pub(super) fn evaluations(
        &self,
        given: &BTreeMap<String, Value>,
        known: &[&dyn EvaluationSettings],
    ) -> Result<BTreeMap<String, Value>, ConfigError> {
        let named: Vec<_> = known.iter().map(|known| (known.name(), *known)).collect();
        let mut settings = BTreeMap::new();
        for (name, value) in given {
            let place = format!("evaluation.{name}");
            let evaluation = self.pick("evaluation", &place, name, &named)?;
            let resolved = evaluation
                .settings(value)
                .map_err(|e| self.told(&place, &e.to_string(), Some(e.into())))?;
            settings.insert(name.clone(), resolved);
        }
        Ok(settings)
    }
}
