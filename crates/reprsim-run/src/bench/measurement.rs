//! Times training, extraction and measuring of a workload.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_extract::{ProbeActivations, extract, profile_extraction};
use reprsim_graph::Profile;
use reprsim_kernels::{Ceilings, Spent, ceilings, profiled};
use reprsim_metrics::{Layer, MetricError, Options, Permutations, Set};
use reprsim_models::{ModelShape, Network, Pooling, SampleShape};
use reprsim_similarity::{Comparison, Mode, ModelActivations, Question, SimilarityError, measures};
use reprsim_train::{
    Initial, Job, Normalization, Stacks, Supply, TrainingSet, profile_step, train,
};
use serde::Serialize;

use super::memory::{device_mib, host_peak_mib};
use super::workload::Workload;
use crate::cell::extract_batch;
use crate::error::RunError;
use reprsim_config::DEFAULT_MEASURES;
use reprsim_device::Chosen;

/// Version of the layout of a result.
const SCHEMA: u32 = 1;

/// Permutations whose products are profiled.
const PERMUTATIONS: usize = 7;

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

impl Settings {
    /// Steps that take about the time of a repeat at `rate` samples a second.
    fn steps(&self, rate: f64, batch: usize) -> usize {
        ((self.seconds * rate / batch as f64) as usize).max(2)
    }
}

/// Keeps jobs in step, so that each is timed while all others are at work.
struct Together {
    jobs: usize,
    arrived: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicBool,
}

impl Together {
    fn new(jobs: usize) -> Self {
        Self {
            jobs,
            arrived: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        }
    }

    fn give_up(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether all jobs have added themselves to `count` for the `round`-th time.
    fn all(&self, count: &AtomicUsize, round: usize) -> bool {
        self.failed.load(Ordering::Relaxed) || count.load(Ordering::Relaxed) >= round * self.jobs
    }

    /// Does `work` `repeats` times; all jobs begin together, and one that is done goes
    /// on with `fill` until all are.
    fn repeat(
        &self,
        repeats: usize,
        fill: impl Fn() -> Result<(), RunError>,
        work: impl Fn() -> Result<f64, RunError>,
    ) -> Result<Vec<f64>, RunError> {
        (1..=repeats)
            .map(|round| {
                self.arrived.fetch_add(1, Ordering::Relaxed);
                while !self.all(&self.arrived, round) {
                    std::thread::yield_now();
                }
                let value = work()?;
                self.done.fetch_add(1, Ordering::Relaxed);
                while !self.all(&self.done, round) {
                    fill()?;
                }
                Ok(value)
            })
            .collect()
    }
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
    /// Launches for each step of a model, where steps are replayed on a GPU.
    pub launches_a_step: Option<f64>,
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
) -> Result<BenchResult, RunError> {
    let runner = Runner::new(workload, &chosen.device, shared(chosen, settings.jobs));
    let batch = workload.training.batch;
    // A job keeps its thread over all repeats, as in a run: on a GPU each thread has a
    // stream with memory of its own.
    let per_job = runner.side_by_side(settings, &|job, together| {
        // What a job that is done goes on with until all are.
        let fill = || runner.train(job, batch, 1).map(|_| ());
        match bench {
            Bench::Train => {
                let rate = runner.train(job, batch, 3)?;
                let steps = settings.steps(rate, batch);
                together.repeat(settings.repeats, fill, || runner.train(job, batch, steps))
            }
            Bench::Extract => {
                let network = runner.network(job)?;
                runner.extract(&network, 0.0)?;
                together.repeat(settings.repeats, fill, || {
                    runner.extract(&network, settings.seconds)
                })
            }
            Bench::Measure => {
                let probes = [2 * job, 2 * job + 1].map(|seed| runner.network(seed));
                let [a, b] = probes.map(|network| network.and_then(|n| runner.probe(&n)));
                let probes = [a?, b?];
                runner.measure(&probes, 0.0)?;
                together.repeat(settings.repeats, fill, || {
                    runner.measure(&probes, settings.seconds)
                })
            }
        }
    })?;
    let values: Vec<f64> = (0..settings.repeats)
        .map(|repeat| per_job.iter().map(|job| job[repeat]).sum())
        .collect();
    let memory = (host_peak_mib(), device_mib(&chosen.device));
    let seconds_a_step = batch as f64 * settings.jobs as f64 / mean(&values);
    // Those of the models that were timed, not of what comes after.
    let launches_a_step = runner.stacks.launches_a_step();
    let fixed_share = match bench {
        Bench::Train if settings.repeats > 1 && seconds_a_step < 0.5 => {
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
            Bench::Train => batch,
            _ => extract_batch(&runner.probe),
        },
        unit: bench.unit(),
        quartiles: Quartiles::of(&values),
        values,
        fixed_share,
        launches_a_step,
        host_peak_mb: memory.0,
        device_peak_mb: memory.1,
    })
}

/// Where the time of a training step, of a batch of a probe or of a batch of permutations goes;
/// `None` where burn computes it operation by operation.
///
/// # Errors
/// Those of training, extraction and measuring.
pub fn bench_profile(
    bench: Bench,
    workload: &Workload,
    chosen: &Chosen,
) -> Result<Option<Profile>, RunError> {
    let runner = Runner::new(workload, &chosen.device, shared(chosen, 1));
    match bench {
        Bench::Train => {
            let batch = workload.training.batch;
            let profile = |job: &Job<'_>| profile_step(job, &chosen.device);
            Ok(runner.with_job(0, batch, 1, profile)?)
        }
        Bench::Extract => Ok(profile_extraction(
            &runner.network(0)?,
            &runner.probe,
            Pooling::Mean,
            extract_batch(&runner.probe),
        )?),
        Bench::Measure => runner.profile_measure(),
    }
}

/// Where the time of training or of a probe goes on the CPU, one model on one thread.
#[derive(Clone, Debug)]
pub struct CpuProfile {
    /// Steps, or batches.
    pub steps: usize,
    /// Seconds of all of them.
    pub seconds: f64,
    /// What each kernel took, by name; what is left is burn's own operations and the batches.
    pub kernels: Vec<(&'static str, Spent)>,
    /// What the processor can do.
    pub ceilings: Ceilings,
}

/// Takes steps, or batches of a probe, for about `seconds` and tells where the time goes; `None` for
/// what has no kernels of its own.
///
/// # Errors
/// Those of training and extraction.
pub fn bench_profile_cpu(
    bench: Bench,
    workload: &Workload,
    chosen: &Chosen,
    seconds: f64,
) -> Result<Option<CpuProfile>, RunError> {
    let runner = Runner::new(workload, &chosen.device, 0);
    let batch = workload.training.batch;
    let settings = Settings {
        jobs: 1,
        threads: 1,
        seconds,
        repeats: 1,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = |work: &(dyn Fn() -> Result<CpuProfile, RunError> + Sync)| match &pool {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    };
    let timed = |steps: usize, work: &dyn Fn() -> Result<(), RunError>| {
        let start = Instant::now();
        let (result, kernels) = profiled(work);
        let seconds = start.elapsed().as_secs_f64();
        result.map(|()| CpuProfile {
            steps,
            seconds,
            kernels,
            ceilings: ceilings(),
        })
    };
    match bench {
        Bench::Train => alone(&|| {
            let rate = runner.train(0, batch, 3)?;
            let steps = settings.steps(rate, batch);
            timed(steps, &|| runner.train(0, batch, steps).map(|_| ()))
        })
        .map(Some),
        Bench::Extract => alone(&|| {
            let network = runner.network(0)?;
            let rate = runner.extract(&network, 0.0)?;
            let probes = ((seconds * rate / workload.probe as f64) as usize).max(1);
            let steps = probes * workload.probe.div_ceil(extract_batch(&runner.probe));
            timed(steps, &|| {
                (0..probes).try_for_each(|_| runner.wait(&runner.probe(&network)?))
            })
        })
        .map(Some),
        Bench::Measure => Ok(None),
    }
}

/// Trains four models a job, one at a time with all threads, then side by side.
///
/// # Errors
/// Those of training.
pub fn bench_sweep(
    workload: &Workload,
    chosen: &Chosen,
    settings: &Settings,
) -> Result<Sweep, RunError> {
    let runner = Runner::new(workload, &chosen.device, shared(chosen, settings.jobs));
    let batch = workload.training.batch;
    let alone = Settings {
        jobs: 1,
        threads: settings.jobs * settings.threads,
        ..*settings
    };
    let rate = runner.side_by_side(&alone, &|job, _| Ok(vec![runner.train(job, batch, 3)?]))?;
    let steps = settings.steps(mean(&rate[0]), batch);
    let models = 4 * settings.jobs;
    let time = |settings: &Settings| -> Result<f64, RunError> {
        let each = models / settings.jobs;
        let start = Instant::now();
        runner.side_by_side(settings, &|job, _| {
            (0..each)
                .map(|model| runner.train(job * each + model, batch, steps))
                .collect()
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

/// Models that share a device.
fn shared(chosen: &Chosen, jobs: usize) -> usize {
    match chosen.cpu {
        true => 0,
        false => jobs,
    }
}

/// One job's work: from its number, kept in step with the others, to its figures.
type Work<'a> = dyn Fn(usize, &Together) -> Result<Vec<f64>, RunError> + Sync + 'a;

struct Runner<'a> {
    workload: &'a Workload,
    device: &'a Device,
    samples: Supply,
    labels: Vec<u32>,
    probe: Supply,
    stacks: Stacks,
}

impl<'a> Runner<'a> {
    /// For up to `models` models at once that share a GPU; 0 where each is by itself.
    fn new(workload: &'a Workload, device: &'a Device, models: usize) -> Self {
        let dataset = workload.dataset();
        let normalization = match workload.input {
            SampleShape::Tokens { .. } => Normalization::none(),
            SampleShape::Image { channels, .. } if workload.task.unit_scale() => {
                Normalization::identity(channels)
            }
            SampleShape::Image { .. } => Normalization::of(&dataset),
        };
        let probe: Vec<u32> = (0..workload.probe as u32).collect();
        let supply = |indices: Option<Vec<u32>>| {
            let normalization = normalization.clone();
            Supply::new(dataset.clone(), indices, normalization, device, u64::MAX)
        };
        Self {
            workload,
            device,
            samples: supply(None),
            labels: dataset.factors[0]
                .values
                .iter()
                .map(|&v| v.into())
                .collect(),
            probe: supply(Some(probe)),
            stacks: match models {
                0 => Stacks::alone(),
                _ => Stacks::new(models, u64::MAX),
            },
        }
    }

    /// Runs `work` once a job, all at once, each in a thread pool of its own; returns
    /// what each returned.
    fn side_by_side(
        &self,
        settings: &Settings,
        work: &Work<'_>,
    ) -> Result<Vec<Vec<f64>>, RunError> {
        let together = Together::new(settings.jobs);
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..settings.jobs)
                .map(|job| {
                    let together = &together;
                    scope.spawn(move || {
                        let pool = rayon::ThreadPoolBuilder::new()
                            .num_threads(settings.threads)
                            .build();
                        // Where a job ends in a panic the others must not wait for it.
                        let result = catch_unwind(AssertUnwindSafe(|| match pool {
                            Ok(pool) => pool.install(|| work(job, together)),
                            Err(_) => work(job, together),
                        }))
                        .unwrap_or_else(|_| Err(RunError::Panic("a library panicked".into())));
                        if result.is_err() {
                            together.give_up();
                        }
                        result
                    })
                })
                .collect();
            jobs.into_iter()
                .map(|job| {
                    job.join()
                        .unwrap_or_else(|_| Err(RunError::Panic("a library panicked".into())))
                })
                .collect()
        })
    }

    /// Trains a new model for `steps` and returns samples a second.
    fn train(&self, job: usize, batch: usize, steps: usize) -> Result<f64, RunError> {
        let mut rate = 0.0;
        self.with_job(job, batch, steps, |job| {
            train(job, self.device, &mut |epoch| rate = epoch.samples_per_s)
        })?;
        Ok(rate)
    }

    /// Does something with a new model that is to be trained for `steps`.
    fn with_job<T>(
        &self,
        job: usize,
        batch: usize,
        steps: usize,
        work: impl FnOnce(&Job<'_>) -> T,
    ) -> T {
        let n = (batch * steps) as u32;
        let indices: Vec<u32> = (0..n).map(|i| i % self.workload.samples as u32).collect();
        let labels: Vec<u32> = indices.iter().map(|&i| self.labels[i as usize]).collect();
        let mut config = self.workload.training.clone();
        config.batch = batch;
        // Of text they are drawn; of images they are a pass.
        config.steps = config.epochs.is_none().then_some(steps);
        let stream = Stream::new(job as u64);
        work(&Job {
            name: "a",
            model: &self.workload.model,
            initial: &Initial::Random,
            task: &self.workload.task,
            config: &config,
            set: TrainingSet {
                supply: &self.samples,
                indices: &indices,
                labels: &labels,
                classes: self.workload.classes,
                held_out: None,
            },
            stream: &stream,
            resume: None,
            stacks: &self.stacks,
            stop: None,
        })
    }

    /// How much of a step does not grow with the batch: with t1 and t2 the times of a
    /// step of one and of two batches, (2 t1 - t2) / t1. Taken alternately, three times.
    fn fixed_share(&self, settings: &Settings) -> Result<f64, RunError> {
        let alone = Settings {
            jobs: 1,
            ..*settings
        };
        let batch = self.workload.training.batch;
        let shares = self.side_by_side(&alone, &|job, _| {
            let rate = self.train(job, batch, 2)?;
            let steps = (settings.steps(rate, batch) / 4).max(2);
            self.train(job, 2 * batch, 2)?;
            let seconds = |batch: usize| -> Result<f64, RunError> {
                Ok(batch as f64 / self.train(job, batch, steps)?)
            };
            (0..3)
                .map(|_| {
                    let (one, two) = (seconds(batch)?, seconds(2 * batch)?);
                    Ok((2.0 * one - two) / one)
                })
                .collect()
        })?;
        Ok(Quartiles::of(&shares[0]).median.clamp(0.0, 1.0))
    }

    fn network(&self, job: usize) -> Result<Network, RunError> {
        let shape = ModelShape {
            input: self.samples.shape(),
            classes: self.workload.classes,
        };
        let mut rng = Stream::new(job as u64).child("weights").rng();
        Network::new(&self.workload.model, shape, &mut rng, self.device).map_err(RunError::from)
    }

    fn probe(&self, network: &Network) -> Result<ProbeActivations, RunError> {
        Ok(extract(
            network,
            &self.probe,
            "bench",
            Pooling::Mean,
            extract_batch(&self.probe),
        )?)
    }

    /// Extracts probes for at least `seconds` and returns samples a second.
    fn extract(&self, network: &Network, seconds: f64) -> Result<f64, RunError> {
        rate(seconds, || {
            self.wait(&self.probe(network)?)?;
            Ok(self.workload.probe)
        })
    }

    /// Reads one number of each layer, so that all of them are there.
    fn wait(&self, activations: &ProbeActivations) -> Result<(), RunError> {
        for layer in &activations.layers {
            layer
                .values
                .clone()
                .slice([0..1, 0..1])
                .try_into_data()
                .map_err(RunError::read)?;
        }
        Ok(())
    }

    fn profile_measure(&self) -> Result<Option<Profile>, RunError> {
        let layers = |seed| -> Result<Vec<Layer>, RunError> {
            let probe = self.probe(&self.network(seed)?)?;
            let layers = probe.layers.into_iter();
            let layers = layers.map(|layer| Layer::from_tensor(layer.name, layer.values));
            Ok(layers
                .collect::<Result<_, _>>()
                .map_err(SimilarityError::from)?)
        };
        let find = |models| -> Result<Option<Profile>, MetricError> {
            let set = Set::new(models, self.device, Options::default())?;
            let permutations = Permutations::random(set.rows(), PERMUTATIONS, 0);
            set.profile(&set.pairs(0, 1), &permutations)
        };
        let models = vec![layers(0)?, layers(1)?];
        Ok(find(models).map_err(SimilarityError::from)?)
    }

    /// Measures two models for at least `seconds` and returns layer pairs a second.
    fn measure(&self, probes: &[ProbeActivations; 2], seconds: f64) -> Result<f64, RunError> {
        let k = Options::default().k;
        let measures = measures(&DEFAULT_MEASURES, Mode::Exact, k)?;
        rate(seconds, || {
            let model = |name: &str, probe: &ProbeActivations| {
                (probe.layers.iter()).try_fold(ModelActivations::new(name), |model, layer| {
                    model.tensor(layer.name.clone(), layer.values.clone())
                })
            };
            let models = vec![model("a", &probes[0])?, model("b", &probes[1])?];
            let question = Question {
                permutations: 0,
                ..Question::new(measures.clone())
            };
            let found = Comparison::new(models, question)?.run(self.device, &mut |_| ())?;
            let pairs = found
                .iter()
                .map(|pair| pair.layers_a.len() * pair.layers_b.len());
            Ok(pairs.sum())
        })
    }
}

/// Does `work` until `seconds` are over, at least once; returns what it did a second.
fn rate(seconds: f64, mut work: impl FnMut() -> Result<usize, RunError>) -> Result<f64, RunError> {
    let start = Instant::now();
    let mut done = work()?;
    while start.elapsed().as_secs_f64() < seconds {
        done += work()?;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        let found = Quartiles::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((found.q1, found.median, found.q3), (1.75, 2.5, 3.25));
        let one = Quartiles::of(&[7.0]);
        assert_eq!((one.q1, one.median, one.q3), (7.0, 7.0, 7.0));
    }
}
