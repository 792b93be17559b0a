//! How many seeds an effect needs, from the spread of a pilot run.

use reprsim_config::{Cell, Experiment, Plan, Term};
use reprsim_run::results::CellResult;
use reprsim_stats::{Noise, detectable_slope, pilot, seeds_for};

use super::series::{Place, Series};
use crate::error::AnalysisError;

/// The chances of finding a slope that designs are usually made for.
const POWERS: [f64; 2] = [0.8, 0.9];

/// What a pilot says of one axis or interaction of the primary result.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerRow {
    /// The sweep.
    pub sweep: Term,
    /// The axis or interaction.
    pub axis: Term,
    /// Seeds of the pilot that were used.
    pub pilot_seeds: usize,
    /// Standard deviation of the residuals; in a nested design, of the slopes of single
    /// seeds.
    pub spread: f64,
    /// The slope asked for.
    pub slope: f64,
    /// Seeds that find it with a chance of 80 %; absent where no number does.
    pub seeds_80: Option<usize>,
    /// With a chance of 90 %.
    pub seeds_90: Option<usize>,
    /// The slope that the experiment's own number of seeds finds with a chance of 80 %;
    /// absent where so few cannot be tested.
    pub detectable: Option<f64>,
}

/// For every sweep of `experiment`, the seeds that the primary result needs to find
/// `slope`, judged by the finished cells of a `pilot` with the same sweeps, pairing and
/// primary result.
///
/// # Errors
/// [`AnalysisError::Usage`] if the pilot is of another design or has too few cells.
pub fn power(
    experiment: &Experiment,
    pilot_plan: &Plan,
    results: &[(Cell, CellResult)],
    slope: f64,
) -> Result<Vec<PowerRow>, AnalysisError> {
    let theirs = &pilot_plan.experiment;
    let kept: Vec<&(Cell, CellResult)> = results.iter().collect();
    let primary = &experiment.analysis.primary;
    if experiment.pairing != theirs.pairing {
        return Err(AnalysisError::Usage(format!(
            "the pilot's pairs are {}, this experiment's {}: their spreads differ",
            theirs.pairing.name(),
            experiment.pairing.name()
        )));
    }
    let mut rows = Vec::new();
    for sweep in &experiment.sweeps {
        let name = sweep.term();
        let say = |reason: String| AnalysisError::Usage(format!("sweep {name}: {reason}"));
        let place = theirs
            .sweeps
            .iter()
            .position(|s| s == sweep)
            .and_then(|index| {
                let k = theirs.analysis.k;
                let measures = theirs.analysis.measures.iter();
                let measure = measures
                    .copied()
                    .find(|measure| measure.full_name(k) == primary.measure)?;
                Some(Place {
                    experiment: theirs,
                    index,
                    sweep: &theirs.sweeps[index],
                    probe: theirs.probes.iter().find(|p| p.name == primary.probe)?,
                    layer: (theirs.layer_names().into_iter()).find(|l| *l == primary.layer)?,
                    measure,
                    name: primary.measure.clone(),
                })
            });
        let Some(place) = place else {
            return Err(say(format!(
                "the pilot has no sweep of the same levels and factors measured by {} of layer {} on \
                 probe {}",
                primary.measure, primary.layer, primary.probe
            )));
        };
        let series = Series::collect(place, &kept);
        let (values, seeds) = (series.values(), series.seeds());
        let mut distinct = seeds.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let terms = series.terms();
        let columns: Vec<Vec<f64>> = terms.iter().map(|(_, column)| column.clone()).collect();
        for (term, (axis, _)) in terms.iter().enumerate() {
            let fail = |e: reprsim_stats::StatsError| {
                let cells = values.len();
                say(format!("the pilot's {cells} finished cells do not do: {e}"))
            };
            let pilot = pilot(&columns, term, &values, &seeds, series.clustered()).map_err(fail)?;
            let needed = POWERS.map(|power| seeds_for(&pilot, slope, power).map_err(fail));
            let [seeds_80, seeds_90] = needed;
            rows.push(PowerRow {
                sweep: name.clone(),
                axis: axis.clone(),
                pilot_seeds: distinct.len(),
                spread: match pilot.noise {
                    Noise::Independent { residual_sd, .. } => residual_sd,
                    Noise::Clustered { slope_sd } => slope_sd,
                },
                slope,
                seeds_80: seeds_80?,
                seeds_90: seeds_90?,
                detectable: detectable_slope(&pilot, experiment.seeds, POWERS[0]).ok(),
            });
        }
    }
    Ok(rows)
}
