//! Where everything lies in the memory of a model: one array of f32, in which parameters,
//! gradients and what the optimiser remembers lie at the same places of regions of their own.

use std::collections::BTreeMap;

use crate::bank::{BANKS, bank, fitting};
use crate::fuse::Fused;
use crate::graph::{Graph, Id, Leaf, Op, size};

/// What a model has on the device whatever program runs on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shapes {
    /// Sizes of the parameters.
    pub parameters: Vec<usize>,
    /// Sizes of what it keeps beside parameters.
    pub states: Vec<usize>,
    /// What never changes.
    pub constants: Vec<Vec<f32>>,
    /// Arrays of the parameters' size that an optimiser remembers.
    pub moments: usize,
}

/// Where an output of a graph goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is the gradient of this parameter.
    Gradient(usize),
    /// It is the new value of this state.
    State(usize),
    /// It is read back.
    Read,
}

/// Samples as bytes, four to a word, each from a new word on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Samples {
    /// There are none.
    #[default]
    None,
    /// They are resident, of so many bytes each, and the feed names their places.
    Resident(usize),
    /// The feed holds those of the step, of so many bytes each.
    Fed(usize),
}

/// Where arrays begin, in values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub parameters: Vec<usize>,
    pub states: Vec<usize>,
    pub constants: Vec<usize>,
    /// Values of all parameters together, each on a border of 4.
    pub count: usize,
    pub gradients: usize,
    pub moments: usize,
    /// The region of intermediate results.
    pub free: usize,
    /// The end of what this program needs in each bank.
    pub ends: Vec<usize>,
    pub made: BTreeMap<Id, Vec<usize>>,
    pub feeds: Vec<usize>,
    /// Words of a step's feed.
    pub fed: usize,
    /// Where samples come from.
    pub samples: Samples,
}

/// The next border of 4 values.
fn aligned(n: usize) -> usize {
    n.next_multiple_of(4)
}

impl Layout {
    /// Where what all programs share lies.
    pub fn of(shapes: &Shapes) -> Self {
        let mut at = 0;
        let mut take = |n: usize| {
            let start = at;
            at += aligned(n);
            start
        };
        let parameters: Vec<usize> = shapes.parameters.iter().map(|&n| take(n)).collect();
        let count = take(0);
        let gradients = take(count);
        let moments = take(count * shapes.moments);
        let states = shapes.states.iter().map(|&n| take(n)).collect();
        let constants = shapes.constants.iter().map(|c| take(c.len())).collect();
        let free = take(0);
        Self {
            parameters,
            states,
            constants,
            count,
            gradients,
            moments,
            free,
            ends: vec![free],
            ..Self::default()
        }
    }

    /// The same with places for what a program makes, in banks of `bank_size` values.
    pub fn program(
        &self,
        graph: &Graph,
        fused: &Fused,
        outputs: &[(Id, Target)],
        feeds: &[usize],
        samples: Samples,
        bank_size: usize,
    ) -> Self {
        let mut layout = self.clone();
        layout.samples = samples;
        layout.feeds = feeds
            .iter()
            // The first words say where the model's banks begin.
            .scan(BANKS, |at, &n| {
                let start = *at;
                *at += n;
                Some(start)
            })
            .collect();
        // Dynamic offsets of buffers are multiples of 256 bytes.
        layout.fed = (BANKS + feeds.iter().sum::<usize>()).next_multiple_of(64);

        // Until which level each node is read.
        let mut last: BTreeMap<Id, usize> = BTreeMap::new();
        for (number, kernel) in fused.kernels.iter().enumerate() {
            for id in reads(graph, fused, number) {
                let until = last.entry(id).or_default();
                *until = (*until).max(kernel.level);
            }
        }
        for &(id, target) in outputs {
            let place = match target {
                Target::Gradient(i) => layout.gradients + layout.parameters[i],
                Target::State(i) => layout.states[i],
                Target::Read => {
                    last.insert(id, usize::MAX);
                    continue;
                }
            };
            layout.made.entry(id).or_default().push(place);
        }
        let mut order: Vec<(Id, usize)> = last.into_iter().collect();
        order.sort_by_key(|(id, _)| (fused.kernels[fused.made_by[id]].level, *id));
        // First fit; what was last read at an earlier level makes room.
        let mut taken: Vec<(usize, usize, usize)> = vec![];
        for (id, until) in order {
            // An output is read where it must be anyway.
            if until != usize::MAX && layout.made.contains_key(&id) {
                continue;
            }
            let level = fused.kernels[fused.made_by[&id]].level;
            taken.retain(|&(.., until)| until >= level);
            taken.sort_unstable();
            let length = aligned(size(graph.shape(id)));
            let mut at = fitting(layout.free, length, bank_size);
            for &(start, end, _) in &taken {
                if at + length <= start {
                    break;
                }
                at = fitting(at.max(end), length, bank_size);
            }
            taken.push((at, at + length, until));
            layout.reach(at + length);
            layout.made.entry(id).or_default().push(at);
        }
        layout
    }

    /// Extends the end of a bank to a place.
    pub fn reach(&mut self, place: usize) {
        let (number, end) = bank(place);
        if self.ends.len() <= number {
            self.ends.resize(number + 1, 0);
        }
        self.ends[number] = self.ends[number].max(end);
    }

    /// Where a node that another kernel made is read.
    pub fn place(&self, id: Id) -> usize {
        self.stores(id).last().copied().unwrap_or(0)
    }

    /// All places where a node is to be stored.
    pub fn stores(&self, id: Id) -> &[usize] {
        self.made.get(&id).map_or(&[], Vec::as_slice)
    }

    pub fn leaf(&self, leaf: &Leaf) -> usize {
        match *leaf {
            Leaf::Parameter(i) => self.parameters[i],
            Leaf::State(i) => self.states[i],
            Leaf::Constant(i) => self.constants[i],
            Leaf::Feed(_) | Leaf::Samples(_) => 0,
        }
    }

    /// Where a feed begins in a step's words.
    pub fn feed(&self, feed: usize) -> usize {
        self.feeds[feed]
    }
}

/// What a kernel reads that others make.
pub(crate) fn reads(graph: &Graph, fused: &Fused, kernel: usize) -> Vec<Id> {
    let mut found = vec![];
    let mut seen = std::collections::BTreeSet::new();
    let made = &fused.kernels[kernel];
    let mut stack: Vec<Id> = (made.reductions.iter().chain(&made.kept))
        .flat_map(|&id| graph.needs(id))
        .collect();
    if let crate::fuse::Kind::Contract(id) = made.kind {
        stack.extend(graph.needs(id));
    }
    while let Some(id) = stack.pop() {
        if !seen.insert(id) {
            continue;
        }
        match fused.made_by.get(&id) {
            Some(&maker) if maker != kernel => found.push(id),
            Some(_) if matches!(graph.op(id), Op::Reduce(..) | Op::Contract { .. }) => {}
            _ => stack.extend(graph.needs(id)),
        }
    }
    found
}
