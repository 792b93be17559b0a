//! Persistent homology in dimension one of a Vietoris-Rips filtration: when loops of near points
//! appear, and when they are filled.
//!
//! Persistent cohomology with clearing, apparent pairs and columns that are never written down, as in
//! Ripser (Bauer 2021, J. Appl. Comput. Topol. 5). Edges are numbered by their length, so that a
//! triangle is told by the numbers of its edges, longest first, and triangles by these in order: an
//! order in which each comes after its longest edge. An edge that is the longest of a triangle appears
//! and is filled at once; what is left of a thousand points are a few hundred.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Bits of the number of an edge: three make a triangle.
const BITS: u32 = 21;

/// Points of which the edges have numbers.
pub(crate) const MOST: usize = 2048;

/// Birth and death of every loop among `n` points, [`MOST`] at most, that is there for some length:
/// of two points the distance is what `distance` says, which need not obey the triangle inequality.
pub(crate) fn loops(n: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<(f64, f64)> {
    debug_assert!(n <= MOST, "edges have numbers");
    let filtration = Filtration::new(n, distance);
    let mut found = vec![];
    // The edges whose coboundaries, added up, begin with that triangle.
    let mut columns: HashMap<u64, Vec<u32>> = HashMap::new();
    for edge in (0..filtration.count).rev() {
        if filtration.joins[edge as usize] || filtration.is_filled_at_once(edge) {
            continue;
        }
        let Some((triangle, column)) = filtration.reduced(edge, &columns) else {
            continue;
        };
        let [birth, death] = [edge, longest(triangle)].map(|edge| filtration.length(edge));
        if death > birth {
            found.push((birth, death));
        }
        columns.insert(triangle, column);
    }
    found
}

/// The number of a triangle's longest edge.
fn longest(triangle: u64) -> u32 {
    (triangle >> (2 * BITS)) as u32
}

/// A triangle of these edges.
fn triangle(edge: u32, x: u32, y: u32) -> u64 {
    let mut edges = [edge, x, y].map(u64::from);
    edges.sort_unstable();
    edges[2] << (2 * BITS) | edges[1] << BITS | edges[0]
}

/// The edges in the order of their lengths.
struct Filtration {
    n: usize,
    /// Length and ends.
    edges: Vec<(f64, u32, u32)>,
    /// The number of the edge between two points, `n * n`; the largest number from a point to itself.
    numbers: Vec<u32>,
    /// Whether an edge joins two parts that were apart.
    joins: Vec<bool>,
    /// Of each edge the longer one of the other two of the triangle of which that is shortest. No other
    /// triangle has it, so that it tells the first one that the edge is part of.
    nearest: Vec<u32>,
    /// Edges that are looked at: with the longest of them some point is joined to all others, and no
    /// loop is left.
    count: u32,
}

impl Filtration {
    fn new(n: usize, distance: impl Fn(usize, usize) -> f64) -> Self {
        let mut edges: Vec<(f64, u32, u32)> = Vec::with_capacity(n * n / 2);
        for i in 0..n {
            edges.extend((i + 1..n).map(|j| (distance(i, j), i as u32, j as u32)));
        }
        // Distances are not negative: they sort as their bits do.
        edges.sort_unstable_by_key(|(length, i, j)| (length.to_bits(), *i, *j));
        let mut numbers = vec![u32::MAX; n * n];
        let mut joins = Vec::with_capacity(edges.len());
        let mut parts = Parts((0..n as u32).collect());
        let mut farthest = vec![0; n];
        for (number, (_, i, j)) in edges.iter().enumerate() {
            let [x, y] = [*i, *j].map(|point| point as usize);
            numbers[x * n + y] = number as u32;
            numbers[y * n + x] = number as u32;
            (farthest[x], farthest[y]) = (number, number);
            joins.push(parts.join(*i, *j));
        }
        let count = farthest.into_iter().min().map_or(0, |last| last + 1);
        let mut filtration = Self {
            n,
            count: count.min(edges.len()) as u32,
            edges,
            numbers,
            joins,
            nearest: vec![],
        };
        let nearest = |edge| {
            let longer = filtration.of_ends(edge).map(|(x, y)| x.max(y));
            // A plain fold is a few vector instructions.
            longer.fold(u32::MAX, u32::min)
        };
        filtration.nearest = (0..filtration.count).map(nearest).collect();
        filtration
    }

    fn length(&self, edge: u32) -> f64 {
        self.edges[edge as usize].0
    }

    /// The numbers of the edges from the ends of an edge to each point.
    fn of_ends(&self, edge: u32) -> impl Iterator<Item = (u32, u32)> {
        let (_, i, j) = self.edges[edge as usize];
        let from = |point: u32| &self.numbers[point as usize * self.n..][..self.n];
        from(i).iter().copied().zip(from(j).iter().copied())
    }

    /// The triangles that an edge is part of, of edges that are looked at.
    fn coboundary(&self, edge: u32) -> impl Iterator<Item = u64> {
        let is_there = |(x, y): &(u32, u32)| *x.max(y) < self.count;
        (self.of_ends(edge).filter(is_there)).map(move |(x, y)| triangle(edge, x, y))
    }

    fn is_filled_at_once(&self, edge: u32) -> bool {
        self.nearest[edge as usize] < edge
    }

    /// Whether a triangle is the first that its longest edge is part of: it then fills that edge at
    /// once, and the edge's coboundary begins with it.
    fn is_apparent(&self, triangle: u64) -> bool {
        let second = (triangle >> BITS) as u32 & ((1 << BITS) - 1);
        self.nearest[longest(triangle) as usize] == second
    }

    /// The first triangle of an edge's coboundary once all is taken off it that other columns begin
    /// with, and the edges whose coboundaries were added up.
    fn reduced(&self, edge: u32, columns: &HashMap<u64, Vec<u32>>) -> Option<(u64, Vec<u32>)> {
        let first = self.coboundary(edge).min()?;
        if !columns.contains_key(&first) && !self.is_apparent(first) {
            return Some((first, vec![edge]));
        }
        let mut column = vec![edge];
        let mut triangles: BinaryHeap<Reverse<u64>> = self.coboundary(edge).map(Reverse).collect();
        loop {
            let triangle = first_odd(&mut triangles)?;
            let own = [longest(triangle)];
            let added = match columns.get(&triangle) {
                Some(edges) => edges,
                None if self.is_apparent(triangle) => &own[..],
                None => return Some((triangle, column)),
            };
            // What was taken is there again in what is added.
            triangles.push(Reverse(triangle));
            for edge in added {
                triangles.extend(self.coboundary(*edge).map(Reverse));
            }
            column.extend(added);
        }
    }
}

/// Takes the first that is there an odd number of times, and all before it.
fn first_odd(triangles: &mut BinaryHeap<Reverse<u64>>) -> Option<u64> {
    while let Some(Reverse(triangle)) = triangles.pop() {
        let mut is_odd = true;
        while triangles.peek() == Some(&Reverse(triangle)) {
            triangles.pop();
            is_odd = !is_odd;
        }
        if is_odd {
            return Some(triangle);
        }
    }
    None
}

/// Which points hang together: of each point another of its part, nearer to the one that stands for it.
struct Parts(Vec<u32>);

impl Parts {
    fn of(&mut self, mut point: u32) -> u32 {
        loop {
            let next = self.0[point as usize];
            if next == point {
                return point;
            }
            self.0[point as usize] = self.0[next as usize];
            point = next;
        }
    }

    /// Joins the parts of two points; whether they were two.
    fn join(&mut self, i: u32, j: u32) -> bool {
        let (i, j) = (self.of(i), self.of(j));
        self.0[i as usize] = j;
        i != j
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_points(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        loops(points.len(), |i, j| {
            let ((x, y), (v, w)) = (points[i], points[j]);
            (x - v).hypot(y - w)
        })
    }

    #[test]
    fn a_square_has_a_loop_until_its_diagonal_and_a_line_none() {
        let square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        assert_eq!(of_points(&square), [(1.0, 2f64.sqrt())]);
        let line: Vec<(f64, f64)> = (0..9).map(|i| (f64::from(i), 0.0)).collect();
        assert_eq!(of_points(&line), []);
        assert_eq!(of_points(&[]), []);
        assert_eq!(of_points(&square[..1]), []);
    }

    /// On a circle the loop is filled by the first triangles that hold the centre: those of equal sides
    /// where the number of points is a multiple of three.
    #[test]
    fn a_circle_has_one_loop() {
        let n = 30;
        let point = |i: i32| (f64::from(i) / f64::from(n) * std::f64::consts::TAU).sin_cos();
        let points: Vec<(f64, f64)> = (0..n).map(point).collect();
        let found = of_points(&points);
        let chord = |steps: f64| 2.0 * (steps * std::f64::consts::PI / f64::from(n)).sin();
        assert_eq!(found.len(), 1);
        assert!((found[0].0 - chord(1.0)).abs() < 1e-12, "{found:?}");
        assert!((found[0].1 - chord(10.0)).abs() < 1e-12, "{found:?}");
    }
}
