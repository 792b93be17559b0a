//! A tree of models by how far they are from each other.

use kodama::Method;

/// Models joined into ever larger clusters by average linkage (UPGMA, Sokal and Michener 1958): the
/// distance of two clusters is the mean over all pairs of their models.
#[derive(Clone, Debug, PartialEq)]
pub struct Clustering {
    /// The joins, from the nearest: one fewer than models.
    pub merges: Vec<Merge>,
    /// The models as leaves of the tree from one end to the other: of two clusters that join, the one
    /// with the earlier model comes first.
    pub order: Vec<usize>,
}

/// Two clusters that become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// One: a model by its place, or, from the number of models on, the cluster of that merge.
    pub a: usize,
    /// The other.
    pub b: usize,
    /// How far they are from each other.
    pub distance: f64,
    /// Models in both.
    pub size: usize,
}

/// Why there is no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClustered {
    /// The measure has no largest value, from which it could be told how far models are.
    #[error("the measure has no largest value to take distances from")]
    Unbounded,
    /// A pair of models has no value.
    #[error("a pair of models has no value")]
    Undefined,
}

impl Clustering {
    /// Of `count` models, two at least, by the distances of each with each later one, row by row.
    ///
    /// # Errors
    /// [`NotClustered::Undefined`] if a distance is not finite or there is not one a pair.
    pub(crate) fn average(mut distances: Vec<f64>, count: usize) -> Result<Self, NotClustered> {
        let pairs = count * count.saturating_sub(1) / 2;
        if pairs == 0 || distances.len() != pairs || !distances.iter().all(|d| d.is_finite()) {
            return Err(NotClustered::Undefined);
        }
        let tree = kodama::linkage(&mut distances, count, Method::Average);
        let merges: Vec<Merge> = (tree.steps().iter())
            .map(|step| Merge {
                a: step.cluster1,
                b: step.cluster2,
                distance: step.dissimilarity,
                size: step.size,
            })
            .collect();
        // The leaves of each cluster, and the first of its models.
        let mut clusters: Vec<(usize, Vec<usize>)> = (0..count).map(|i| (i, vec![i])).collect();
        for merge in &merges {
            let mut of = [merge.a, merge.b].map(|at| std::mem::take(&mut clusters[at]));
            of.sort_by_key(|(first, _)| *first);
            let [(first, mut leaves), (_, more)] = of;
            leaves.extend(more);
            clusters.push((first, leaves));
        }
        let order = clusters.pop().map(|(_, leaves)| leaves).unwrap_or_default();
        Ok(Self { merges, order })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// By SciPy 1.17.1: scipy.cluster.hierarchy.average([.9, .2, .8, .7, .6, .5, .4, .75, .65, .3]).
    #[test]
    fn trees_are_those_of_scipy() {
        let distances = vec![0.9, 0.2, 0.8, 0.7, 0.6, 0.5, 0.4, 0.75, 0.65, 0.3];
        let tree = Clustering::average(distances, 5).unwrap();
        let expected = [
            (0, 2, 0.2, 2),
            (3, 4, 0.3, 2),
            (1, 6, 0.45, 3),
            (5, 7, 0.7333333333333334, 5),
        ];
        for (merge, (a, b, distance, size)) in tree.merges.iter().zip(expected) {
            assert_eq!((merge.a, merge.b, merge.size), (a, b, size));
            assert!((merge.distance - distance).abs() < 1e-12, "{merge:?}");
        }
        assert_eq!(tree.order, [0, 2, 1, 3, 4]);
    }

    #[test]
    fn what_has_no_distances_has_no_tree() {
        for (distances, count) in [
            (vec![], 1),
            (vec![f64::NAN], 2),
            (vec![1.0], 3),
            (vec![], 0),
        ] {
            assert_eq!(
                Clustering::average(distances, count),
                Err(NotClustered::Undefined)
            );
        }
        let two = Clustering::average(vec![0.5], 2).unwrap();
        assert_eq!((two.merges.len(), two.order), (1, vec![0, 1]));
    }
}
