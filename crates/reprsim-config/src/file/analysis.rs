//! The `[analysis]` section.

use reprsim_metrics::REGISTRY;
use reprsim_models::ModelConfig;

use super::raw::RawAnalysis;
use super::reader::Reader;
use crate::ExperimentError;
use crate::experiment::{AnalysisConfig, Covariate, Primary, ProbeConfig, ProbeKind};

/// What is measured where an experiment file names nothing.
pub const DEFAULT_MEASURES: [&str; 3] = [
    "cka_linear_debiased",
    "cka_linear_biased",
    "mutual_knn_cosine",
];

impl Reader<'_> {
    pub(super) fn analysis(
        &self,
        raw: &RawAnalysis,
        models: &[ModelConfig],
        probes: &[ProbeConfig],
    ) -> Result<AnalysisConfig, ExperimentError> {
        let known: Vec<(&str, ())> = (REGISTRY.iter())
            .map(|m| (m.properties().name, ()))
            .collect();
        let mut measures = Vec::new();
        match &raw.measures {
            None => measures.extend(DEFAULT_MEASURES.map(String::from)),
            Some(listed) => {
                for name in listed {
                    self.pick("measure", name, &known)?;
                    if measures.contains(name.get_ref()) {
                        return Err(self.at(name, format!("'{}' twice", name.get_ref())));
                    }
                    measures.push(name.get_ref().clone());
                }
            }
        }
        let k = raw.k.as_ref().map_or(10, |k| *k.get_ref());
        if k == 0
            && let Some(place) = &raw.k
        {
            return Err(self.at(place, "k = 0: at least one neighbour is needed"));
        }
        let primary = &raw.primary;
        self.pick("measure", &primary.measure, &known)?;
        if raw.measures.is_none() && !measures.contains(primary.measure.get_ref()) {
            measures.insert(0, primary.measure.get_ref().clone());
        }
        if !measures.contains(primary.measure.get_ref()) {
            return Err(self.at(
                &primary.measure,
                format!(
                    "the primary measure '{}' is not among 'measures'",
                    primary.measure.get_ref()
                ),
            ));
        }
        let names: Vec<(&str, ProbeKind)> =
            probes.iter().map(|p| (p.name.as_str(), p.kind)).collect();
        if self.pick("probe", &primary.probe, &names)? != ProbeKind::Fixed {
            return Err(self.at(
                &primary.probe,
                "the primary probe must be the same samples at every level: a probe of kind 'fixed'",
            ));
        }
        // The layers that every model of the experiment has.
        let mut layers: Vec<(&str, ())> = Vec::new();
        for name in models.first().map_or(vec![], ModelConfig::layer_names) {
            if models.iter().all(|m| m.layer_names().contains(&name)) {
                layers.push((name, ()));
            }
        }
        self.pick("layer", &primary.layer, &layers)?;
        let known = Covariate::ALL.map(|covariate| (covariate.name(), covariate));
        let mut covariates = Vec::new();
        for name in raw.covariates.iter().flatten() {
            let covariate = self.pick("covariate", name, &known)?;
            if covariates.contains(&covariate) {
                return Err(self.at(name, format!("'{}' twice", name.get_ref())));
            }
            covariates.push(covariate);
        }
        Ok(AnalysisConfig {
            covariates,
            leave_out_undertrained: raw.leave_out_undertrained.unwrap_or_default(),
            primary: Primary {
                measure: reprsim_metrics::find(primary.measure.get_ref())
                    .map_or_else(String::new, |m| m.full_name(k)),
                probe: primary.probe.get_ref().clone(),
                layer: primary.layer.get_ref().clone(),
            },
            measures,
            k,
            permutations: raw.permutations.as_ref().map_or(200, |p| *p.get_ref()),
        })
    }
}
