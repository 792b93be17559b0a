//! A model whose step was recorded once and is replayed on a GPU: a handful of dispatches, shared
//! with the models that train side by side, with nothing allocated and nothing read between two
//! reports.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use reprsim_graph::{FIRST_SCALE, Gpu, GraphError, Load, Profile, Program, Region, Seat};
use reprsim_models::{Network, normal_values};

use super::parts::Parts;
use super::plan::Plan;
use super::recording::{Feeds, Kind};
use crate::augment::draw;
use crate::batches::{Batches, Draws, Streams};
use crate::config::{OptimizerConfig, Precision};
use crate::error::TrainError;
use crate::job::{Job, initial_network};
use crate::optimizer::BETA_1;
use crate::sums::Kept;
use crate::supply::Supply;
use crate::validation::HeldOut;

/// Steps that are handed over together, and words of their feeds at most.
const TOGETHER: usize = 32;
const WORDS: usize = 1 << 20;

/// See the module.
pub(crate) struct Recorded<'a> {
    job: &'a Job<'a>,
    streams: &'a Streams,
    pub batches: Batches<'a>,
    seat: Seat,
    kinds: Vec<Kind>,
    shapes: Vec<Vec<usize>>,
    metrics: Vec<&'static str>,
    /// Number of running statistics; sums lie behind them.
    states: usize,
    /// Programs of a step, and of an evaluation, by number of samples.
    steps: BTreeMap<usize, (usize, Feeds)>,
    evaluations: BTreeMap<usize, (usize, Feeds)>,
    /// Words of steps that were not yet handed over, and their program.
    pending: Vec<u32>,
    program: usize,
    seen: usize,
}

impl<'a> Recorded<'a> {
    /// The model as it begins; `None` where its step is not recorded: on a device that is not
    /// wgpu's, where its arrays do not fit, and where there is no [`Plan`].
    pub fn new(
        job: &'a Job<'a>,
        streams: &'a Streams,
        device: &'a Device,
    ) -> Result<Option<Self>, TrainError> {
        // What we cannot open burn may, or says better what is wrong.
        let Some(gpu) = Gpu::of(device) else {
            return Ok(None);
        };
        let batches = Batches::new(job, streams, device);
        let Some(plan) = Plan::new(job, &batches, gpu.hardware)? else {
            return Ok(None);
        };
        // Places are not checked on the device; burn says what is wrong.
        let inside = |supply: &Supply, places: &[u32]| {
            (places.iter()).all(|&place| (place as usize) < supply.len())
        };
        if !inside(job.set.supply, job.set.indices)
            || !(plan.held_out).is_none_or(|h| inside(h.supply, h.indices))
        {
            return Ok(None);
        }
        let seat = match Self::seat(&gpu, job, &plan) {
            Ok(seat) => seat,
            // burn does it then, or says better what is wrong, but in f32 alone.
            Err(GraphError::Memory { .. }) if job.config.precision == Precision::F32 => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let learner = Self {
            job,
            streams,
            batches,
            seat,
            kinds: plan.kinds,
            shapes: plan.shapes,
            metrics: plan.metrics,
            states: plan.states,
            steps: plan.steps,
            evaluations: plan.evaluations,
            pending: vec![],
            program: 0,
            seen: 0,
        };
        learner.write(&initial_network(job, &Device::flex())?)?;
        if let Some(scale) = plan.scale {
            let scale = Region::State(scale);
            learner.seat.write(scale, &[FIRST_SCALE])?;
        }
        Ok(Some(learner))
    }

    /// A place among the models that train side by side.
    fn seat(gpu: &Gpu, job: &Job<'_>, plan: &Plan<'_>) -> Result<Seat, GraphError> {
        let learned = job.set.supply.on_gpu(gpu)?;
        let held_out = match plan.held_out {
            Some(held_out) => held_out.supply.on_gpu(gpu)?,
            None => None,
        };
        let steps: Vec<usize> = plan.steps.values().map(|(program, _)| *program).collect();
        let load = |(number, program): (usize, &Program)| Load {
            program: program.clone(),
            data: match steps.contains(&number) {
                true => learned.clone(),
                false => held_out.clone(),
            },
        };
        let loads = plan.programs.iter().enumerate().map(load).collect();
        job.stacks.seat(gpu, &plan.arrays, loads)
    }

    /// Times the first step, fed with zeros: the model is of no use afterwards.
    pub fn profile(&self) -> Result<Profile, TrainError> {
        let size = self.batches.sizes(0).iter().sum();
        let program = self.steps.get(&size).map_or(0, |(program, _)| *program);
        Ok(self.seat.profile(program)?)
    }

    /// Writes the arrays of a network.
    fn write(&self, network: &Network) -> Result<(), TrainError> {
        struct Values(Vec<Vec<f32>>);
        impl ModuleVisitor for Values {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.val().into_data().iter::<f32>().collect());
            }
        }
        let mut values = Values(vec![]);
        network.visit(&mut values);
        for (kind, values) in self.kinds.iter().zip(&values.0) {
            self.seat.write(region(*kind), values)?;
        }
        Ok(())
    }

    /// Takes a step and returns how many samples it was of.
    pub fn step(&mut self, step: usize, lr: f64) -> Result<usize, TrainError> {
        let mut draws = self.streams.at(step);
        let size = self.batches.sizes(step).iter().sum();
        let Some((program, feeds)) = self.steps.get(&size).cloned() else {
            return Err(TrainError::device(format!("no program for {size} samples")));
        };
        let fed = self.seat.fed(program);
        if program != self.program || self.pending.len() >= (TOGETHER * fed).min(WORDS) {
            self.hand_over()?;
        }
        self.program = program;
        let mut words = vec![0u32; fed];
        let at = |feed: usize| self.seat.feed_place(program, feed);
        match &mut self.batches {
            Batches::Passes(passes) => {
                let range = passes.ranges(step)[0].clone();
                let [places, labels] = passes.host(step, range);
                let places = places.iter().map(|&place| place as usize);
                let samples = self.job.set.supply.taped_feed(places);
                put(&mut words, feeds.places.map(at), samples);
                put(
                    &mut words,
                    feeds.labels.map(at),
                    labels.iter().map(|&l| bits(l as f32)),
                );
            }
            Batches::Windows { windows, batch, .. } => {
                let tokens = windows.tokens(*batch, &mut draws.order);
                put(
                    &mut words,
                    feeds.tokens.map(at),
                    tokens.into_iter().map(|t| bits(t as f32)),
                );
            }
        }
        self.random(&mut words, &feeds, program, &mut draws);
        let rates = rates(&self.job.config.optimizer, lr, step + 1);
        put(&mut words, feeds.rates.map(at), rates.into_iter().map(bits));
        self.pending.extend(words);
        self.seen += size;
        Ok(size)
    }

    /// What is random in a step, drawn in the order in which burn's step would draw it.
    fn random(&self, words: &mut [u32], feeds: &Feeds, program: usize, draws: &mut Draws) {
        let at = |feed: usize| self.seat.feed_place(program, feed);
        let [_, height, width] = self.job.set.supply.stored();
        for (step, columns) in self.job.config.augment.iter().zip(&feeds.changes) {
            let size = feeds.labels.map_or(0, |feed| feeds.sizes[feed]);
            let drawn = draw(step, size, [height, width], &mut draws.augment);
            for (feed, values) in columns.iter().zip(drawn) {
                put(words, Some(at(*feed)), values.into_iter().map(bits));
            }
        }
        let seed = draws.seed();
        put(words, feeds.seed.map(at), [seed]);
        for &(feed, shape) in &feeds.noise {
            let values = normal_values(shape, &mut draws.noise);
            put(words, Some(at(feed)), values.into_iter().map(bits));
        }
    }

    fn hand_over(&mut self) -> Result<(), TrainError> {
        if !self.pending.is_empty() {
            let words = std::mem::take(&mut self.pending);
            self.seat.run(self.program, words)?;
        }
        Ok(())
    }

    pub fn sums(&mut self) -> Result<Kept, TrainError> {
        self.hand_over()?;
        let states = self.seat.read(Region::States)?;
        let sum = |i: usize| {
            let place = self.seat.offset(Region::State(self.states + i));
            f64::from(states[place])
        };
        Ok(Kept {
            loss: sum(0),
            metrics: (self.metrics.iter().enumerate())
                .map(|(i, name)| ((*name).to_string(), sum(1 + i)))
                .collect(),
            seen: self.seen,
        })
    }

    pub fn clear_sums(&mut self) -> Result<(), TrainError> {
        self.hand_over()?;
        self.seen = 0;
        for i in 0..=self.metrics.len() {
            self.seat.write(Region::State(self.states + i), &[0.0])?;
        }
        Ok(())
    }

    pub fn held_out_loss(&mut self, held_out: HeldOut<'_>) -> Result<f64, TrainError> {
        self.hand_over()?;
        let HeldOut {
            supply,
            indices,
            labels,
        } = held_out;
        if indices.is_empty() {
            return Ok(f64::NAN);
        }
        let sum = Region::State(self.states + 1 + self.metrics.len());
        self.seat.write(sum, &[0.0])?;
        let batch = self.job.config.batch.max(1);
        for start in (0..indices.len()).step_by(batch) {
            let range = start..(start + batch).min(indices.len());
            let Some((program, feeds)) = self.evaluations.get(&range.len()) else {
                return Err(TrainError::device("no program for an evaluation"));
            };
            let mut words = vec![0u32; self.seat.fed(*program)];
            let at = |feed: usize| self.seat.feed_place(*program, feed);
            let places = || indices[range.clone()].iter().map(|&place| place as usize);
            let samples = supply.taped_feed(places());
            put(&mut words, feeds.places.map(at), samples);
            let label = |place: usize| labels.get(place).copied().unwrap_or(0);
            let labels = range.clone().map(|place| bits(label(place) as f32));
            put(&mut words, feeds.labels.map(at), labels);
            if feeds.tokens.is_some() {
                let tokens = places().flat_map(|place| supply.tokens(place));
                let tokens = tokens.map(|&token| bits(f32::from(token)));
                put(&mut words, feeds.tokens.map(at), tokens);
            }
            self.seat.run(*program, words)?;
        }
        let total = self.seat.read(sum)?[0];
        Ok(f64::from(total) / indices.len() as f64)
    }

    /// The model as it is now, in the host's memory.
    pub fn network(&mut self) -> Result<Network, TrainError> {
        self.hand_over()?;
        struct Fill {
            values: Vec<Vec<f32>>,
            next: usize,
        }
        impl ModuleMapper for Fill {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let values = std::mem::take(&mut self.values[self.next]);
                self.next += 1;
                let host = &Device::flex();
                param.map(|old| Tensor::from_data(TensorData::new(values, old.dims()), host))
            }
        }
        let parameters = self.seat.read(Region::Parameters)?;
        let states = self.seat.read(Region::States)?;
        let values = (self.kinds.iter().zip(&self.shapes))
            .map(|(kind, shape)| {
                let from = self.seat.offset(region(*kind));
                let range = from..from + shape.iter().product::<usize>();
                match kind {
                    Kind::Parameter(_) => parameters[range].to_vec(),
                    Kind::State(_) => states[range].to_vec(),
                }
            })
            .collect();
        let mut fill = Fill { values, next: 0 };
        // Copies of a network share their running statistics: each is made anew.
        Ok(self.job.blank(&Device::flex())?.map(&mut fill))
    }

    pub fn parts(&mut self) -> Parts {
        self.hand_over()?;
        let mut parts = vec![];
        for (name, region) in PARTS {
            let values = self.seat.read(region)?;
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            parts.push((name, bytes));
        }
        Ok(parts)
    }

    pub fn restore(&mut self, part: &dyn Fn(&str) -> Option<Vec<u8>>, sums: &Kept) -> Option<()> {
        let mut found = vec![];
        for (name, region) in PARTS {
            let bytes = part(name)?;
            let values: Vec<f32> = (bytes.chunks_exact(4))
                .filter_map(|b| b.try_into().ok().map(f32::from_le_bytes))
                .collect();
            if values.len() != self.seat.length(region) {
                return None;
            }
            found.push((region, values));
        }
        for (region, values) in found {
            self.seat.write(region, &values).ok()?;
        }
        self.seen = sums.seen;
        Some(())
    }
}

/// What a snapshot keeps.
const PARTS: [(&str, Region); 3] = [
    ("parameters", Region::Parameters),
    ("moments", Region::Moments),
    ("states", Region::States),
];

fn region(kind: Kind) -> Region {
    match kind {
        Kind::Parameter(i) => Region::Parameter(i),
        Kind::State(i) => Region::State(i),
    }
}

fn bits(value: f32) -> u32 {
    value.to_bits()
}

/// Writes words where a feed begins, if there is such a feed.
fn put(words: &mut [u32], at: Option<usize>, values: impl IntoIterator<Item = u32>) {
    if let Some(at) = at {
        words[at..]
            .iter_mut()
            .zip(values)
            .for_each(|(word, value)| *word = value);
    }
}

/// The learning rate, and what Adam divides its moments by at step `time` (from 1).
fn rates(optimizer: &OptimizerConfig, lr: f64, time: usize) -> [f32; 3] {
    let time = time as i32;
    [
        lr as f32,
        1.0 - BETA_1.powi(time),
        1.0 - optimizer.beta_2().powi(time),
    ]
}
