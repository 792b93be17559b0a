//! Which operations of a graph become one kernel, and which kernels one dispatch.
//!
//! Kernels are made of three kinds: an element-wise map, the reductions of rows (with whatever
//! is element-wise around them), and a contraction (with what is element-wise after it). What
//! is cheap is computed again wherever it is needed; what is not is kept in memory. A kernel's
//! level is one more than the largest of what it reads, and all kernels of a level are one
//! dispatch: their number is the length of the longest chain, not the number of operations.

use std::collections::BTreeMap;

use crate::graph::{Graph, Id, Op, Unary, View, size};

/// What a kernel's workgroups go over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Each value by itself.
    Map,
    /// Rows over these axes.
    Rows(Vec<usize>),
    /// A sum of products.
    Contract(Id),
}

/// Operations that are computed together.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub kind: Kind,
    /// The dimensions that it goes over.
    pub space: Vec<usize>,
    pub level: usize,
    /// Its reductions, in order.
    pub reductions: Vec<Id>,
    /// Element-wise results that are kept.
    pub kept: Vec<Id>,
}

impl Kernel {
    /// The shape of its reductions' results.
    pub fn row_shape(&self) -> Vec<usize> {
        let mut shape = self.space.clone();
        if let Kind::Rows(axes) = &self.kind {
            axes.iter().for_each(|&axis| shape[axis] = 1);
        }
        shape
    }

    /// What it does, in words.
    pub fn name(&self, graph: &Graph) -> String {
        let space = |shape: &[usize]| {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            sizes.join("x")
        };
        let more = match self.kept.len() {
            0 => String::new(),
            n => format!(" +{n}"),
        };
        match &self.kind {
            Kind::Map => format!("map {}{more}", space(&self.space)),
            Kind::Rows(_) => {
                let (all, rows) = (space(&self.space), space(&self.row_shape()));
                format!("rows {all} to {rows}{more}")
            }
            Kind::Contract(id) => {
                let Op::Contract { of, .. } = graph.op(*id) else {
                    return String::new();
                };
                let [a, b] = of.map(|id| space(graph.shape(id)));
                format!("product {a} by {b} to {}{more}", space(&self.space))
            }
        }
    }
}

/// A graph cut into kernels.
#[derive(Clone, Debug)]
pub(crate) struct Fused {
    pub kernels: Vec<Kernel>,
    /// The kernel that makes a node which is read elsewhere.
    pub made_by: BTreeMap<Id, usize>,
}

/// What an element-wise expression costs each time.
#[derive(Clone, Copy, Default)]
struct Cost {
    loads: usize,
    /// Exponentials, roots and the like.
    slow: bool,
}

/// Loads beyond which an expression is kept.
const MANY: usize = 12;
/// Rows with which a row's element-wise results are made where it was reduced.
const ROWS: usize = 96;
/// Values of which few rows do it too.
const FEW: usize = 1 << 14;

/// Cuts the graph that computes `outputs` into kernels.
pub(crate) fn fuse(graph: &Graph, outputs: &[Id]) -> Fused {
    let keep = kept(graph, outputs);
    let mut fuser = Fuser {
        graph,
        kernels: vec![],
        made_by: BTreeMap::new(),
    };
    let mut live = vec![false; graph.nodes.len()];
    outputs.iter().for_each(|&id| live[id] = true);
    for id in (0..live.len()).rev() {
        if live[id] {
            graph
                .needs(id)
                .into_iter()
                .for_each(|need| live[need] = true);
        }
    }
    for id in (0..live.len()).filter(|&id| live[id]) {
        match graph.op(id) {
            Op::Reduce(_, of, axes) => fuser.reduction(id, *of, axes),
            Op::Contract { .. } => fuser.contraction(id),
            _ if keep[id] => fuser.element_wise(id),
            _ => {}
        }
    }
    Fused {
        kernels: fuser.kernels,
        made_by: fuser.made_by,
    }
}

/// Which element-wise nodes are kept in memory.
fn kept(graph: &Graph, outputs: &[Id]) -> Vec<bool> {
    let count = graph.nodes.len();
    let mut live = vec![false; count];
    // How often a node is read, and whether by a contraction, views looked through.
    let (mut reads, mut contracted) = (vec![0usize; count], vec![false; count]);
    outputs.iter().for_each(|&id| live[id] = true);
    for id in (0..count).rev() {
        if !live[id] {
            continue;
        }
        for need in graph.needs(id) {
            live[need] = true;
            match graph.op(id) {
                Op::View(..) => {
                    reads[need] += reads[id].max(1);
                    contracted[need] |= contracted[id];
                }
                Op::Contract { .. } => {
                    reads[need] += 1;
                    contracted[need] = true;
                }
                _ => reads[need] += 1,
            }
        }
    }
    let mut keep = vec![false; count];
    let mut costs = vec![Cost::default(); count];
    let loaded = Cost {
        loads: 1,
        slow: false,
    };
    for id in (0..count).filter(|&id| live[id]) {
        let is_output = outputs.contains(&id);
        let mut cost = Cost::default();
        for need in graph.needs(id) {
            cost.loads += costs[need].loads;
            cost.slow |= costs[need].slow;
        }
        costs[id] = match graph.op(id) {
            Op::Leaf(_) | Op::Reduce(..) | Op::Contract { .. } => loaded,
            Op::Scalar(_) | Op::Iota(_) => Cost::default(),
            Op::View(..) => cost,
            // A place names a whole row, and is loaded from the cache for most of it.
            Op::Gather(table, _) => costs[*table],
            op => {
                cost.slow |= match op {
                    Op::Hash(..) | Op::Unary(Unary::Relu | Unary::Neg | Unary::Abs, _) => false,
                    Op::Unary(..) => true,
                    _ => false,
                };
                let whole = size(graph.shape(id)) > 256;
                let again = contracted[id] && (cost.loads > 1 || cost.slow);
                let twice = reads[id] > 1 && (cost.loads > 4 || cost.slow);
                if whole && (again || twice || cost.loads > MANY) {
                    keep[id] = true;
                    loaded
                } else {
                    cost
                }
            }
        };
        let root = matches!(graph.op(id), Op::Reduce(..) | Op::Contract { .. });
        if is_output && !root {
            keep[id] = true;
            costs[id] = loaded;
        }
    }
    keep
}

/// How the index of a node follows from that of a kernel's space.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// It is the same, or that of the same place in another shape.
    Full,
    /// It is that of the row.
    Row,
    /// Otherwise.
    Other,
}

struct Fuser<'a> {
    graph: &'a Graph,
    kernels: Vec<Kernel>,
    made_by: BTreeMap<Id, usize>,
}

impl Fuser<'_> {
    /// Whether `id` can be computed where `kernel` computes, everything else that it needs
    /// being there before.
    fn fits(&self, id: Id, place: Place, kernel: usize, top: bool) -> bool {
        let target = &self.kernels[kernel];
        if !top && let Some(&maker) = self.made_by.get(&id) {
            if maker != kernel {
                return self.kernels[maker].level < target.level;
            }
            return match place {
                Place::Full => true,
                Place::Row => self.graph.shape(id) == target.row_shape(),
                Place::Other => false,
            };
        }
        match self.graph.op(id) {
            Op::View(View::Expand, of) => {
                let shape = self.graph.shape(*of);
                let is_row = matches!(target.kind, Kind::Rows(_))
                    && self.graph.shape(id) == target.space
                    && shape == target.row_shape();
                let place = match place {
                    Place::Full if is_row => Place::Row,
                    _ => Place::Other,
                };
                self.fits(*of, place, kernel, false)
            }
            Op::View(View::Reshape, of) if place == Place::Full => {
                self.fits(*of, place, kernel, false)
            }
            Op::View(_, of) => self.fits(*of, Place::Other, kernel, false),
            Op::Gather(table, index) => {
                self.fits(*table, Place::Other, kernel, false)
                    && self.fits(*index, Place::Other, kernel, false)
            }
            Op::Take(values, index) => {
                self.fits(*values, Place::Other, kernel, false)
                    && self.fits(*index, place, kernel, false)
            }
            _ => {
                (self.graph.needs(id).into_iter()).all(|need| self.fits(need, place, kernel, false))
            }
        }
    }

    /// The least level at which `id` can be computed.
    fn level(&self, id: Id, top: bool) -> usize {
        if !top && let Some(&maker) = self.made_by.get(&id) {
            return self.kernels[maker].level + 1;
        }
        let needs = self.graph.needs(id);
        needs
            .into_iter()
            .map(|need| self.level(need, false))
            .max()
            .unwrap_or(0)
    }

    fn new_kernel(&mut self, id: Id, kind: Kind, space: Vec<usize>) -> usize {
        self.kernels.push(Kernel {
            kind,
            space,
            level: self.level(id, true),
            reductions: vec![],
            kept: vec![],
        });
        self.made_by.insert(id, self.kernels.len() - 1);
        self.kernels.len() - 1
    }

    fn reduction(&mut self, id: Id, of: Id, axes: &[usize]) {
        let space = self.graph.shape(of).to_vec();
        let kind = Kind::Rows(axes.to_vec());
        let least = self.level(id, true);
        let found = (0..self.kernels.len()).find(|&k| {
            let kernel = &self.kernels[k];
            kernel.kind == kind
                && kernel.space == space
                // One that could be made earlier is not made later for company's sake.
                && (kernel.level == least || kernel.level + 1 == least)
                && self.fits(of, Place::Full, k, false)
        });
        let kernel = found.unwrap_or_else(|| self.new_kernel(id, kind, space));
        self.kernels[kernel].reductions.push(id);
        self.made_by.insert(id, kernel);
    }

    fn contraction(&mut self, id: Id) {
        let space = self.graph.shape(id).to_vec();
        self.new_kernel(id, Kind::Contract(id), space);
    }

    fn element_wise(&mut self, id: Id) {
        let shape = self.graph.shape(id).to_vec();
        let least = self.level(id, true);
        let found = (0..self.kernels.len()).rev().find(|&k| {
            let kernel = &self.kernels[k];
            let full = size(&kernel.space) == size(&shape);
            let suits = match &kernel.kind {
                Kind::Map => full,
                Kind::Contract(_) => full && kernel.level + 1 == least,
                Kind::Rows(_) if kernel.row_shape() == shape => true,
                Kind::Rows(_) => {
                    let rows = size(&kernel.row_shape());
                    full && (rows >= ROWS || size(&shape) <= FEW)
                }
            };
            let place = match full {
                true => Place::Full,
                false => Place::Row,
            };
            suits
                && (kernel.level == least || kernel.level + 1 == least)
                && self.fits(id, place, k, true)
        });
        let kernel = found.unwrap_or_else(|| self.new_kernel(id, Kind::Map, shape));
        self.kernels[kernel].kept.push(id);
        self.made_by.insert(id, kernel);
    }
}
