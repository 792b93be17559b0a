//! Matchings of the units of two layers: the best one-to-one assignment, and the best transport
//! of equal weights, by successive shortest paths (Jonker and Volgenant 1987 for assignments; the
//! same with supplies and demands for transport).
//!
//! One augmenting path costs at most as many steps as there are pairs of units, and about as many
//! paths are needed as there are units: d^3 steps at most, far fewer where many units have a
//! partner of their own.

use std::borrow::Cow;

use pulp::Arch;

/// Units of a layer at most: the products of all pairs take 512 MiB then, and a matching minutes.
pub(crate) const MOST_UNITS: usize = 8192;

/// The largest sum of entries of a matrix, row-major, of which no two are of one row or column;
/// there are as many as the shorter side has places.
pub(crate) fn assignment(weights: &[f64], rows: usize, columns: usize) -> f64 {
    let (weights, [rows, columns]) = upright(weights, rows, columns);
    Flow::new(&weights, rows, columns, 1, 1).best()
}

/// The largest sum of `P_ij w_ij` over matrices P of numbers that are not negative, whose rows have
/// the sum 1 / `rows` each and columns 1 / `columns`: where both are as many, the mean of the best
/// assignment.
pub(crate) fn transport(weights: &[f64], rows: usize, columns: usize) -> f64 {
    let (weights, [rows, columns]) = upright(weights, rows, columns);
    let common = greatest_common_divisor(rows, columns).max(1);
    let (supply, demand) = (columns / common, rows / common);
    let total = supply * rows;
    Flow::new(&weights, rows, columns, supply, demand).best() / total as f64
}

fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The matrix with no more rows than columns.
fn upright(weights: &[f64], rows: usize, columns: usize) -> (Cow<'_, [f64]>, [usize; 2]) {
    if rows <= columns {
        return (weights.into(), [rows, columns]);
    }
    let turned = (0..columns).flat_map(|j| (0..rows).map(move |i| weights[i * columns + j]));
    (turned.collect(), [columns, rows])
}

/// No row or column.
const NONE: u32 = u32::MAX;

/// Nearer than any distance.
const DONE: f64 = f64::NEG_INFINITY;

/// Whole units that go from rows to columns so that their weights add up to the most.
struct Flow<'a> {
    weights: &'a [f64],
    rows: usize,
    columns: usize,
    /// What each row has left to send.
    supply: Vec<usize>,
    /// What each column can still take.
    demand: Vec<usize>,
    /// Of each column from which rows it takes how much.
    taken: Vec<Vec<(usize, usize)>>,
    /// Dual values: `row + column - weight` is never negative, and zero where something goes.
    row_value: Vec<f64>,
    column_value: Vec<f64>,
}

/// A search for the shortest path from one row to a column that can take more.
struct Search {
    /// Of each column how far it is, [`DONE`] once it was reached for good, and from which row. All of
    /// them are gone through at once, which vector instructions do.
    distance: Vec<f64>,
    from_row: Vec<u32>,
    /// Columns that were reached for good, in order, and how far they are.
    reached: Vec<(usize, f64)>,
    /// Of each row how far it is, and from which column; and all that were reached.
    row_distance: Vec<f64>,
    from_column: Vec<u32>,
    rows: Vec<usize>,
    is_reached: Vec<bool>,
    /// How many of these rows distances are told from.
    relaxed: usize,
}

impl<'a> Flow<'a> {
    /// Nothing goes yet but what no other row wants. There are no more rows than columns, and
    /// columns can take all that rows have.
    fn new(weights: &'a [f64], rows: usize, columns: usize, supply: usize, demand: usize) -> Self {
        let mut flow = Self {
            weights,
            rows,
            columns,
            supply: vec![supply; rows],
            demand: vec![demand; columns],
            taken: vec![vec![]; columns],
            row_value: vec![0.0; rows],
            column_value: vec![0.0; columns],
        };
        for i in 0..rows {
            let row = &weights[i * columns..][..columns];
            let best = (0..columns).max_by(|x, y| row[*x].total_cmp(&row[*y]).then(y.cmp(x)));
            let Some(best) = best else { continue };
            flow.row_value[i] = row[best];
            let sent = supply.min(flow.demand[best]);
            if sent > 0 {
                flow.supply[i] -= sent;
                flow.demand[best] -= sent;
                flow.taken[best].push((i, sent));
            }
        }
        flow
    }

    /// The sum of all weights by what goes, at the best.
    fn best(mut self) -> f64 {
        self.fill();
        let column = |(j, taken): (usize, &Vec<(usize, usize)>)| -> f64 {
            let sum =
                |(i, count): &(usize, usize)| *count as f64 * self.weights[i * self.columns + j];
            taken.iter().map(sum).sum()
        };
        self.taken.iter().enumerate().map(column).sum()
    }

    /// Sends what rows have along one shortest path after the other.
    fn fill(&mut self) {
        let mut search = Search::new(self.rows, self.columns);
        for start in 0..self.rows {
            while self.supply[start] > 0 {
                search.begin(start);
                // From one column that can take more to the next, as long as all paths are there.
                let mut last = None;
                while let Some((sink, distance)) = search.next(self) {
                    last = Some(distance);
                    let is_whole = search.send(self, start, sink);
                    if self.supply[start] == 0 || !is_whole {
                        break;
                    }
                    search.pass(self, sink, distance);
                }
                match last {
                    Some(distance) => search.revalue(self, distance),
                    // Not reached where columns can take what rows have.
                    None => break,
                }
            }
        }
    }
}

impl Search {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            distance: vec![f64::INFINITY; columns],
            from_row: vec![NONE; columns],
            reached: vec![],
            row_distance: vec![0.0; rows],
            from_column: vec![NONE; rows],
            rows: vec![],
            is_reached: vec![false; rows],
            relaxed: 0,
        }
    }

    /// Begins at a row, by Dijkstra's way.
    fn begin(&mut self, start: usize) {
        self.distance.fill(f64::INFINITY);
        self.reached.clear();
        self.rows.clear();
        self.relaxed = 0;
        self.is_reached.fill(false);
        self.add_row(start, NONE, 0.0);
    }

    /// The nearest column that can take more, and how far it is.
    fn next(&mut self, flow: &Flow<'_>) -> Option<(usize, f64)> {
        loop {
            // All rows that came with the last column, then the nearest column.
            while self.relaxed < self.rows.len() {
                self.relax(flow, self.rows[self.relaxed]);
                self.relaxed += 1;
            }
            let (column, distance) = self.nearest(flow)?;
            self.distance[column] = DONE;
            if flow.demand[column] > 0 {
                return Some((column, distance));
            }
            self.pass(flow, column, distance);
        }
    }

    /// Goes on from a column that can take no more, by the rows that it takes from.
    fn pass(&mut self, flow: &Flow<'_>, column: usize, distance: f64) {
        self.reached.push((column, distance));
        for (row, _) in &flow.taken[column] {
            if !self.is_reached[*row] {
                self.add_row(*row, column as u32, distance);
            }
        }
    }

    fn add_row(&mut self, row: usize, from: u32, distance: f64) {
        self.is_reached[row] = true;
        self.row_distance[row] = distance;
        self.from_column[row] = from;
        self.rows.push(row);
    }

    fn relax(&mut self, flow: &Flow<'_>, row: usize) {
        let weights = &flow.weights[row * flow.columns..][..flow.columns];
        let base = self.row_distance[row] + flow.row_value[row];
        let row = row as u32;
        Arch::new().dispatch(|| {
            for (((least, from), value), weight) in (self.distance.iter_mut())
                .zip(&mut self.from_row)
                .zip(&flow.column_value)
                .zip(weights)
            {
                let distance = base + value - weight;
                let nearer = distance < *least;
                *least = if nearer { distance } else { *least };
                *from = if nearer { row } else { *from };
            }
        });
    }

    /// The nearest column that was not reached, and how far it is; of equals one that ends the search.
    fn nearest(&self, flow: &Flow<'_>) -> Option<(usize, f64)> {
        let least = Arch::new().dispatch(|| least_open(&self.distance));
        let mut equals = (self.distance.iter().enumerate()).filter(|(_, d)| **d == least);
        let first = equals.next().filter(|_| least.is_finite())?.0;
        let ends = |column: &usize| flow.demand[*column] > 0;
        let column = match ends(&first) {
            true => first,
            false => equals.map(|(j, _)| j).find(ends).unwrap_or(first),
        };
        Some((column, least))
    }

    /// Brings the dual values to where all of the paths cost nothing, `whole` the length of the last.
    fn revalue(&self, flow: &mut Flow<'_>, whole: f64) {
        for row in &self.rows {
            flow.row_value[*row] -= whole - self.row_distance[*row];
        }
        for (column, distance) in &self.reached {
            flow.column_value[*column] += whole - distance;
        }
    }

    /// Sends as much as the path takes, back from its end; whether all of the path is still there.
    fn send(&self, flow: &mut Flow<'_>, start: usize, sink: usize) -> bool {
        let mut is_whole = true;
        let mut sent = flow.supply[start].min(flow.demand[sink]);
        let mut column = sink;
        while let Some((row, before)) = self.step(column, start) {
            let held = flow.taken[before].iter().find(|(of, _)| *of == row);
            sent = sent.min(held.map_or(0, |(_, count)| *count));
            column = before;
        }
        flow.supply[start] -= sent;
        flow.demand[sink] -= sent;
        let mut column = sink;
        loop {
            let row = self.from_row[column] as usize;
            match flow.taken[column].iter_mut().find(|(of, _)| *of == row) {
                Some((_, count)) => *count += sent,
                None => flow.taken[column].push((row, sent)),
            }
            let Some((row, before)) = self.step(column, start) else {
                return is_whole;
            };
            if let Some((_, count)) = flow.taken[before].iter_mut().find(|(of, _)| *of == row) {
                *count -= sent;
                is_whole &= *count > 0;
            }
            flow.taken[before].retain(|(_, count)| *count > 0);
            column = before;
        }
    }

    /// The row that the path comes to `column` from, and the column before that; none of the first.
    fn step(&self, column: usize, start: usize) -> Option<(usize, usize)> {
        let row = self.from_row[column] as usize;
        (row != start).then(|| (row, self.from_column[row] as usize))
    }
}

/// The least distance that is not [`DONE`].
#[inline(always)]
fn least_open(distances: &[f64]) -> f64 {
    const LANES: usize = 8;
    let open = |distance: f64| {
        if distance == DONE {
            f64::INFINITY
        } else {
            distance
        }
    };
    let nearer = |x: f64, y: f64| if x < y { x } else { y };
    let mut lanes = [f64::INFINITY; LANES];
    let chunks = distances.chunks_exact(LANES);
    let rest = (chunks.remainder().iter()).fold(f64::INFINITY, |x, y| nearer(x, open(*y)));
    for chunk in chunks {
        for (lane, distance) in lanes.iter_mut().zip(chunk) {
            *lane = nearer(open(*distance), *lane);
        }
    }
    lanes.into_iter().fold(rest, nearer)
}

#[cfg(test)]
mod tests {
    use itertools::Itertools;
    use proptest::prelude::*;

    use super::*;

    fn by_trying_all(weights: &[f64], rows: usize, columns: usize) -> f64 {
        let (weights, [rows, columns]) = upright(weights, rows, columns);
        (0..columns)
            .permutations(rows)
            .map(|chosen| {
                let entry = |(i, j): (usize, &usize)| weights[i * columns + j];
                chosen.iter().enumerate().map(entry).sum()
            })
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// With each unit as often as makes both sides as many, transport is an assignment.
    fn by_copies(weights: &[f64], rows: usize, columns: usize) -> f64 {
        let common = greatest_common_divisor(rows, columns);
        let (of_row, of_column) = (columns / common, rows / common);
        let size = rows * of_row;
        let copies = (0..size * size)
            .map(|at| weights[at / size / of_row * columns + at % size / of_column])
            .collect::<Vec<f64>>();
        by_trying_all(&copies, size, size) / size as f64
    }

    /// Weights with and without ties.
    fn weights(count: usize) -> impl Strategy<Value = Vec<f64>> {
        prop_oneof![
            prop::collection::vec(-1.0..1.0f64, count),
            prop::collection::vec((-2i8..3).prop_map(f64::from), count),
        ]
    }

    fn sizes(most: usize) -> impl Strategy<Value = (usize, usize, Vec<f64>)> {
        (1..=most, 1..=most).prop_flat_map(|(rows, columns)| {
            weights(rows * columns).prop_map(move |weights| (rows, columns, weights))
        })
    }

    proptest! {
        #[test]
        fn no_assignment_is_better((rows, columns, weights) in sizes(6)) {
            let best = by_trying_all(&weights, rows, columns);
            let found = assignment(&weights, rows, columns);
            prop_assert!((found - best).abs() < 1e-12, "{} for {}", found, best);
        }

        #[test]
        fn no_transport_is_better(
            (rows, columns, weights) in prop_oneof![
                Just((2usize, 4usize)), Just((4, 2)), Just((2, 3)), Just((3, 2)), Just((4, 6)),
                Just((6, 3)), Just((1, 5)), Just((5, 5)),
            ].prop_filter("few copies", |(r, c)| r * c / greatest_common_divisor(*r, *c) <= 6)
            .prop_flat_map(|(r, c)| weights(r * c).prop_map(move |w| (r, c, w)))
        ) {
            let best = by_copies(&weights, rows, columns);
            let found = transport(&weights, rows, columns);
            prop_assert!((found - best).abs() < 1e-12, "{} for {}", found, best);
        }

        /// No better is possible: dual values bound every transport, and are reached.
        #[test]
        fn large_ones_are_as_good_as_their_dual((rows, columns, weights) in sizes(24)) {
            let (turned, [r, c]) = upright(&weights, rows, columns);
            let common = greatest_common_divisor(r, c);
            let (supply, demand) = (c / common, r / common);
            let found = transport(&weights, rows, columns) * (supply * r) as f64;
            let mut flow = Flow::new(&turned, r, c, supply, demand);
            flow.fill();
            prop_assert!(flow.supply.iter().all(|left| *left == 0));
            for i in 0..r {
                for j in 0..c {
                    let slack = flow.row_value[i] + flow.column_value[j] - turned[i * c + j];
                    prop_assert!(slack > -1e-9);
                }
            }
            let dual = supply as f64 * flow.row_value.iter().sum::<f64>()
                + demand as f64 * flow.column_value.iter().sum::<f64>();
            prop_assert!((found - dual).abs() < 1e-8, "{} and {}", found, dual);
        }
    }

    #[test]
    fn nothing_is_matched_with_nothing() {
        assert_eq!(assignment(&[], 0, 3), 0.0);
        assert_eq!(assignment(&[-2.0], 1, 1), -2.0);
        assert_eq!(transport(&[1.0, 3.0], 1, 2), 2.0);
    }
}
