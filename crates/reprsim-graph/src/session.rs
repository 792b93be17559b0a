//! Models in training on a GPU: their arrays, and the programs that run on them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bank::{BANKS, bank};
use crate::error::GraphError;
use crate::gpu::{Gpu, Resident};
use crate::layout::{Layout, Shapes};
use crate::program::{DATA, Dispatch, FED, Program};

/// Bytes of a feed that are sent at once.
const FEED: u64 = 8 << 20;
/// Seconds of launches that are timed together.
const LONG: f64 = 0.1;
/// Launches that are handed to the driver together.
const TOGETHER: usize = 2048;
/// How often something is handed over before the first of it must be done: the host does not run
/// away from the device, whose feeds would fill its memory.
const AHEAD: usize = 3;

/// Several models of the same shapes on a GPU, with the programs that run on all of them at
/// once.
#[derive(Debug)]
pub struct Session {
    gpu: Gpu,
    layout: Layout,
    /// A bank of all models each.
    arenas: Vec<wgpu::Buffer>,
    /// Values of a model in each bank.
    strides: Vec<usize>,
    models: usize,
    programs: Vec<Ready>,
    /// The feed that programs share, and all bytes of feeds.
    feed: Option<wgpu::Buffer>,
    feed_bytes: u64,
    /// What was handed over and is perhaps not done.
    ahead: Mutex<VecDeque<wgpu::SubmissionIndex>>,
}

/// A program, and the samples that it reads.
#[derive(Clone, Debug)]
pub struct Load {
    /// The program.
    pub program: Program,
    /// Samples, if it reads any that are resident.
    pub data: Option<Resident>,
}

impl From<Program> for Load {
    fn from(program: Program) -> Self {
        Self {
            program,
            data: None,
        }
    }
}

/// A program whose pipelines are compiled.
#[derive(Debug)]
struct Ready {
    program: Program,
    data: Option<Resident>,
    pipelines: Vec<wgpu::ComputePipeline>,
    feed: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// Steps that the feed has room for.
    steps: usize,
    /// Seconds of compiling the pipelines.
    compile_seconds: f64,
}

/// A region of a model's memory. Arrays begin at borders of four values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// All parameters.
    Parameters,
    /// A parameter.
    Parameter(usize),
    /// All that the optimiser remembers.
    Moments,
    /// All that a model keeps beside parameters.
    States,
    /// An array of it.
    State(usize),
}

impl Session {
    /// `models` models of these shapes, all zero but for constants.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if the device refuses, [`GraphError::Memory`] if it does not allow
    /// arrays of that size or has no such memory left.
    pub fn new(
        gpu: &Gpu,
        shapes: &Shapes,
        models: usize,
        programs: Vec<Load>,
    ) -> Result<Self, GraphError> {
        let layout = Layout::of(shapes);
        let strides = strides(shapes, programs.iter().map(|load| &load.program));
        if strides.len() > BANKS {
            return Err(GraphError::Memory {
                needed: 4 * strides.iter().sum::<usize>() as u64,
                largest: BANKS as u64 * gpu.largest_array(),
            });
        }
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let bank = |i: usize| {
            let stride = strides.get(i).copied().unwrap_or(0);
            gpu.array(4 * (stride * models) as u64, usage)
        };
        let arenas = (0..BANKS).map(bank).collect::<Result<_, _>>()?;
        let mut session = Self {
            gpu: gpu.clone(),
            layout,
            arenas,
            strides,
            models,
            programs: vec![],
            feed: None,
            feed_bytes: 0,
            ahead: Mutex::default(),
        };
        for program in programs {
            session.add(program)?;
        }
        for model in 0..models {
            for (constant, values) in session.layout.constants.iter().zip(&shapes.constants) {
                session.write_at(model, *constant, values);
            }
        }
        Ok(session)
    }

    /// Whether a program finds room for what it makes.
    pub(crate) fn has_room(&self, program: &Program) -> bool {
        let ends = &program.layout.ends;
        let room = |(bank, end): (usize, &usize)| self.strides.get(bank).is_some_and(|s| end <= s);
        ends.iter().enumerate().all(room)
    }

    /// Adds a program, which must find room, and returns its number.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub(crate) fn add(&mut self, load: Load) -> Result<usize, GraphError> {
        let Load { program, data } = load;
        let started = Instant::now();
        let pipelines = self.gpu.pipelines(program.dispatches());
        let compile_seconds = started.elapsed().as_secs_f64();
        let step = 4 * (program.layout.fed * self.models) as u64;
        // Steps follow each other, so that one feed is enough for all programs.
        let size = step * (FEED / step).clamp(1, 64);
        let feed = match self.feed.take().filter(|feed| feed.size() >= size) {
            Some(feed) => feed,
            None => {
                let feed = self.gpu.array(size, wgpu::BufferUsages::COPY_DST)?;
                self.feed_bytes += feed.size();
                feed
            }
        };
        self.feed = Some(feed.clone());
        let steps = feed.size() / step;
        let samples = match &data {
            Some(data) => data.clone(),
            None => self.gpu.resident(&[])?,
        };
        let window = wgpu::BufferBinding {
            buffer: &feed,
            offset: 0,
            size: wgpu::BufferSize::new(step),
        };
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let banks = (0u32..).zip(&self.arenas);
        let mut entries: Vec<_> = banks
            .map(|(i, bank)| entry(i, bank.as_entire_binding()))
            .collect();
        entries.push(entry(DATA, samples.buffer.as_entire_binding()));
        entries.push(entry(FED, wgpu::BindingResource::Buffer(window)));
        let descriptor = wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.gpu.bindings,
            entries: &entries,
        };
        let bindings = self.gpu.device.create_bind_group(&descriptor);
        self.programs.push(Ready {
            program,
            data,
            pipelines,
            feed,
            bindings,
            steps: steps as usize,
            compile_seconds,
        });
        self.gpu.check()?;
        Ok(self.programs.len() - 1)
    }

    /// The number of an equal program over the same samples, if there is one.
    pub(crate) fn find(&self, load: &Load) -> Option<usize> {
        (self.programs.iter()).position(|ready| {
            ready.data == load.data
                && ready.program.layout.fed == load.program.layout.fed
                && (ready.program.dispatches.iter()).map(|d| &d.code).eq(load
                    .program
                    .dispatches
                    .iter()
                    .map(|d| &d.code))
        })
    }

    /// A session without a model: `values` values, and launches of their own.
    pub(crate) fn bare(
        gpu: &Gpu,
        values: usize,
        dispatches: Vec<Dispatch>,
    ) -> Result<Self, GraphError> {
        let program = Program::bare(values, dispatches);
        Self::new(gpu, &Shapes::default(), 1, vec![program.into()])
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Bytes of all models, and of what they are fed.
    pub fn bytes(&self) -> u64 {
        4 * (self.strides.iter().sum::<usize>() * self.models) as u64 + self.feed_bytes
    }

    /// Writes into the words of a model's step where its banks begin.
    fn address(&self, words: &mut [u32], model: usize) {
        for (word, stride) in words.iter_mut().zip(&self.strides) {
            *word = (model * stride) as u32;
        }
    }

    /// Its models.
    pub(crate) fn models(&self) -> usize {
        self.models
    }

    /// Seconds of compiling a program's pipelines.
    pub fn compile_seconds(&self, program: usize) -> f64 {
        self.programs[program].compile_seconds
    }

    /// Waits until the device has done all that it was given.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn wait(&self) -> Result<(), GraphError> {
        let polled = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        self.gpu.check()?;
        polled
            .map(|_| ())
            .map_err(|error| GraphError::Gpu(error.to_string()))
    }

    /// Seconds that the device takes for each launch of a program, from `most` in a row, or
    /// fewer of those that take long.
    pub(crate) fn timed(&self, program: usize, most: usize) -> Result<Vec<f64>, GraphError> {
        let ready = &self.programs[program];
        let groups: Vec<[u32; 2]> = ready.program.dispatches.iter().map(|d| d.groups).collect();
        let fed = ready.program.layout.fed;
        let mut words = vec![0u32; fed * self.models];
        (words.chunks_mut(fed).enumerate()).for_each(|(model, words)| self.address(words, model));
        self.gpu
            .queue
            .write_buffer(&ready.feed, 0, bytemuck::cast_slice(&words));
        let mut found = vec![];
        for (pipeline, [x, y]) in ready.pipelines.iter().zip(&groups) {
            let launch = |times: usize| {
                let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_bind_group(0, &ready.bindings, &[0]);
                    pass.set_pipeline(pipeline);
                    for _ in 0..times {
                        pass.dispatch_workgroups(*x, *y, self.models as u32);
                    }
                }
                self.gpu.queue.submit([encoder.finish()]);
                self.wait()
            };
            launch(1)?;
            let started = Instant::now();
            launch(1)?;
            let once = started.elapsed().as_secs_f64();
            let repeats = ((LONG / once) as usize).clamp(1, most);
            // What it takes to be told that there is nothing left is the same for any number.
            let mut seconds = [f64::INFINITY; 2];
            for _ in 0..3 {
                for (least, times) in seconds.iter_mut().zip([1, 1 + repeats]) {
                    let started = Instant::now();
                    launch(times)?;
                    *least = least.min(started.elapsed().as_secs_f64());
                }
            }
            found.push(((seconds[1] - seconds[0]) / repeats as f64).max(1e-9));
        }
        Ok(found)
    }

    /// The launches of a program.
    pub fn dispatches(&self, program: usize) -> &[Dispatch] {
        self.programs[program].program.dispatches()
    }

    /// Words of a step's feed of one model.
    pub fn fed(&self, program: usize) -> usize {
        self.programs[program].program.layout.fed
    }

    /// Where a feed lies in them.
    pub fn feed_place(&self, program: usize, feed: usize) -> usize {
        self.programs[program].program.layout.feed(feed)
    }

    /// Runs a program on all models, once for each step of `feed`, which holds the words of every
    /// model one after another ([`Session::fed`] each, the first of which are the session's own);
    /// returns before the device has done it.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if the device has refused something before.
    pub fn run(&self, program: usize, feed: Vec<u32>) -> Result<(), GraphError> {
        let all: Vec<usize> = (0..self.models).collect();
        self.run_some(program, &all, feed)
    }

    /// The same on some models, in this order.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub(crate) fn run_some(
        &self,
        program: usize,
        models: &[usize],
        mut feed: Vec<u32>,
    ) -> Result<(), GraphError> {
        let ready = &self.programs[program];
        let fed = ready.program.layout.fed;
        let step = fed * models.len();
        for (words, model) in feed.chunks_mut(fed).zip(models.iter().cycle()) {
            self.address(words, *model);
        }
        let together = (TOGETHER / ready.pipelines.len().max(1)).clamp(1, ready.steps);
        let groups: Vec<[u32; 2]> = ready.program.dispatches.iter().map(|d| d.groups).collect();
        for words in feed.chunks(step * together) {
            self.gpu
                .queue
                .write_buffer(&ready.feed, 0, bytemuck::cast_slice(words));
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for i in 0..words.len() / step {
                    pass.set_bind_group(0, &ready.bindings, &[(4 * i * step) as u32]);
                    for (pipeline, [x, y]) in ready.pipelines.iter().zip(&groups) {
                        pass.set_pipeline(pipeline);
                        pass.dispatch_workgroups(*x, *y, models.len() as u32);
                    }
                }
            }
            let submitted = self.gpu.queue.submit([encoder.finish()]);
            self.keep_up(submitted)?;
        }
        self.gpu.check()
    }

    /// Waits until the device is no more than some submissions behind.
    fn keep_up(&self, submitted: wgpu::SubmissionIndex) -> Result<(), GraphError> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.push_back(submitted);
        while ahead.len() > AHEAD {
            let polled = self.gpu.device.poll(wgpu::PollType::Wait {
                submission_index: ahead.pop_front(),
                timeout: None,
            });
            self.gpu.check()?;
            polled.map_err(|error| GraphError::Gpu(error.to_string()))?;
        }
        Ok(())
    }

    /// Makes a model what it was at first: zero but for constants.
    pub(crate) fn clear(&self, model: usize) {
        let first = self.layout.constants.first();
        let end = first.copied().unwrap_or(self.layout.free);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let place = 4 * (model * self.strides[0]) as u64;
        encoder.clear_buffer(&self.arenas[0], place, Some(4 * end as u64));
        self.gpu.queue.submit([encoder.finish()]);
    }

    fn range(&self, region: Region) -> Range<usize> {
        let Layout {
            parameters,
            states,
            count,
            moments,
            ..
        } = &self.layout;
        let end =
            |places: &[usize], i: usize, end: usize| places.get(i + 1).copied().unwrap_or(end);
        let constants = self.layout.constants.first().copied();
        let after_states = constants.unwrap_or(self.layout.free);
        match region {
            Region::Parameters => 0..*count,
            Region::Parameter(i) => parameters[i]..end(parameters, i, *count),
            Region::Moments => {
                let first = states.first().or(self.layout.constants.first());
                *moments..first.copied().unwrap_or(self.layout.free)
            }
            Region::States => states.first().copied().unwrap_or(after_states)..after_states,
            Region::State(i) => states[i]..end(states, i, after_states),
        }
    }

    /// Values of a region.
    pub fn length(&self, region: Region) -> usize {
        self.range(region).len()
    }

    /// Where an array of a region begins in what is read of the whole region.
    pub fn offset(&self, array: Region) -> usize {
        let whole = match array {
            Region::State(_) => Region::States,
            _ => Region::Parameters,
        };
        self.range(array).start - self.range(whole).start
    }

    fn write_at(&self, model: usize, at: usize, values: &[f32]) {
        let place = 4 * (model * self.strides[0] + at) as u64;
        self.gpu
            .queue
            .write_buffer(&self.arenas[0], place, bytemuck::cast_slice(values));
    }

    /// Writes values of a model.
    pub fn write(&self, model: usize, region: Region, values: &[f32]) {
        self.write_at(model, self.range(region).start, values);
    }

    /// Reads a region of a model, when all that was run is done.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn read(&self, model: usize, region: Region) -> Result<Vec<f32>, GraphError> {
        let range = self.range(region);
        self.read_at(model, range.start, range.len())
    }

    /// Sends what a program's last step left of its outputs that are read back on its way to
    /// the host: later steps do not change it.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn stage(&self, program: usize) -> Result<Staged, GraphError> {
        let read = &self.programs[program].program.read;
        let of_model = |model: usize| read.iter().map(move |&(at, count)| (model, at, count));
        self.copy((0..self.models).flat_map(of_model).collect())
    }

    /// Those outputs, in order; of each model after another.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn fetch(&self, staged: Staged) -> Result<Vec<Vec<f32>>, GraphError> {
        let failed = |error: &dyn std::fmt::Display| GraphError::Gpu(error.to_string());
        let index = Some(staged.submission);
        let until = wgpu::PollType::Wait {
            submission_index: index,
            timeout: None,
        };
        let polled = self.gpu.device.poll(until);
        self.gpu.check()?;
        polled.map_err(|error| failed(&error))?;
        let view = staged.buffer.slice(..).get_mapped_range();
        let view = view.map_err(|error| failed(&error))?;
        let mut at = 0;
        let mut next = |count: usize| {
            at += 4 * count;
            bytemuck::cast_slice(&view[at - 4 * count..at]).to_vec()
        };
        Ok(staged.counts.into_iter().map(&mut next).collect())
    }

    fn read_at(&self, model: usize, at: usize, count: usize) -> Result<Vec<f32>, GraphError> {
        let staged = self.copy(vec![(model, at, count)])?;
        Ok(self.fetch(staged)?.pop().unwrap_or_default())
    }

    /// Sends values on their way to the host: of which model, where they begin, and how many.
    fn copy(&self, places: Vec<(usize, usize, usize)>) -> Result<Staged, GraphError> {
        let size = 4 * places.iter().map(|(.., count)| *count as u64).sum::<u64>();
        let buffer = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: size.max(4),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for &(model, at, count) in &places {
            let size = 4 * count as u64;
            let (bank, at) = bank(at);
            let from = 4 * (model * self.strides[bank] + at) as u64;
            encoder.copy_buffer_to_buffer(&self.arenas[bank], from, &buffer, to, size);
            to += size;
        }
        let submission = self.gpu.queue.submit([encoder.finish()]);
        buffer.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.gpu.check()?;
        Ok(Staged {
            buffer,
            submission,
            counts: places.into_iter().map(|(.., count)| count).collect(),
        })
    }
}

/// Values in each bank of a model of these shapes on which these programs run.
pub(crate) fn strides<'a>(
    shapes: &Shapes,
    programs: impl Iterator<Item = &'a Program>,
) -> Vec<usize> {
    let mut strides = Layout::of(shapes).ends;
    for program in programs {
        let ends = &program.layout.ends;
        strides.resize(strides.len().max(ends.len()), 0);
        for (stride, end) in strides.iter_mut().zip(ends) {
            *stride = (*stride).max(*end);
        }
    }
    strides[0] = strides[0].max(4);
    strides
}

/// Values on their way to the host.
#[derive(Debug)]
pub struct Staged {
    buffer: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    counts: Vec<usize>,
}
