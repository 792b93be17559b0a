//! A graph as the dispatches that compute it.

use crate::bank::BANKS;
use crate::emit::{PRELUDE, Source, number};
use crate::fuse::{Fused, fuse};
use crate::graph::{Graph, Id, Op, View, size};
use crate::hardware::{Hardware, Precision};
use crate::kernels::{THREADS, code};
use crate::layout::{Layout, Samples, Shapes, Target, reads};

/// What a graph computes, and from what.
#[derive(Clone, Debug, Default)]
pub struct Computation {
    /// The graph.
    pub graph: Graph,
    /// Its results, each with where it goes.
    pub outputs: Vec<(Id, Target)>,
    /// Words of each feed.
    pub feeds: Vec<usize>,
    /// Where samples come from.
    pub samples: Samples,
    /// What factors of products are rounded to.
    pub precision: Precision,
}

/// One launch on the device.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Its code in WGSL, with the entry point `main`.
    pub code: String,
    /// Whether it needs matrix units.
    pub units: bool,
    /// Workgroups along x and y.
    pub groups: [u32; 2],
    /// Kernels in it: what each goes over.
    pub kernels: Vec<String>,
    /// Bytes that it reads and writes, each array once.
    pub bytes: u64,
    /// Floating-point operations.
    pub work: u64,
}

/// All launches of a computation, in order, and where its data lie.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) dispatches: Vec<Dispatch>,
    #[cfg_attr(
        not(feature = "wgpu"),
        allow(dead_code, reason = "no GPU to replay steps")
    )]
    pub(crate) layout: Layout,
    /// Where outputs to be read begin, and their sizes.
    #[cfg_attr(
        not(feature = "wgpu"),
        allow(dead_code, reason = "no GPU to replay steps")
    )]
    pub(crate) read: Vec<(usize, usize)>,
}

/// The bindings of resident samples and of the feed, behind those of a model's banks.
pub(crate) const DATA: u32 = BANKS as u32;
pub(crate) const FED: u32 = DATA + 1;

/// Workgroups along x; more go along y.
const ROW: usize = 32768;

impl Program {
    /// Compiles a computation for models whose arrays have these sizes, with the step of an
    /// optimiser after it, if any, for such a device.
    pub fn new(
        computation: &Computation,
        shapes: &Shapes,
        step: Option<&Step>,
        hardware: Hardware,
    ) -> Self {
        let Computation {
            graph,
            outputs,
            feeds,
            samples,
            precision,
        } = computation;
        // Another shape of the same values is stored as they are.
        let outputs: Vec<(Id, Target)> = (outputs.iter())
            .map(|&(id, target)| (unshaped(graph, id), target))
            .collect();
        let ids: Vec<Id> = outputs.iter().map(|&(id, _)| id).collect();
        let fused = fuse(graph, &ids);
        let mut layout =
            Layout::of(shapes).program(graph, &fused, &outputs, feeds, *samples, hardware.bank);
        let levels = fused.kernels.iter().map(|k| k.level + 1).max().unwrap_or(0);
        let mut dispatches: Vec<Dispatch> = (0..levels)
            .map(|level| {
                let source = Source {
                    graph,
                    fused: &fused,
                    layout: &layout,
                    hardware,
                    precision: *precision,
                    kernel: 0,
                };
                dispatch(source, level)
            })
            .collect();
        if let Some(step) = step {
            dispatches.extend(step.dispatches(&layout));
            // The partial sums of the gradients' norm lie at the end.
            layout.ends[0] += PARTS;
        }
        let read = (outputs.iter())
            .filter(|(_, target)| *target == Target::Read)
            .map(|&(id, _)| (layout.place(id), size(graph.shape(id))))
            .collect();
        Self {
            dispatches,
            layout,
            read,
        }
    }

    /// Launches without a graph, for models of `values` values.
    #[cfg(feature = "wgpu")]
    pub(crate) fn bare(values: usize, dispatches: Vec<Dispatch>) -> Self {
        let layout = Layout {
            ends: vec![values],
            fed: 64,
            ..Layout::default()
        };
        Self {
            dispatches,
            layout,
            read: vec![],
        }
    }

    /// Bytes that a model takes on the device.
    pub fn bytes(&self) -> u64 {
        4 * self.layout.ends.iter().sum::<usize>() as u64
    }

    /// Its launches.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }
}

/// What a node shows in another shape.
fn unshaped(graph: &Graph, id: Id) -> Id {
    match graph.op(id) {
        Op::View(View::Reshape, of) => unshaped(graph, *of),
        _ => id,
    }
}

/// What precedes the functions of a module.
pub(crate) fn header(shared: usize) -> String {
    format!(
        "{}@group(0) @binding({DATA}) var<storage, read> data: array<u32>;\n\
         @group(0) @binding({FED}) var<storage, read> feed: array<u32>;\n\
         var<workgroup> tile: array<f32, {}>;\n{PRELUDE}",
        (0..BANKS).map(arena).collect::<String>(),
        shared.max(THREADS)
    )
}

/// The declaration of a bank.
fn arena(bank: usize) -> String {
    let number = match bank {
        0 => String::new(),
        _ => bank.to_string(),
    };
    format!("@group(0) @binding({bank}) var<storage, read_write> arena{number}: array<f32>;\n")
}

/// How many workgroups along x and y.
pub(crate) fn grid(groups: usize) -> [u32; 2] {
    let x = groups.clamp(1, ROW);
    [x as u32, groups.div_ceil(x).max(1) as u32]
}

fn dispatch(source: Source<'_>, level: usize) -> Dispatch {
    let Source {
        graph,
        fused,
        layout,
        ..
    } = source;
    let numbers: Vec<usize> = (0..fused.kernels.len())
        .filter(|&k| fused.kernels[k].level == level)
        .collect();
    let (mut functions, mut calls) = (String::new(), String::new());
    let (mut groups, mut shared, mut halves, mut work, mut bytes) = (0, 0, 0, 0, 0);
    let mut names = vec![];
    for &kernel in &numbers {
        let source = Source { kernel, ..source };
        let name = format!("kernel{kernel}");
        let written = code(source, &name);
        functions.push_str(&written.text);
        let until = groups + written.groups;
        let call = format!("{name}(group - {groups}u, t, base, fed);");
        let test = if calls.is_empty() { "if" } else { " else if" };
        calls.push_str(&format!("{test} (group < {until}u) {{ {call} }}"));
        names.push(fused.kernels[kernel].name(graph));
        groups = until;
        shared = shared.max(written.shared);
        halves = halves.max(written.halves);
        work += written.work;
        bytes += 4 * touched(graph, fused, layout, kernel);
    }
    let code = format!(
        "{}{}{functions}{}{calls}\n}}\n",
        header(shared),
        match halves {
            0 => String::new(),
            _ => format!("var<workgroup> halves: array<f16, {halves}>;\n"),
        },
        entry(layout)
    );
    Dispatch {
        code,
        units: halves > 0,
        groups: grid(groups),
        kernels: names,
        bytes,
        work,
    }
}

/// The beginning of an entry point.
fn entry(layout: &Layout) -> String {
    format!(
        "@compute @workgroup_size({THREADS})\n\
         fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>, \
         @builtin(local_invocation_index) t: u32) {{\n\
         let group = id.x + id.y * all.x;\n\
         let fed = id.z * {}u;\n\
         let base = feed[fed];\n",
        layout.fed
    )
}

/// Values that a kernel reads and writes.
fn touched(graph: &Graph, fused: &Fused, layout: &Layout, kernel: usize) -> u64 {
    let made = &fused.kernels[kernel];
    let mut values: usize = reads(graph, fused, kernel)
        .into_iter()
        .map(|id| size(graph.shape(id)))
        .sum();
    let mut seen = std::collections::BTreeSet::new();
    let mut stack: Vec<Id> = made.reductions.iter().chain(&made.kept).copied().collect();
    if let crate::fuse::Kind::Contract(id) = made.kind {
        stack.push(id);
    }
    for &id in &stack {
        values += layout.stores(id).len() * size(graph.shape(id));
    }
    while let Some(id) = stack.pop() {
        if !seen.insert(id) || fused.made_by.get(&id).is_some_and(|&k| k != kernel) {
            continue;
        }
        if let Op::Leaf(_) = graph.op(id) {
            values += size(graph.shape(id));
        }
        stack.extend(graph.needs(id));
    }
    values as u64
}

/// An optimiser's step over all parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which optimiser.
    pub rule: StepRule,
    /// The feed that holds the learning rate and what Adam divides both moments by.
    pub rates: usize,
    /// Whether each parameter decays.
    pub decays: Vec<bool>,
    /// Whether each parameter is trained; what is not has no gradient and stays as it is.
    pub trains: Vec<bool>,
    /// What the learning rate of each parameter is multiplied by.
    pub times: Vec<f32>,
    /// Largest joint norm of the gradients.
    pub clip: Option<f32>,
    /// The states that hold what the loss, and so every gradient, was multiplied by, and how many
    /// steps have gone well since it was last changed. As PyTorch's `GradScaler` does it, a step
    /// whose gradients are not finite is not taken and halves it (not below 1), and 2000 good ones
    /// double it.
    pub scaling: Option<[usize; 2]>,
}

/// What a loss is first multiplied by where it is scaled.
pub const FIRST_SCALE: f32 = 65536.0;
/// And at most.
const MOST_SCALED: f32 = 16_777_216.0;
/// Good steps after which more is tried.
const GROWS_AFTER: f32 = 2000.0;

/// How parameters follow gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepRule {
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum.
        momentum: f32,
        /// Weight decay.
        decay: f32,
    },
    /// Adam, or with decoupled decay AdamW.
    Adam {
        /// Share of the first moment that is kept.
        beta_1: f32,
        /// Share of the second moment that is kept.
        beta_2: f32,
        /// Added to the root of the second moment.
        epsilon: f32,
        /// Weight decay.
        decay: f32,
        /// Whether the decay shrinks the parameter itself.
        decoupled: bool,
    },
}

impl StepRule {
    /// Arrays that it remembers.
    pub fn moments(&self) -> usize {
        match self {
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } => 1,
            Self::Adam { .. } => 2,
        }
    }
}

/// Partial sums of the squares of gradients.
const PARTS: usize = THREADS;

impl Step {
    /// A condition on a place `i` that holds within the chosen parameters.
    fn within(layout: &Layout, chosen: &[bool]) -> String {
        if chosen.iter().all(|chosen| *chosen) {
            return "true".into();
        }
        // One test for those that lie side by side.
        let mut ranges: Vec<[usize; 2]> = vec![];
        for (number, &start) in layout.parameters.iter().enumerate() {
            if !chosen.get(number).is_some_and(|chosen| *chosen) {
                continue;
            }
            let next = layout.parameters.get(number + 1);
            let end = next.copied().unwrap_or(layout.count);
            match ranges.last_mut() {
                Some([_, last]) if *last == start => *last = end,
                _ => ranges.push([start, end]),
            }
        }
        let tests = ranges.iter();
        let tests = tests.map(|[start, end]| format!("(i >= {start}u && i < {end}u)"));
        match ranges.is_empty() {
            true => "false".into(),
            false => format!("({})", tests.collect::<Vec<_>>().join(" || ")),
        }
    }

    /// What the learning rate is multiplied by at a place `i`; `None` where it is 1 everywhere.
    fn multiple(&self, layout: &Layout) -> Option<String> {
        let mut others: Vec<f32> = vec![];
        for &times in &self.times {
            if times != 1.0 && !others.contains(&times) {
                others.push(times);
            }
        }
        let select = |rest: String, times: f32| {
            let chosen: Vec<bool> = self.times.iter().map(|t| *t == times).collect();
            let within = Self::within(layout, &chosen);
            format!("select({rest}, {}, {within})", number(times))
        };
        let found = others
            .iter()
            .fold("1.0".to_string(), |rest, &t| select(rest, t));
        (!others.is_empty()).then_some(found)
    }

    fn dispatches(&self, layout: &Layout) -> Vec<Dispatch> {
        let count = layout.count;
        let mut found = vec![];
        // What gradients were multiplied by, with the loss.
        let unscaled = match self.scaling {
            Some([scale, _]) => format!("1.0 / arena[base + {}u]", layout.states[scale]),
            None => "1.0".into(),
        };
        let trains = Self::within(layout, &self.trains);
        let (is_trained, skipped) = match trains.as_str() {
            "true" => (String::new(), String::new()),
            within => (
                format!(" && {within}"),
                format!("if (!{within}) {{ continue; }}\n"),
            ),
        };
        let is_summed = self.clip.is_some() || self.scaling.is_some();
        if is_summed {
            // The squares of the gradients in a fixed number of parts.
            let chunk = count.div_ceil(PARTS);
            let code = format!(
                "{}{}var sum = 0.0;\nlet unscaled = {unscaled};\n\
                 let first = group * {chunk}u;\n\
                 let end = min(first + {chunk}u, {count}u);\n\
                 for (var i = first + t; i < end; i += {THREADS}u) {{\n\
                 {}let g = arena[base + {}u + i] * unscaled;\nsum = fma(g, g, sum);\n}}\n\
                 {}if (t == 0u) {{ arena[base + {}u + group] = tile[0]; }}\n}}\n",
                header(THREADS),
                entry(layout),
                skipped,
                layout.gradients,
                tree(),
                layout.ends[0],
            );
            found.push(Dispatch {
                code,
                units: false,
                groups: grid(PARTS),
                kernels: vec!["squares of gradients".into()],
                bytes: 4 * count as u64,
                work: 2 * count as u64,
            });
        }
        let sum_of_parts = format!(
            "var sum = arena[base + {}u + t];\n{}let is_lost = is_endless(tile[0]);\n",
            layout.ends[0],
            tree()
        );
        let clipped = match (is_summed, self.clip) {
            (true, Some(norm)) => format!(
                "{sum_of_parts}let scale = min({} / (sqrt(tile[0]) + 1e-6), 1.0) * {unscaled};\n",
                number(norm)
            ),
            (true, None) => format!("{sum_of_parts}let scale = {unscaled};\n"),
            (false, _) => "let scale = 1.0;\n".into(),
        };
        // A step whose gradients have overflowed is not taken.
        let is_taken = match self.scaling {
            Some(_) => " && !is_lost",
            None => "",
        };
        let decays = Self::within(layout, &self.decays);
        let at = |region: usize| format!("arena[base + {region}u + i]");
        let (p, g) = (at(0), at(layout.gradients));
        let (first, second) = (at(layout.moments), at(layout.moments + count));
        let rate = |i: usize| format!("bitcast<f32>(feed[fed + {}u])", layout.feed(self.rates) + i);
        let lr = match self.multiple(layout) {
            Some(times) => format!("({} * {times})", rate(0)),
            None => rate(0),
        };
        let update = match self.rule {
            StepRule::Sgd { momentum, decay } => {
                let velocity = match momentum {
                    0.0 => String::new(),
                    _ => format!("g = g + {first} * {};\n{first} = g;\n", number(momentum)),
                };
                format!(
                    "g = p * select(0.0, {}, decays) + g;\n{velocity}\
                     {p} = p - g * {};\n",
                    number(decay),
                    lr
                )
            }
            StepRule::Adam {
                beta_1,
                beta_2,
                epsilon,
                decay,
                decoupled,
            } => {
                let decay = number(decay);
                let (penalty, keep) = match decoupled {
                    true => (
                        String::new(),
                        format!("1.0 - lr * select(0.0, {decay}, decays)"),
                    ),
                    false => (
                        format!("g = p * select(0.0, {decay}, decays) + g;\n"),
                        "1.0".into(),
                    ),
                };
                format!(
                    "let lr = {};\n{penalty}\
                     let m = {first} * {} + g * {};\n{first} = m;\n\
                     let v = {second} * {} + g * g * {};\n{second} = v;\n\
                     {p} = p * ({keep}) - lr * (m / {} / (sqrt(v / {}) + {}));\n",
                    lr,
                    number(beta_1),
                    number(1.0 - beta_1),
                    number(beta_2),
                    number(1.0 - beta_2),
                    rate(1),
                    rate(2),
                    number(epsilon)
                )
            }
        };
        let code = format!(
            "{}{}{clipped}let i = group * {THREADS}u + t;\nif (i < {count}u{is_taken}{is_trained}) {{\n\
             let decays = {decays};\nlet p = {p};\nvar g = {g} * scale;\n{update}}}\n}}\n",
            header(THREADS),
            entry(layout)
        );
        let arrays = 3 + 2 * self.rule.moments();
        found.push(Dispatch {
            code,
            units: false,
            groups: grid(count.div_ceil(THREADS)),
            kernels: vec!["optimiser".into()],
            bytes: 4 * (arrays * count) as u64,
            work: 10 * count as u64,
        });
        if let Some(states) = self.scaling {
            let [scale, good] =
                states.map(|state| format!("arena[base + {}u]", layout.states[state]));
            let code = format!(
                "{}{}{sum_of_parts}if (t == 0u) {{\n\
                 if (is_lost) {{\n{scale} = max({scale} * 0.5, 1.0);\n{good} = 0.0;\n\
                 }} else if ({good} >= {}) {{\n\
                 {scale} = min({scale} * 2.0, {});\n{good} = 0.0;\n\
                 }} else {{\n{good} = {good} + 1.0;\n}}\n}}\n}}\n",
                header(THREADS),
                entry(layout),
                number(GROWS_AFTER - 1.0),
                number(MOST_SCALED),
            );
            found.push(Dispatch {
                code,
                units: false,
                groups: [1, 1],
                kernels: vec!["loss scale".into()],
                bytes: 4 * (PARTS + 4) as u64,
                work: PARTS as u64,
            });
        }
        found
    }
}

/// The sum of all threads' `sum`, in a fixed order, as `tile[0]`.
fn tree() -> String {
    format!(
        "tile[t] = sum;\nworkgroupBarrier();\n\
         for (var half = {}u; half > 0u; half /= 2u) {{\n\
         if (t < half) {{ tile[t] = tile[t] + tile[t + half]; }}\nworkgroupBarrier();\n}}\n",
        THREADS / 2
    )
}
