//! The `[analysis]` section.

use std::collections::BTreeSet;

use reprsim_models::ModelConfig;

use super::reader::Reader;
use super::sections::AnalysisSection;
use crate::error::ConfigError;
use crate::experiment::{AnalysisConfig, Primary, ProbeConfig, ProbeKind};
use crate::measure::MeasureName;

/// What is measured where an experiment file names nothing.
pub const DEFAULT_MEASURES: [&str; 3] = [
    "cka_linear_debiased",
    "cka_linear_biased",
    "mutual_knn_cosine",
];

/// Permutations beyond which a p-value is of no use and the night too short.
const MOST_PERMUTATIONS: usize = 1_000_000;

impl Reader<'_> {
    pub(super) fn analysis(
        &self,
        given: &AnalysisSection,
        models: &[ModelConfig],
        probes: &[ProbeConfig],
    ) -> Result<AnalysisConfig, ConfigError> {
        let k = self.positive("analysis.k", given.k.unwrap_or(10))?;
        let (measures, primary) = self.measures(given)?;
        let names: Vec<(&str, ProbeKind)> =
            probes.iter().map(|p| (p.name.as_str(), p.kind)).collect();
        let place = "analysis.primary.probe";
        if self.pick("probe", place, &given.primary.probe, &names)? != ProbeKind::Fixed {
            return Err(self.at(
                place,
                "the primary probe must be the same samples at every level: a probe of kind 'fixed'",
            ));
        }
        // The layers that every model of the experiment has.
        let mut layers = models.first().map_or(vec![], ModelConfig::layer_names);
        for model in models {
            let names: BTreeSet<String> = model.layer_names().into_iter().collect();
            layers.retain(|name| names.contains(name));
        }
        let known: Vec<(&str, ())> = layers.iter().map(|name| (name.as_str(), ())).collect();
        self.pick(
            "layer",
            "analysis.primary.layer",
            &given.primary.layer,
            &known,
        )?;
        for (i, covariate) in given.covariates.iter().enumerate() {
            if given.covariates[..i].contains(covariate) {
                let reason = format!("'{}' twice", covariate.name());
                return Err(self.at(&format!("analysis.covariates.{i}"), reason));
            }
        }
        Ok(AnalysisConfig {
            covariates: given.covariates.clone(),
            leave_out_undertrained: given.leave_out_undertrained,
            primary: Primary {
                measure: primary.full_name(k),
                probe: given.primary.probe.clone(),
                layer: given.primary.layer.clone(),
            },
            measures,
            k,
            permutations: match given.permutations {
                Some(more) if more > MOST_PERMUTATIONS => {
                    self.count("analysis.permutations", more, MOST_PERMUTATIONS)?
                }
                given => given.unwrap_or(200),
            },
        })
    }

    /// All measures, and the declared one, which is among them.
    fn measures(
        &self,
        given: &AnalysisSection,
    ) -> Result<(Vec<MeasureName>, MeasureName), ConfigError> {
        let named =
            |place: &str, name: &str| MeasureName::named(name).map_err(|e| self.caused(place, e));
        let default = DEFAULT_MEASURES.map(String::from);
        let listed = given.measures.as_deref().unwrap_or(&default);
        let mut measures = Vec::new();
        for (i, name) in listed.iter().enumerate() {
            let place = format!("analysis.measures.{i}");
            let measure = named(&place, name)?;
            if measures.contains(&measure) {
                return Err(self.at(&place, format!("'{name}' twice")));
            }
            measures.push(measure);
        }
        let (place, name) = ("analysis.primary.measure", &given.primary.measure);
        let primary = named(place, name)?;
        if given.measures.is_none() && !measures.contains(&primary) {
            measures.insert(0, primary);
        }
        match measures.contains(&primary) {
            true => Ok((measures, primary)),
            false => Err(self.at(
                place,
                format!("the primary measure '{name}' is not among 'measures'"),
            )),
        }
    }
}
