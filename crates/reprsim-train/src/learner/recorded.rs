//! A model whose step was recorded once and is replayed on a GPU: a handful of dispatches,
//! with nothing allocated and nothing read between two reports.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use reprsim_graph::{Gpu, GraphError, Profile, Region, Session};
use reprsim_models::{InputShape, Network, normal_values};

use super::parts::Parts;
use super::plan::Plan;
use super::recording::{Feeds, Kind};
use crate::augment::draw;
use crate::batches::{Batches, Draws, Streams};
use crate::config::OptimizerConfig;
use crate::error::TrainError;
use crate::job::{Job, initial_network};
use crate::optimizer::BETA_1;
use crate::sums::Kept;
use crate::validation::HeldOut;

/// Steps that are handed to the device together.
const TOGETHER: usize = 32;

/// See the module.
pub(crate) struct Recorded<'a> {
    job: &'a Job<'a>,
    streams: &'a Streams,
    device: &'a Device,
    pub batches: Batches<'a>,
    session: Session,
    kinds: Vec<Kind>,
    shapes: Vec<Vec<usize>>,
    metrics: Vec<&'static str>,
    /// Number of running statistics; sums lie behind them.
    states: usize,
    /// Programs of a step, and of an evaluation, by number of samples.
    steps: BTreeMap<usize, (usize, Feeds)>,
    evaluations: BTreeMap<usize, (usize, Feeds)>,
    /// Where held-out samples begin among the resident ones.
    held_out: usize,
    /// Words of steps that were not yet handed over, and their program.
    pending: Vec<u32>,
    program: usize,
    seen: usize,
}

impl<'a> Recorded<'a> {
    /// The model as it begins; `None` where its step is not recorded: on a device that is not
    /// wgpu's, with samples that are not resident, and where there is no [`Plan`].
    pub fn new(
        job: &'a Job<'a>,
        streams: &'a Streams,
        device: &'a Device,
    ) -> Result<Option<Self>, TrainError> {
        if !Gpu::computes(device) {
            return Ok(None);
        }
        let batches = Batches::new(job, streams, device);
        // What we cannot open burn may, or says better what is wrong.
        let Ok(gpu) = Gpu::get() else {
            return Ok(None);
        };
        let Some(plan) = Plan::new(job, &batches, gpu.hardware)? else {
            return Ok(None);
        };
        let supply = job.set.supply;
        // Places are not checked on the device; burn says what is wrong.
        if (job.set.indices.iter()).any(|&place| place as usize >= supply.len()) {
            return Ok(None);
        }
        let mut data = vec![];
        if batches.are_images() {
            let held_out = plan.held_out.map(|held_out| held_out.supply);
            for supply in std::iter::once(supply).chain(held_out) {
                match supply.words() {
                    Some(words) => data.extend(words),
                    None => return Ok(None),
                }
            }
        }
        let session = match Session::new(&gpu, &plan.arrays, 1, plan.programs, &data) {
            Ok(session) => session,
            // burn does it then, or says better what is wrong.
            Err(GraphError::Memory { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let learner = Self {
            job,
            streams,
            device,
            batches,
            session,
            kinds: plan.kinds,
            shapes: plan.shapes,
            metrics: plan.metrics,
            states: plan.states,
            steps: plan.steps,
            evaluations: plan.evaluations,
            held_out: supply.len(),
            pending: vec![],
            program: 0,
            seen: 0,
        };
        learner.write(&initial_network(job, &Device::flex())?);
        Ok(Some(learner))
    }

    /// Times the first step, fed with zeros: the model is of no use afterwards.
    pub fn profile(&self) -> Result<Profile, TrainError> {
        let size = self.batches.sizes(0).iter().sum();
        let program = self.steps.get(&size).map_or(0, |(program, _)| *program);
        Ok(self.session.profile(program)?)
    }

    /// Writes the arrays of a network.
    fn write(&self, network: &Network) {
        struct Values(Vec<Vec<f32>>);
        impl ModuleVisitor for Values {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.val().into_data().iter::<f32>().collect());
            }
        }
        let mut values = Values(vec![]);
        network.visit(&mut values);
        for (kind, values) in self.kinds.iter().zip(&values.0) {
            self.session.write(0, region(*kind), values);
        }
    }

    /// Takes a step and returns how many samples it was of.
    pub fn step(&mut self, step: usize, lr: f64) -> Result<usize, TrainError> {
        let mut draws = self.streams.at(step);
        let size = self.batches.sizes(step).iter().sum();
        let Some((program, feeds)) = self.steps.get(&size).cloned() else {
            return Err(TrainError::device(format!("no program for {size} samples")));
        };
        if program != self.program || self.pending.len() >= TOGETHER * self.session.fed(program) {
            self.flush()?;
        }
        self.program = program;
        let mut words = vec![0u32; self.session.fed(program)];
        let at = |feed: usize| self.session.feed_place(program, feed);
        match &mut self.batches {
            Batches::Passes(passes) => {
                let range = passes.ranges(step)[0].clone();
                let [places, labels] = passes.host(step, range);
                put(&mut words, feeds.places.map(at), places.iter().copied());
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
        let at = |feed: usize| self.session.feed_place(program, feed);
        if let InputShape::Image { height, width, .. } = self.job.set.supply.shape() {
            for (step, columns) in self.job.config.augment.iter().zip(&feeds.changes) {
                let size = feeds.places.map_or(0, |feed| feeds.sizes[feed]);
                let drawn = draw(step, size, [height, width], &mut draws.augment);
                for (feed, values) in columns.iter().zip(drawn) {
                    put(words, Some(at(*feed)), values.into_iter().map(bits));
                }
            }
        }
        let seed = draws.seed();
        put(words, feeds.seed.map(at), [seed]);
        for &(feed, shape) in &feeds.noise {
            let values = normal_values(shape, &mut draws.noise);
            put(words, Some(at(feed)), values.into_iter().map(bits));
        }
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        if !self.pending.is_empty() {
            self.session.run(self.program, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    pub fn sums(&mut self) -> Result<Kept, TrainError> {
        self.flush()?;
        let states = self.session.read(0, Region::States)?;
        let sum = |i: usize| {
            let place = self.session.offset(Region::State(self.states + i));
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

    pub fn clear_sums(&mut self) {
        self.seen = 0;
        for i in 0..=self.metrics.len() {
            self.session
                .write(0, Region::State(self.states + i), &[0.0]);
        }
    }

    pub fn held_out_loss(&mut self, held_out: HeldOut<'_>) -> Result<f64, TrainError> {
        self.flush()?;
        let HeldOut { supply, labels } = held_out;
        if supply.is_empty() {
            return Ok(f64::NAN);
        }
        let sum = Region::State(self.states + 1 + self.metrics.len());
        self.session.write(0, sum, &[0.0]);
        let batch = self.job.config.batch.max(1);
        for start in (0..supply.len()).step_by(batch) {
            let range = start..(start + batch).min(supply.len());
            let Some((program, feeds)) = self.evaluations.get(&range.len()) else {
                return Err(TrainError::device("no program for an evaluation"));
            };
            let mut words = vec![0u32; self.session.fed(*program)];
            let at = |feed: usize| self.session.feed_place(*program, feed);
            let places = range.clone().map(|place| (self.held_out + place) as u32);
            put(&mut words, feeds.places.map(at), places);
            let label = |place: usize| labels.get(place).copied().unwrap_or(0);
            let labels = range.clone().map(|place| bits(label(place) as f32));
            put(&mut words, feeds.labels.map(at), labels);
            if feeds.tokens.is_some() {
                let tokens = supply.tokens(range).map(|t| bits(f32::from(t)));
                put(&mut words, feeds.tokens.map(at), tokens);
            }
            self.session.run(*program, &words)?;
        }
        let total = self.session.read(0, sum)?[0];
        Ok(f64::from(total) / supply.len() as f64)
    }

    /// The model as it is now, on the training's device.
    pub fn network(&mut self) -> Result<Network, TrainError> {
        self.flush()?;
        struct Fill<'a> {
            values: Vec<Vec<f32>>,
            next: usize,
            device: &'a Device,
        }
        impl ModuleMapper for Fill<'_> {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let values = std::mem::take(&mut self.values[self.next]);
                self.next += 1;
                let device = self.device;
                param.map(|old| Tensor::from_data(TensorData::new(values, old.dims()), device))
            }
        }
        let parameters = self.session.read(0, Region::Parameters)?;
        let states = self.session.read(0, Region::States)?;
        let values = (self.kinds.iter().zip(&self.shapes))
            .map(|(kind, shape)| {
                let from = self.session.offset(region(*kind));
                let range = from..from + shape.iter().product::<usize>();
                match kind {
                    Kind::Parameter(_) => parameters[range].to_vec(),
                    Kind::State(_) => states[range].to_vec(),
                }
            })
            .collect();
        let mut fill = Fill {
            values,
            next: 0,
            device: self.device,
        };
        // Copies of a network share their running statistics: each is made anew.
        Ok(self.job.blank(self.device)?.map(&mut fill))
    }

    pub fn parts(&mut self) -> Parts {
        self.flush()?;
        let mut parts = vec![];
        for (name, region) in PARTS {
            let values = self.session.read(0, region)?;
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
            if values.len() != self.session.length(region) {
                return None;
            }
            found.push((region, values));
        }
        for (region, values) in found {
            self.session.write(0, region, &values);
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
