//! Models of equal shapes that are trained side by side on one GPU, each driven by a thread of its
//! own: what several of them have to do next is done in the same launches.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::error::GraphError;
use crate::gpu::Gpu;
use crate::layout::Shapes;
use crate::session::{Load, Region, Session, strides};

/// How long the others wait for a model whose thread is not yet back with its next steps.
const PATIENCE: Duration = Duration::from_millis(4);

/// All models that train side by side on a GPU: a stack for each kind of shapes.
#[derive(Clone, Debug)]
pub struct Stacks(Arc<Open>);

#[derive(Debug)]
struct Open {
    /// Models at most.
    models: usize,
    /// Bytes of all stacks at most, if there are several models.
    bytes: u64,
    /// Those with a model.
    stacks: Mutex<Vec<Arc<Stack>>>,
    /// A seat was left.
    left: Condvar,
    /// What was done by models that have left.
    tally: Mutex<Tally>,
}

/// What was done on a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps and evaluated batches, of each model.
    pub steps: u64,
    /// Launches, each of one model or several.
    pub launches: u64,
}

/// One of them.
#[derive(Debug)]
struct Stack {
    shapes: Shapes,
    /// Bytes of all its models.
    bytes: u64,
    session: RwLock<Session>,
    seats: Mutex<Seats>,
    /// Steps were handed over, or a seat was taken or left.
    moved: Condvar,
}

#[derive(Debug)]
struct Seats {
    /// By number of the model in the session; `None` where the seat is free.
    taken: Vec<Option<Place>>,
    /// What went wrong for all.
    failed: Option<GraphError>,
    /// What was done since it was last told.
    done: Tally,
}

/// A seat that is taken.
#[derive(Clone, Debug)]
struct Place {
    /// Steps to be taken.
    steps: Option<Steps>,
    /// Whether others wait for it: not once it kept them waiting in vain, until it is back.
    awaited: bool,
}

/// Steps of one program.
#[derive(Clone, Debug)]
struct Steps {
    program: usize,
    /// Words of all.
    words: Vec<u32>,
    /// How many words are done.
    done: usize,
}

/// A model's place in a stack. Its values are its own; only launches are shared.
#[derive(Debug)]
pub struct Seat {
    open: Arc<Open>,
    /// There until the seat is left, and its memory free before others look for room.
    stack: Option<Arc<Stack>>,
    model: usize,
    programs: Vec<usize>,
}

impl Stacks {
    /// None yet; they are to have at most `models` models together, and `bytes` bytes if there
    /// are several models.
    pub fn new(models: usize, bytes: u64) -> Self {
        Self(Arc::new(Open {
            models: models.max(1),
            bytes,
            stacks: Mutex::default(),
            left: Condvar::new(),
            tally: Mutex::default(),
        }))
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        *self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a model of these shapes on which these programs will run; the same GPU each
    /// time. The model is zero but for constants. Waits while there is no room.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn seat(
        &self,
        gpu: &Gpu,
        shapes: &Shapes,
        programs: Vec<Load>,
    ) -> Result<Seat, GraphError> {
        let strides = strides(shapes, programs.iter().map(|load| &load.program));
        let bytes = 4 * strides.iter().sum::<usize>() as u64;
        let largest = 4 * strides.iter().max().copied().unwrap_or(1).max(1) as u64;
        let open = &*self.0;
        // Locked while kernels are compiled: whoever comes next finds them compiled.
        let mut stacks = open.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let taken: usize = stacks.iter().map(|stack| stack.taken()).sum();
            if taken < open.models {
                let mut full = false;
                for stack in stacks.iter() {
                    match stack.place(gpu, shapes, &programs) {
                        Ok(None) => {}
                        Ok(Some((model, numbers))) => {
                            return Ok(self.seated(stack.clone(), model, numbers));
                        }
                        Err(GraphError::Memory { .. }) => full = true,
                        Err(error) => return Err(error),
                    }
                }
                let used: u64 = stacks.iter().map(|stack| stack.bytes).sum();
                let left = open.bytes.saturating_sub(used);
                let fitting = (left / bytes).min(gpu.largest_array() / largest);
                let models = (open.models - taken).min(fitting.max(1) as usize);
                let made = match (fitting > 0 && !full) || stacks.is_empty() {
                    true => Stack::new(gpu, shapes, models, &programs).map(Some),
                    false => Ok(None),
                };
                let made = match made {
                    // There is room when others have ended.
                    Err(GraphError::Memory { .. }) if !stacks.is_empty() => None,
                    made => made?,
                };
                if let Some(stack) = made {
                    let stack = Arc::new(stack);
                    let place = stack.place(gpu, shapes, &programs)?;
                    let none = || GraphError::Gpu("a new stack has no place".into());
                    let (model, numbers) = place.ok_or_else(none)?;
                    stacks.push(stack.clone());
                    return Ok(self.seated(stack, model, numbers));
                }
            }
            stacks = (open.left.wait(stacks)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn seated(&self, stack: Arc<Stack>, model: usize, programs: Vec<usize>) -> Seat {
        Seat {
            open: self.0.clone(),
            stack: Some(stack),
            model,
            programs,
        }
    }
}

impl Stack {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Free places for up to `models` models, or fewer if no more find room.
    fn new(
        gpu: &Gpu,
        shapes: &Shapes,
        mut models: usize,
        programs: &[Load],
    ) -> Result<Self, GraphError> {
        let session = loop {
            match Session::new(gpu, shapes, models, programs.to_vec()) {
                Err(GraphError::Memory { .. }) if models > 1 => models /= 2,
                session => break session?,
            }
        };
        Ok(Self {
            shapes: shapes.clone(),
            bytes: session.bytes(),
            session: RwLock::new(session),
            seats: Mutex::new(Seats {
                taken: vec![None; models],
                failed: None,
                done: Tally::default(),
            }),
            moved: Condvar::new(),
        })
    }

    /// Models that sit here.
    fn taken(&self) -> usize {
        self.seats().taken.iter().flatten().count()
    }

    /// A free place, and the programs' numbers, if models of this kind sit here.
    fn place(
        &self,
        gpu: &Gpu,
        shapes: &Shapes,
        programs: &[Load],
    ) -> Result<Option<(usize, Vec<usize>)>, GraphError> {
        let room = |load: &Load| self.session().has_room(&load.program);
        if self.shapes != *shapes || !programs.iter().all(room) {
            return Ok(None);
        }
        // Compiled before the others are kept from going on.
        for load in programs {
            if self.session().find(load).is_none() {
                gpu.pipelines(load.program.dispatches());
            }
        }
        let mut seats = self.seats();
        let Some(model) = seats.taken.iter().position(Option::is_none) else {
            return Ok(None);
        };
        let numbers = {
            let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
            let number = |load: &Load| match session.find(load) {
                Some(number) => Ok(number),
                None => session.add(load.clone()),
            };
            programs.iter().map(number).collect::<Result<Vec<_>, _>>()?
        };
        seats.taken[model] = Some(Place {
            steps: None,
            awaited: true,
        });
        self.session().clear(model);
        Ok(Some((model, numbers)))
    }

    fn session(&self) -> RwLockReadGuard<'_, Session> {
        self.session.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `model` has no steps left that are not handed over. Whoever waits hands over:
    /// at once when all models have steps, else when the others have had their time.
    fn settle<'a>(
        &'a self,
        mut seats: MutexGuard<'a, Seats>,
        model: usize,
    ) -> Result<MutexGuard<'a, Seats>, GraphError> {
        let mut patient = true;
        loop {
            if let Some(error) = &seats.failed {
                return Err(error.clone());
            }
            let place = seats.taken[model].as_ref();
            if place.is_none_or(|place| place.steps.is_none()) {
                return Ok(seats);
            }
            let waits = |place: &Place| place.awaited && place.steps.is_none();
            if patient && seats.taken.iter().flatten().any(waits) {
                let waited = self.moved.wait_timeout(seats, PATIENCE);
                let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                seats = guard;
                patient = !timeout.timed_out();
                continue;
            }
            let missing = |place: &&mut Place| place.steps.is_none();
            for place in seats.taken.iter_mut().flatten().filter(missing) {
                place.awaited = false;
            }
            if let Err(error) = self.turn(&mut seats) {
                seats.failed = Some(error);
            }
            self.moved.notify_all();
            patient = true;
        }
    }

    /// Hands over the steps that the most models can take together.
    fn turn(&self, seats: &mut Seats) -> Result<(), GraphError> {
        let session = self.session();
        let of = |place: &Option<Place>| Some(place.as_ref()?.steps.as_ref()?.program);
        let programs: Vec<Option<usize>> = seats.taken.iter().map(of).collect();
        let count = |program: usize| programs.iter().filter(|p| **p == Some(program)).count();
        let Some(program) = (programs.iter().flatten())
            .copied()
            .max_by_key(|&p| count(p))
        else {
            return Ok(());
        };
        let models: Vec<usize> = (0..programs.len())
            .filter(|&model| programs[model] == Some(program))
            .collect();
        let mut steps: Vec<&mut Steps> = (seats.taken.iter_mut().flatten())
            .filter_map(|place| place.steps.as_mut())
            .filter(|steps| steps.program == program)
            .collect();
        let fed = session.fed(program);
        let left = steps.iter().map(|steps| steps.words.len() - steps.done);
        let words = left.min().unwrap_or(0);
        let mut feed = Vec::with_capacity(words * models.len());
        for at in (0..words).step_by(fed) {
            for steps in &steps {
                let from = steps.done + at;
                feed.extend_from_slice(&steps.words[from..from + fed]);
            }
        }
        for steps in &mut steps {
            steps.done += words;
        }
        for place in seats.taken.iter_mut().flatten() {
            place.steps.take_if(|steps| steps.done >= steps.words.len());
        }
        let times = (words / fed) as u64;
        seats.done.steps += times * models.len() as u64;
        seats.done.launches += times * session.dispatches(program).len() as u64;
        session.run_some(program, &models, feed)
    }
}

impl Seat {
    fn stack(&self) -> Result<&Stack, GraphError> {
        let left = || GraphError::Gpu("the seat was left".into());
        self.stack.as_deref().ok_or_else(left)
    }

    /// Words of a step's feed, of which the first are not for the caller. Programs are numbered as
    /// they were given.
    pub fn fed(&self, program: usize) -> usize {
        let stack = self.stack.as_ref();
        stack.map_or(0, |stack| stack.session().fed(self.programs[program]))
    }

    /// Where a feed lies in them.
    pub fn feed_place(&self, program: usize, feed: usize) -> usize {
        let stack = self.stack.as_ref();
        stack.map_or(0, |stack| {
            stack.session().feed_place(self.programs[program], feed)
        })
    }

    /// Has the model take steps of a program, one for each [`Seat::fed`] of `words`, after all
    /// that it was given before; returns before they are done.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if the device has refused something before.
    pub fn run(&self, program: usize, words: Vec<u32>) -> Result<(), GraphError> {
        let stack = self.stack()?;
        let mut seats = stack.settle(stack.seats(), self.model)?;
        if let Some(place) = &mut seats.taken[self.model] {
            place.awaited = true;
            place.steps = (!words.is_empty()).then_some(Steps {
                program: self.programs[program],
                words,
                done: 0,
            });
        }
        stack.moved.notify_all();
        Ok(())
    }

    /// The stack's session, when all that the model was given has been handed to the device.
    fn settled(&self) -> Result<RwLockReadGuard<'_, Session>, GraphError> {
        let stack = self.stack()?;
        drop(stack.settle(stack.seats(), self.model)?);
        Ok(stack.session())
    }

    /// Values of a region.
    pub fn length(&self, region: Region) -> usize {
        let stack = self.stack.as_ref();
        stack.map_or(0, |stack| stack.session().length(region))
    }

    /// Where an array of a region begins in what is read of the whole region.
    pub fn offset(&self, array: Region) -> usize {
        let stack = self.stack.as_ref();
        stack.map_or(0, |stack| stack.session().offset(array))
    }

    /// Writes values, after all that the model was given to do.
    ///
    /// # Errors
    /// As [`Seat::run`].
    pub fn write(&self, region: Region, values: &[f32]) -> Result<(), GraphError> {
        self.settled()?.write(self.model, region, values);
        Ok(())
    }

    /// Reads a region when all that the model was given is done.
    ///
    /// # Errors
    /// As [`Seat::run`].
    pub fn read(&self, region: Region) -> Result<Vec<f32>, GraphError> {
        self.settled()?.read(self.model, region)
    }

    /// Times a program.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn profile(&self, program: usize) -> Result<crate::Profile, GraphError> {
        self.settled()?.profile(self.programs[program])
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(stack) = self.stack.take() else {
            return;
        };
        let mut stacks = (self.open.stacks.lock()).unwrap_or_else(PoisonError::into_inner);
        let mut seats = stack.seats();
        seats.taken[self.model] = None;
        let done = std::mem::take(&mut seats.done);
        drop(seats);
        let mut tally = self
            .open
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tally.steps += done.steps;
        tally.launches += done.launches;
        drop(tally);
        stack.moved.notify_all();
        stacks.retain(|stack| stack.taken() > 0);
        drop(stack);
        self.open.left.notify_all();
    }
}
