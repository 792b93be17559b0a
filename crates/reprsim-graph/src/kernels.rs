//! The code of a kernel: a function of a workgroup's number.

use crate::emit::{Block, Source, number};
use crate::fuse::{Kernel, Kind};
use crate::graph::{Id, Op, Reduction, View, size};
use crate::hardware::{Precision, Units};
use crate::index::Index;

/// Threads of a workgroup.
pub(crate) const THREADS: usize = 256;
/// Threads along each side of a tile of a contraction.
const SIDE: usize = 16;
/// Products of each step of a tile.
const DEPTH: usize = 16;

/// A kernel's function.
#[derive(Default)]
pub(crate) struct Code {
    pub text: String,
    /// A function that it calls, if any.
    helper: String,
    /// Workgroups.
    pub groups: usize,
    /// Values of memory that a workgroup shares.
    pub shared: usize,
    /// Values of 16 bits in it, which matrix units multiply.
    pub halves: usize,
    /// Multiplications and additions.
    pub work: u64,
}

/// The code of a kernel, as a function of this name.
pub(crate) fn code(source: Source<'_>, name: &str) -> Code {
    let kernel = &source.fused.kernels[source.kernel];
    let written = match &kernel.kind {
        // Of nothing there is nothing to do.
        _ if size(&kernel.space) == 0 => Code::default(),
        Kind::Map => map(source, kernel),
        Kind::Rows(axes) => rows(source, kernel, axes),
        Kind::Contract(id) => contraction(source, kernel, *id, name),
    };
    Code {
        text: format!(
            "{}fn {name}(group: u32, t: u32, base: u32, fed: u32) {{\n{}\n}}\n",
            written.helper, written.text
        ),
        ..written
    }
}

/// The nodes that others read, or that are outputs.
fn stored(source: Source<'_>, ids: &[Id]) -> Vec<Id> {
    let is_stored = |id: &Id| !source.layout.stores(*id).is_empty();
    ids.iter().copied().filter(is_stored).collect()
}

fn map(source: Source<'_>, kernel: &Kernel) -> Code {
    let count = size(&kernel.space);
    let mut block = Block::new(source, "v");
    for id in stored(source, &kernel.kept) {
        let index = block.unravel(&Index::of("i"), source.graph.shape(id));
        let value = block.value(id, &index);
        block.store(id, &index, &value);
    }
    Code {
        text: format!(
            "let i = group * {THREADS}u + t;\nif (i < {count}u) {{\n{}\n}}",
            block.lines.join("\n")
        ),
        helper: String::new(),
        groups: count.div_ceil(THREADS),
        shared: 0,
        halves: 0,
        work: (count * kernel.kept.len()) as u64,
    }
}

/// What a reduction begins with, and how two values become one.
fn reducing(reduction: Reduction) -> (f32, fn(&str, &str) -> String) {
    match reduction {
        Reduction::Sum => (0.0, |a, b| format!("{a} + {b}")),
        Reduction::Max => (f32::MIN, |a, b| format!("max({a}, {b})")),
        Reduction::Min => (f32::MAX, |a, b| format!("min({a}, {b})")),
    }
}

fn rows(source: Source<'_>, kernel: &Kernel, axes: &[usize]) -> Code {
    let graph = source.graph;
    let space = &kernel.space;
    let row_shape = kernel.row_shape();
    let inner_shape: Vec<usize> = (0..space.len())
        .map(|d| if axes.contains(&d) { space[d] } else { 1 })
        .collect();
    let (count, length) = (size(&row_shape), size(&inner_shape));
    // Threads of a row: each takes four values or more.
    let lanes = match length {
        0..=16 => 1,
        _ => (length / 4).next_power_of_two().clamp(4, THREADS),
    };
    let per_group = THREADS / lanes;

    let mut outer = Block::new(source, "r");
    outer.line(format!("let row = group * {per_group}u + t / {lanes}u;"));
    outer.line(format!("let lane = t % {lanes}u;"));
    outer.line(format!("let alive = row < {count}u;"));
    let row_index = outer.unravel(&Index::of("row"), &row_shape);
    // The index of a row's i-th value.
    let at = |block: &mut Block<'_>, row_index: &[Index]| -> Vec<Index> {
        let inner = block.unravel(&Index::of("i"), &inner_shape);
        (0..space.len())
            .map(|d| match axes.contains(&d) {
                true => inner[d].clone(),
                false => row_index[d].clone(),
            })
            .collect()
    };

    let mut shared = 0;
    for (phase, reductions) in phases(source, kernel).into_iter().enumerate() {
        let mut body = outer.inner(&format!("p{phase}_"));
        let index = at(&mut body, &row_index);
        let mut names = vec![];
        for &id in &reductions {
            let Op::Reduce(reduction, of, _) = graph.op(id) else {
                unreachable!("a row's reductions")
            };
            let (start, combine) = reducing(*reduction);
            let name = format!("a{id}");
            outer.line(format!("var {name} = {};", number(start)));
            let value = body.value(*of, &index);
            body.line(format!("{name} = {};", combine(&name, &value)));
            names.push((id, name, combine));
        }
        outer.line("if (alive) {");
        outer.line(format!(
            "for (var i = lane; i < {length}u; i += {lanes}u) {{"
        ));
        outer.lines.append(&mut body.lines);
        outer.line("}\n}");
        if lanes > 1 {
            shared = shared.max(THREADS * names.len());
            for (slot, (_, name, _)) in names.iter().enumerate() {
                outer.line(format!("tile[{}u + t] = {name};", slot * THREADS));
            }
            outer.line("workgroupBarrier();");
            // A loop: drivers that run threads one after another compile each barrier.
            let first = lanes / 2;
            outer.line(format!(
                "for (var half = {first}u; half > 0u; half /= 2u) {{"
            ));
            outer.line("if (lane < half) {");
            for (slot, (_, _, combine)) in names.iter().enumerate() {
                let place = |shift: &str| format!("tile[{}u + t{shift}]", slot * THREADS);
                let both = combine(&place(""), &place(" + half"));
                outer.line(format!("{} = {both};", place("")));
            }
            outer.line("}\nworkgroupBarrier();\n}");
        }
        for (slot, (id, name, _)) in names.iter().enumerate() {
            let bound = format!("b{id}");
            match lanes {
                1 => outer.line(format!("let {bound} = {name};")),
                _ => outer.line(format!(
                    "let {bound} = tile[{}u + t - lane];",
                    slot * THREADS
                )),
            }
            outer.bind(*id, &bound);
        }
        if lanes > 1 {
            outer.line("workgroupBarrier();");
        }
    }

    // What there is one of a row.
    let is_row = |id: &Id| graph.shape(*id) == row_shape;
    let all: Vec<Id> = kernel
        .reductions
        .iter()
        .chain(&kernel.kept)
        .copied()
        .collect();
    let (of_rows, of_values): (Vec<Id>, Vec<Id>) =
        stored(source, &all).into_iter().partition(is_row);
    let mut body = outer.inner("s");
    for id in of_rows {
        let value = body.value(id, &row_index);
        body.store(id, &row_index, &value);
    }
    outer.line("if (alive && lane == 0u) {");
    outer.lines.append(&mut body.lines);
    outer.line("}");
    if !of_values.is_empty() {
        let mut body = outer.inner("e");
        let index = at(&mut body, &row_index);
        for id in of_values {
            let index = body.reshaped(&index, space, graph.shape(id));
            let value = body.value(id, &index);
            body.store(id, &index, &value);
        }
        outer.line("if (alive) {");
        outer.line(format!(
            "for (var i = lane; i < {length}u; i += {lanes}u) {{"
        ));
        outer.lines.append(&mut body.lines);
        outer.line("}\n}");
    }
    Code {
        text: outer.lines.join("\n"),
        helper: String::new(),
        groups: count.div_ceil(per_group),
        shared,
        halves: 0,
        work: (count * length * all.len()) as u64,
    }
}

/// Reductions by how many others come before them in the same kernel.
fn phases(source: Source<'_>, kernel: &Kernel) -> Vec<Vec<Id>> {
    let mut found: Vec<Vec<Id>> = vec![];
    for &id in &kernel.reductions {
        // The last phase of which this one needs a result.
        let mut phase = 0;
        let mut stack = source.graph.needs(id);
        let mut seen = std::collections::BTreeSet::new();
        while let Some(need) = stack.pop() {
            if !seen.insert(need) {
                continue;
            }
            if kernel.reductions.contains(&need) {
                let of = found
                    .iter()
                    .position(|ids| ids.contains(&need))
                    .unwrap_or(0);
                phase = phase.max(of + 1);
            } else if source
                .fused
                .made_by
                .get(&need)
                .is_none_or(|&k| k == source.kernel)
            {
                stack.extend(source.graph.needs(need));
            }
        }
        if found.len() <= phase {
            found.resize(phase + 1, vec![]);
        }
        found[phase].push(id);
    }
    found
}

/// Labels of a contraction with their sizes: those of every product of the result, of each
/// factor alone, and those that are summed.
struct Labels {
    batch: Vec<u8>,
    alone: [Vec<u8>; 2],
    summed: Vec<u8>,
}

fn contraction(source: Source<'_>, kernel: &Kernel, id: Id, name: &str) -> Code {
    let graph = source.graph;
    let Op::Contract {
        of,
        labels,
        in_blocks,
    } = graph.op(id)
    else {
        unreachable!("a contraction's kernel")
    };
    let [a, b, result] = labels;
    // The factor whose label is the last of the result is the second: neighbouring threads
    // then write neighbouring values.
    let swap = result
        .iter()
        .rev()
        .find(|l| !(a.contains(l) && b.contains(l)));
    let swap = swap.is_some_and(|l| a.contains(l));
    let (of, a, b) = match swap {
        true => ([of[1], of[0]], b, a),
        false => (*of, a, b),
    };
    let of_result = |own: &[u8], other: &[u8]| -> Vec<u8> {
        let alone = |l: &&u8| own.contains(l) && !other.contains(l);
        result.iter().filter(alone).copied().collect()
    };
    let found = Labels {
        batch: (result.iter().copied())
            .filter(|l| a.contains(l) && b.contains(l))
            .collect(),
        alone: [of_result(a, b), of_result(b, a)],
        summed: a.iter().copied().filter(|l| !result.contains(l)).collect(),
    };
    let size_of = |label: u8| -> usize {
        let place = |labels: &[u8], of: Id| {
            let at = labels.iter().position(|&l| l == label)?;
            Some(graph.shape(of)[at])
        };
        place(a, of[0]).or_else(|| place(b, of[1])).unwrap_or(1)
    };
    let sizes = |labels: &[u8]| -> Vec<usize> { labels.iter().map(|&l| size_of(l)).collect() };
    let shapes = [&found.alone[0], &found.alone[1], &found.summed].map(|l| sizes(l));
    let [m, n, depth] = [0, 1, 2].map(|i| size(&shapes[i]));
    let batch_shape = sizes(&found.batch);
    let batch = size(&batch_shape);

    let half = source.precision == Precision::F16 && !*in_blocks;
    let units = (source.hardware.units)
        .filter(|units| half && [m, n, depth].iter().all(|&size| size >= units.side));
    // Sums of blocks take registers, too, and results of matrix units shared memory.
    let largest = match *in_blocks || units.is_some() {
        true => 64,
        false => 128,
    };
    let tile = Tile::new(m, n, batch, source.hardware.busy, largest);
    let Tile { tall, wide } = tile;
    // Products of a step.
    let step = match units {
        Some(_) => 2 * DEPTH,
        None => DEPTH,
    };
    let (tiles_m, tiles_n) = (m.div_ceil(tall), n.div_ceil(wide));
    let [per_m, per_n] = [tall / SIDE, wide / SIDE];

    let begin = |prefix: &str| {
        let mut block = Block::new(source, prefix);
        block.line(format!("let first_n = (group % {tiles_n}u) * {wide}u;"));
        block.line(format!(
            "let first_m = ((group / {tiles_n}u) % {tiles_m}u) * {tall}u;"
        ));
        block.line(format!("let batch = group / {}u;", tiles_m * tiles_n));
        let index = block.unravel(&Index::of("batch"), &batch_shape);
        (block, index)
    };
    let (mut outer, batch_index) = begin("o");
    let held = units.map(|units| Held::new(units, tile));
    match &held {
        Some(held) => held.begin(&mut outer),
        None => {
            outer.line(format!("let tx = t % {SIDE}u;\nlet ty = t / {SIDE}u;"));
            for_each(per_m, per_n, |i, j| {
                outer.line(format!("var c{i}_{j} = 0.0;"));
                if *in_blocks {
                    outer.line(format!("var b{i}_{j} = 0.0;"));
                }
            });
        }
    }
    // Both tiles one after another, each row a little longer against conflicts of banks.
    let rows = [tall + 4, wide + 4];
    let starts = [0, rows[0] * step];
    outer.line(format!(
        "for (var k0 = 0u; k0 < {depth}u; k0 += {step}u) {{"
    ));
    for factor in [0, 1] {
        let (names, width) = ([a, b][factor], [tall, wide][factor]);
        let own = &found.alone[factor];
        let mut body = outer.inner(["x", "y"][factor]);
        // Neighbouring threads read along the factor's last dimension.
        let along_depth = last_label(source, of[factor], names)
            .is_some_and(|label| found.summed.contains(&label));
        let (k, place) = match along_depth {
            true => (format!("(e % {step}u)"), format!("(e / {step}u)")),
            false => (format!("(e / {width}u)"), format!("(e % {width}u)")),
        };
        outer.line(format!(
            "for (var e = t; e < {}u; e += {THREADS}u) {{",
            width * step
        ));
        outer.line(format!("let kk = {k};\nlet ww = {place};"));
        outer.line(format!(
            "let k = k0 + kk;\nlet w = {} + ww;\nvar value = 0.0;",
            ["first_m", "first_n"][factor]
        ));
        let limit = [m, n][factor];
        let own_index = body.unravel(&Index::of("w"), &shapes[factor]);
        let depth_index = body.unravel(&Index::of("k"), &shapes[2]);
        let index: Vec<Index> = (names.iter())
            .map(|label| {
                among(own, &own_index, label)
                    .or_else(|| among(&found.summed, &depth_index, label))
                    .or_else(|| among(&found.batch, &batch_index, label))
                    .unwrap_or(Index::Known(0))
            })
            .collect();
        let value = body.value(of[factor], &index);
        body.line(match source.precision {
            Precision::F16 if half && units.is_none() => {
                format!("value = quantizeToF16({value});")
            }
            Precision::Bf16 if !*in_blocks => format!("value = to_bf16({value});"),
            _ => format!("value = {value};"),
        });
        outer.line(format!("if (k < {depth}u && w < {limit}u) {{"));
        outer.lines.append(&mut body.lines);
        outer.line("}");
        let (array, value) = match units {
            Some(_) => ("halves", "f16(value)"),
            None => ("tile", "value"),
        };
        outer.line(format!(
            "{array}[{}u + kk * {}u + ww] = {value};\n}}",
            starts[factor], rows[factor]
        ));
    }
    outer.line("workgroupBarrier();");
    match &held {
        Some(held) => held.multiply(&mut outer, step, rows, starts[1]),
        None => multiply(
            &mut outer,
            [per_m, per_n],
            rows,
            starts[1],
            *in_blocks,
            depth,
        ),
    }
    outer.line("workgroupBarrier();\n}");

    // The results go through shared memory, some of each thread at a time, so that the code
    // after them is written once and neighbouring threads store neighbouring values.
    let together = (STAGED / (SIDE * wide)).clamp(1, per_m);
    let call = |first: usize| {
        format!(
            "workgroupBarrier();\n{name}_store(group, t, base, fed, {first}u);\nworkgroupBarrier();"
        )
    };
    match &held {
        Some(held) => {
            held.end(&mut outer);
            outer.line(call(0));
        }
        None => {
            for first in (0..per_m).step_by(together) {
                for_each(together, per_n, |i, j| {
                    outer.line(format!(
                        "tile[(ty * {together}u + {i}u) * {wide}u + {}] = c{}_{j};",
                        Tile::place("tx", j, per_n),
                        first + i
                    ));
                });
                outer.line(call(first));
            }
        }
    }

    let (mut store, batch_index) = begin("q");
    store.line(format!(
        "for (var e = t; e < {}u; e += {THREADS}u) {{",
        SIDE * together * wide
    ));
    store.line(format!(
        "let i = first + (e / {wide}u) % {together}u;\nlet ty = e / {}u;",
        wide * together
    ));
    let vector = per_m.min(VECTOR);
    let row = match held {
        Some(_) => format!("e / {wide}u"),
        None => format!(
            "(i / {vector}u) * {}u + ty * {vector}u + i % {vector}u",
            SIDE * vector
        ),
    };
    store.line(format!(
        "let m = first_m + {row};\nlet n = first_n + e % {wide}u;"
    ));
    store.line(format!("if (m < {m}u && n < {n}u) {{\nlet sum = tile[e];"));
    let mut body = store.inner("z");
    body.bind(id, "sum");
    let index_m = body.unravel(&Index::of("m"), &shapes[0]);
    let index_n = body.unravel(&Index::of("n"), &shapes[1]);
    let index: Vec<Index> = (result.iter())
        .map(|label| {
            among(&found.alone[0], &index_m, label)
                .or_else(|| among(&found.alone[1], &index_n, label))
                .or_else(|| among(&found.batch, &batch_index, label))
                .unwrap_or(Index::Known(0))
        })
        .collect();
    let all: Vec<Id> = std::iter::once(id)
        .chain(kernel.kept.iter().copied())
        .collect();
    for kept in stored(source, &all) {
        let index = body.reshaped(&index, &kernel.space, graph.shape(kept));
        let value = body.value(kept, &index);
        body.store(kept, &index, &value);
    }
    store.lines.append(&mut body.lines);
    store.line("}\n}");
    Code {
        helper: format!(
            "fn {name}_store(group: u32, t: u32, base: u32, fed: u32, first: u32) {{\n{}\n}}\n",
            store.lines.join("\n")
        ),
        text: outer.lines.join("\n"),
        groups: tiles_m * tiles_n * batch,
        shared: match held {
            Some(_) => tall * wide,
            None => (starts[1] + rows[1] * step).max(SIDE * together * wide),
        },
        halves: held.map_or(0, |_| starts[1] + rows[1] * step),
        work: 2 * (batch * m * n * depth) as u64,
    }
}

/// Multiplies the tiles of both factors, whose rows are so long and the second of which begins
/// there, value by value.
fn multiply(
    outer: &mut Block<'_>,
    [per_m, per_n]: [usize; 2],
    rows: [usize; 2],
    first: usize,
    in_blocks: bool,
    depth: usize,
) {
    // A step's products are added up by themselves, those of some steps by themselves, too.
    let sum = if in_blocks { "s" } else { "c" };
    if in_blocks {
        for_each(per_m, per_n, |i, j| {
            outer.line(format!("var s{i}_{j} = 0.0;"))
        });
    }
    outer.line(format!("for (var kk = 0u; kk < {DEPTH}u; kk++) {{"));
    for i in 0..per_m {
        let place = Tile::place("ty", i, per_m);
        outer.line(format!("let a{i} = tile[kk * {}u + {place}];", rows[0]));
    }
    for j in 0..per_n {
        let place = Tile::place("tx", j, per_n);
        let row = rows[1];
        outer.line(format!(
            "let b{j} = tile[{first}u + kk * {row}u + {place}];"
        ));
    }
    for_each(per_m, per_n, |i, j| {
        outer.line(format!("{sum}{i}_{j} = fma(a{i}, b{j}, {sum}{i}_{j});"));
    });
    outer.line("}");
    if in_blocks {
        let block = DEPTH * depth.div_ceil(DEPTH).isqrt();
        for_each(per_m, per_n, |i, j| {
            outer.line(format!("b{i}_{j} += s{i}_{j};"))
        });
        outer.line(format!(
            "if (k0 % {block}u == {}u || k0 + {DEPTH}u >= {depth}u) {{",
            block - DEPTH
        ));
        for_each(per_m, per_n, |i, j| {
            outer.line(format!("c{i}_{j} += b{i}_{j};\nb{i}_{j} = 0.0;"));
        });
        outer.line("}");
    }
}

/// What the subgroups of a workgroup hold of a tile of results: squares, dealt to them in turn.
struct Held {
    units: Units,
    tile: Tile,
    /// Subgroups of a workgroup.
    subgroups: usize,
}

impl Held {
    fn new(units: Units, tile: Tile) -> Self {
        Self {
            units,
            tile,
            subgroups: (THREADS / units.subgroup).max(1),
        }
    }

    /// Squares along a row of the tile, and in all.
    fn squares(&self) -> [usize; 2] {
        let across = self.tile.wide / self.units.side;
        [across, self.tile.tall / self.units.side * across]
    }

    /// For each square of a subgroup, its number and the lines that concern it.
    fn each(&self, outer: &mut Block<'_>, mut lines: impl FnMut(&mut Block<'_>, usize)) {
        let [across, squares] = self.squares();
        let side = self.units.side;
        for number in 0..squares.div_ceil(self.subgroups) {
            // Where there are fewer squares than subgroups some are computed more than once, to
            // the same values: all threads have to be there.
            let square = format!("(subgroup + {}u) % {squares}u", number * self.subgroups);
            outer.line(format!(
                "{{\nlet down = {square} / {across}u * {side}u;\n\
                 let along = {square} % {across}u * {side}u;"
            ));
            lines(outer, number);
            outer.line("}");
        }
    }

    fn begin(&self, outer: &mut Block<'_>) {
        let [_, squares] = self.squares();
        let side = self.units.side;
        // Neighbouring threads of a workgroup of one dimension are a subgroup, on all drivers
        // whose subgroups have one size; the tests of products would tell.
        outer.line(format!("let subgroup = t / {}u;", self.units.subgroup));
        for number in 0..squares.div_ceil(self.subgroups) {
            outer.line(format!("var m{number} = coop_mat{side}x{side}<f32, C>();"));
        }
    }

    fn multiply(&self, outer: &mut Block<'_>, step: usize, rows: [usize; 2], second: usize) {
        let side = self.units.side;
        let kind = |role| format!("coop_mat{side}x{side}<f16, {role}>");
        let (a, b) = (kind("A"), kind("B"));
        let [tall, wide] = rows;
        self.each(outer, |outer, number| {
            for k in (0..step).step_by(side) {
                // The first factor lies with its columns, the second with its rows in a piece.
                outer.line(format!(
                    "m{number} = coopMultiplyAdd(\
                     coopLoad<{a}>(&halves[{}u + down], {tall}u), \
                     coopLoadT<{b}>(&halves[{}u + along], {wide}u), m{number});",
                    k * tall,
                    second + k * wide
                ));
            }
        });
    }

    fn end(&self, outer: &mut Block<'_>) {
        let wide = self.tile.wide;
        self.each(outer, |outer, number| {
            outer.line(format!(
                "coopStoreT(m{number}, &tile[down * {wide}u + along], {wide}u);"
            ));
        });
    }
}

/// Each of a thread's values.
fn for_each(per_m: usize, per_n: usize, mut line: impl FnMut(usize, usize)) {
    for i in 0..per_m {
        (0..per_n).for_each(|j| line(i, j));
    }
}

/// The index of a label, if it is among these.
fn among(labels: &[u8], index: &[Index], label: &u8) -> Option<Index> {
    let at = labels.iter().position(|l| l == label)?;
    Some(index[at].clone())
}

/// Values that threads next to each other in a tile take in one piece.
const VECTOR: usize = 4;
/// Values of results that are in shared memory at a time.
const STAGED: usize = 4096;
/// The part of a product that a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tile {
    tall: usize,
    wide: usize,
}

impl Tile {
    /// As large as the product is and `largest` at most, but rather smaller ones than fewer
    /// than keep the device busy.
    fn new(m: usize, n: usize, batch: usize, busy: usize, largest: usize) -> Self {
        let side = |n: usize| n.next_power_of_two().clamp(SIDE, largest);
        let [mut tall, mut wide] = [side(m), side(n)];
        while tall * wide > 32 * 32 && m.div_ceil(tall) * n.div_ceil(wide) * batch < busy {
            match tall >= wide {
                true => tall /= 2,
                false => wide /= 2,
            }
        }
        Self { tall, wide }
    }

    /// The place of a thread's `i`-th value of `count` along a side of the tile.
    fn place(thread: &str, i: usize, count: usize) -> String {
        let vector = count.min(VECTOR);
        let shift = i / vector * SIDE * vector + i % vector;
        format!("{thread} * {vector}u + {shift}u")
    }
}

/// The label of the dimension along which a factor's values lie next to each other.
fn last_label(source: Source<'_>, of: Id, labels: &[u8]) -> Option<u8> {
    let graph = source.graph;
    match graph.op(of) {
        // Dimensions that are permuted: the last of what is viewed.
        Op::View(View::Permute(axes), _) => {
            let last = axes.len() - 1;
            let at = axes.iter().position(|&axis| axis == last)?;
            Some(labels[at])
        }
        _ => {
            let at = graph.shape(of).iter().rposition(|&n| n > 1)?;
            Some(labels[at])
        }
    }
}
