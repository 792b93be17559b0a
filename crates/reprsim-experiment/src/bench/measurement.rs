//! Times training, extraction and measuring of a workload.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use reprsim_data::Stream;
use reprsim_extract::{ProbeActivations, extract};
use reprsim_metrics::{Layer, Measure, Options, Permutations, Set, find};
use reprsim_models::{ModelShape, Network, Objective, Pooling};
use reprsim_train::{DeviceSamples, Normalization, TrainingSet, train};
use serde::Serialize;

use super::memory::{device_mib, host_peak_mib};
use super::workload::{SAMPLES, Workload};
use crate::ExperimentError;
use crate::cell::EXTRACT_BATCH;
use crate::device::Chosen;
use crate::file::DEFAULT_MEASURES;

/// Version of the layout of a result.
const SCHEMA: u32 = 1;

/// Samples of a probe.
const PROBE: usize = 2000;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bench {
    /// Optimiser steps.
    Train,
    /// A probe through the model, all layers pooled and kept.
    Extract,
    /// All layer pairs of two models on a probe, by an experiment's default measures.
    Measure,
}

impl Bench {
    fn unit(self) -> &'static str {
        match self {
            Self::Train | Self::Extract => "samples/s",
            Self::Measure => "layer pairs/s",
        }
    }
}

/// How it is timed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Models at once.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
    /// Seconds of one repeat, about; two steps are the least.
    pub seconds: f64,
    /// Repeats.
    pub repeats: usize,
}

/// The middle of some figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quartiles {
    /// The first quartile.
    pub q1: f64,
    /// The median.
    pub median: f64,
    /// The third quartile.
    pub q3: f64,
}

impl Quartiles {
    /// By linear interpolation between ranks; zeros for no values.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * sorted.len().saturating_sub(1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            match (sorted.get(low), sorted.get(high)) {
                (Some(a), Some(b)) => a + (b - a) * place.fract(),
                _ => 0.0,
            }
        };
        Self {
            q1: at(0.25),
            median: at(0.5),
            q3: at(0.75),
        }
    }
}

/// A benchmark's figures, as they are written to JSON.
#[derive(Clone, Debug, Serialize)]
pub struct BenchResult {
    /// Version of this layout.
    pub schema: u32,
    /// What was timed.
    pub bench: Bench,
    /// The workload.
    pub model: &'static str,
    /// The device.
    pub device: String,
    /// Models at once.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
    /// Samples a step.
    pub batch: usize,
    /// Unit of the values.
    pub unit: &'static str,
    /// All jobs together, one value a repeat.
    pub values: Vec<f64>,
    /// Their middle.
    #[serde(flatten)]
    pub quartiles: Quartiles,
    /// Share of a training step that does not grow with the batch: launching kernels,
    /// the graph of derivatives, the optimiser; from steps of one and of two batches.
    /// None for other benchmarks, for a single repeat, and where a step takes so long that
    /// the share is next to none.
    pub fixed_share: Option<f64>,
    /// The most memory the process had, in MiB.
    pub host_peak_mb: Option<f64>,
    /// What the device's allocator holds at the end, in MiB; none for the CPU.
    pub device_peak_mb: Option<f64>,
}

/// The same models one at a time with all threads, and side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Version of this layout.
    pub schema: u32,
    /// The workload.
    pub model: &'static str,
    /// The device.
    pub device: String,
    /// Models trained.
    pub models: usize,
    /// Models at once in the second way.
    pub jobs: usize,
    /// Seconds, one at a time.
    pub one_at_a_time_s: f64,
    /// Seconds, side by side.
    pub side_by_side_s: f64,
}

/// Times `bench` on `workload`.
///
/// # Errors
/// Those of training and measuring.
pub fn bench(
    bench: Bench,
    workload: &Workload,
    chosen: &Chosen,
    settings: &Settings,
) -> Result<BenchResult, ExperimentError> {
    let runner = Runner::new(workload, &chosen.device);
    let values = match bench {
        Bench::Train => {
            let batch = workload.training.batch;
            let warm = runner.side_by_side(settings, true, &|job| runner.train(job, batch, 3))?;
            let steps = runner.steps_in(settings, mean(&warm), batch);
            repeat(settings, || {
                runner.side_by_side(settings, true, &|job| runner.train(job, batch, steps))
            })?
        }
        Bench::Extract => {
            runner.side_by_side(settings, true, &|job| runner.extract(job, 0.0))?;
            repeat(settings, || {
                runner.side_by_side(settings, true, &|job| runner.extract(job, settings.seconds))
            })?
        }
        Bench::Measure => {
            runner.side_by_side(settings, true, &|job| runner.measure(job, 0.0))?;
            repeat(settings, || {
                runner.side_by_side(settings, true, &|job| runner.measure(job, settings.seconds))
            })?
        }
    };
    let fixed_share = match bench {
        Bench::Train if settings.repeats > 1 && runner.quick(&values, settings) => {
            Some(runner.fixed_share(settings)?)
        }
        _ => None,
    };
    Ok(BenchResult {
        schema: SCHEMA,
        bench,
        model: workload.name,
        device: chosen.name.clone(),
        jobs: settings.jobs,
        threads: settings.threads,
        batch: match bench {
            Bench::Train => workload.training.batch,
            _ => EXTRACT_BATCH,
        },
        unit: bench.unit(),
        quartiles: Quartiles::of(&values),
        values,
        fixed_share,
        host_peak_mb: host_peak_mib(),
        device_peak_mb: device_mib(&chosen.device),
    })
}

/// Trains four models a job, one at a time with all threads, then side by side.
///
/// # Errors
/// Those of training.
pub fn bench_sweep(
    workload: &Workload,
    chosen: &Chosen,
    settings: &Settings,
) -> Result<Sweep, ExperimentError> {
    let runner = Runner::new(workload, &chosen.device);
    let batch = workload.training.batch;
    let alone = Settings {
        jobs: 1,
        threads: settings.jobs * settings.threads,
        ..*settings
    };
    let warm = runner.side_by_side(&alone, false, &|job| runner.train(job, batch, 3))?;
    let steps = runner.steps_in(settings, mean(&warm), batch);
    let models = 4 * settings.jobs;
    let time = |settings: &Settings| -> Result<f64, ExperimentError> {
        let each = models / settings.jobs;
        let start = Instant::now();
        runner.side_by_side(settings, false, &|job| {
            for model in 0..each {
                runner.train(job * each + model, batch, steps)?;
            }
            Ok(0.0)
        })?;
        Ok(start.elapsed().as_secs_f64())
    };
    Ok(Sweep {
        schema: SCHEMA,
        model: workload.name,
        device: chosen.name.clone(),
        models,
        jobs: settings.jobs,
        one_at_a_time_s: time(&alone)?,
        side_by_side_s: time(settings)?,
    })
}

struct Runner<'a> {
    workload: &'a Workload,
    device: &'a Device,
    samples: DeviceSamples,
    labels: Vec<u32>,
    probe: DeviceSamples,
}

impl<'a> Runner<'a> {
    fn new(workload: &'a Workload, device: &'a Device) -> Self {
        let dataset = workload.dataset();
        let normalization = match workload.model.objective() {
            Objective::Classify => Normalization::of(&dataset),
            // The targets of an autoencoder are in 0..=1.
            Objective::Reconstruct => Normalization::identity(workload.input[0]),
        };
        let probe: Vec<u32> = (0..PROBE as u32).collect();
        Self {
            workload,
            device,
            samples: DeviceSamples::new(&dataset, None, &normalization, device),
            labels: dataset.factors[0]
                .values
                .iter()
                .map(|&v| v.into())
                .collect(),
            probe: DeviceSamples::new(&dataset, Some(&probe), &normalization, device),
        }
    }

    /// Runs `work` once a job, all at once, each in a thread pool of its own; returns
    /// what each returned. With `fill`, a job that is done trains on until all are, so that
    /// none has the machine to itself.
    fn side_by_side(
        &self,
        settings: &Settings,
        fill: bool,
        work: &(dyn Fn(usize) -> Result<f64, ExperimentError> + Sync),
    ) -> Result<Vec<f64>, ExperimentError> {
        let barrier = Barrier::new(settings.jobs);
        let busy = AtomicUsize::new(settings.jobs);
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..settings.jobs)
                .map(|job| {
                    let (barrier, busy) = (&barrier, &busy);
                    scope.spawn(move || {
                        let pool = rayon::ThreadPoolBuilder::new()
                            .num_threads(settings.threads)
                            .build();
                        let work = || {
                            let result = work(job);
                            busy.fetch_sub(1, Ordering::Relaxed);
                            while fill && result.is_ok() && busy.load(Ordering::Relaxed) > 0 {
                                self.train(job, self.workload.training.batch, 1)?;
                            }
                            result
                        };
                        barrier.wait();
                        match pool {
                            Ok(pool) => pool.install(work),
                            Err(_) => work(),
                        }
                    })
                })
                .collect();
            jobs.into_iter()
                .map(|job| {
                    job.join().unwrap_or_else(|_| {
                        Err(ExperimentError::Panic("a library panicked".into()))
                    })
                })
                .collect()
        })
    }

    /// Trains a new model for `steps` and returns samples a second.
    fn train(&self, job: usize, batch: usize, steps: usize) -> Result<f64, ExperimentError> {
        let n = (batch * steps) as u32;
        let indices: Vec<u32> = (0..n).map(|i| i % SAMPLES as u32).collect();
        let labels: Vec<u32> = indices.iter().map(|&i| self.labels[i as usize]).collect();
        let mut config = self.workload.training.clone();
        config.batch = batch;
        let mut rate = 0.0;
        train(
            "a",
            &self.workload.model,
            &TrainingSet {
                samples: &self.samples,
                indices: &indices,
                labels: &labels,
                classes: self.workload.classes,
            },
            &config,
            &Stream::new(job as u64),
            self.device,
            &mut |epoch| rate = epoch.samples_per_s,
        )?;
        Ok(rate)
    }

    /// Steps that take about the time of a repeat at `rate` samples a second.
    fn steps_in(&self, settings: &Settings, rate: f64, batch: usize) -> usize {
        ((settings.seconds * rate / batch as f64) as usize).max(2)
    }

    /// Whether a job makes at least two steps a second.
    fn quick(&self, rates: &[f64], settings: &Settings) -> bool {
        let per_job = mean(rates) / settings.jobs as f64;
        per_job / self.workload.training.batch as f64 > 2.0
    }

    /// How much of a step does not grow with the batch: with t1 and t2 the times of a
    /// step of one and of two batches, (2 t1 - t2) / t1. Taken alternately, three times.
    fn fixed_share(&self, settings: &Settings) -> Result<f64, ExperimentError> {
        let alone = Settings {
            jobs: 1,
            ..*settings
        };
        let batch = self.workload.training.batch;
        let seconds = |batch: usize| -> Result<f64, ExperimentError> {
            let warm = self.side_by_side(&alone, false, &|job| self.train(job, batch, 2))?;
            let steps = self.steps_in(settings, mean(&warm), batch) / 4;
            let rate =
                self.side_by_side(&alone, false, &|job| self.train(job, batch, steps.max(2)))?;
            Ok(batch as f64 / mean(&rate))
        };
        let mut shares = Vec::new();
        for _ in 0..3 {
            let (one, two) = (seconds(batch)?, seconds(2 * batch)?);
            shares.push((2.0 * one - two) / one);
        }
        Ok(Quartiles::of(&shares).median.clamp(0.0, 1.0))
    }

    fn network(&self, job: usize) -> Result<Network, ExperimentError> {
        let shape = ModelShape {
            input: self.workload.input,
            classes: self.workload.classes,
        };
        let mut rng = Stream::new(job as u64).child("weights").rng();
        Network::new(&self.workload.model, shape, &mut rng, self.device)
            .map_err(|e| ExperimentError::Train(e.into()))
    }

    fn probe(&self, network: &Network) -> ProbeActivations {
        extract(network, &self.probe, "bench", Pooling::Mean, EXTRACT_BATCH)
    }

    /// Extracts probes for at least `seconds` and returns samples a second.
    fn extract(&self, job: usize, seconds: f64) -> Result<f64, ExperimentError> {
        let network = self.network(job)?;
        self.wait(&self.probe(&network))?;
        rate(seconds, || {
            self.wait(&self.probe(&network))?;
            Ok(PROBE)
        })
    }

    /// Reads one number of each layer, so that all of them are there.
    fn wait(&self, activations: &ProbeActivations) -> Result<(), ExperimentError> {
        for layer in &activations.layers {
            layer
                .values
                .clone()
                .slice([0..1, 0..1])
                .try_into_data()
                .map_err(|e| reprsim_extract::ExtractError::Device(e.to_string()))?;
        }
        Ok(())
    }

    /// Measures two models for at least `seconds` and returns layer pairs a second.
    fn measure(&self, job: usize, seconds: f64) -> Result<f64, ExperimentError> {
        let probes = [self.network(2 * job)?, self.network(2 * job + 1)?].map(|n| self.probe(&n));
        let measures: Vec<&dyn Measure> = DEFAULT_MEASURES
            .iter()
            .filter_map(|name| find(name))
            .collect();
        rate(seconds, || {
            let layers = |probe: &ProbeActivations| {
                (probe.layers.iter())
                    .map(|l| Layer::from_tensor(l.name.clone(), l.values.clone()))
                    .collect::<Result<Vec<Layer>, _>>()
            };
            let models = vec![layers(&probes[0])?, layers(&probes[1])?];
            let set = Set::new(models, self.device, Options::default())?;
            let pairs = set.pairs(0, 1);
            let permutations = Permutations::random(set.rows(), 0, 0);
            set.compare(&measures, &pairs, &permutations, &mut |_| ())?;
            Ok(pairs.len())
        })
    }
}

/// Does `work` until `seconds` are over, at least once; returns what it did a second.
fn rate(
    seconds: f64,
    mut work: impl FnMut() -> Result<usize, ExperimentError>,
) -> Result<f64, ExperimentError> {
    let start = Instant::now();
    let mut done = work()?;
    while start.elapsed().as_secs_f64() < seconds {
        done += work()?;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

/// The sum over jobs, once a repeat.
fn repeat(
    settings: &Settings,
    mut work: impl FnMut() -> Result<Vec<f64>, ExperimentError>,
) -> Result<Vec<f64>, ExperimentError> {
    (0..settings.repeats)
        .map(|_| work().map(|rates| rates.iter().sum()))
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
