//! A program that does several jobs at once, replayed until all are done.

use reprsim_graph::{GraphError, Session, Staged};

use crate::MetricError;

/// Values that a program makes for all jobs at once, at most.
const ROOM: usize = 1 << 26;
/// Operations of all jobs at once, at most, if not of one: systems stop a card that takes seconds
/// for a launch.
const WORK: f64 = 1e12;
/// Jobs at once, at most.
const JOBS: usize = 32;

impl From<GraphError> for MetricError {
    fn from(error: GraphError) -> Self {
        Self::Device(Box::new(error))
    }
}

/// How many jobs a program does at once, of which each makes so many values by so many
/// multiplications and additions; 0 where there is no room for one.
pub(super) fn at_once(largest: u64, each: usize, work: f64) -> usize {
    let room = ROOM.min(largest as usize / 8);
    let soon = (WORK / work.max(1.0)) as usize;
    (room / each.max(1)).min(soon.max(1)).min(JOBS)
}

/// A job: the words of each of the program's feeds.
pub(super) type Words = Vec<Vec<u32>>;

/// Numbers as programs read them.
pub(super) fn words(numbers: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let word = |number| (number as f32).to_bits();
    numbers.into_iter().map(word).collect()
}

/// A program of a session that does `at_once` jobs.
pub(super) struct Replay<'a> {
    pub session: &'a Session,
    pub program: usize,
    pub at_once: usize,
}

impl Replay<'_> {
    /// Does all jobs in order. `take` is given the number of each, its place among those that
    /// were done together and the outputs of these.
    pub fn run(
        &self,
        jobs: impl Iterator<Item = Words>,
        mut take: impl FnMut(usize, usize, &[Vec<f32>]),
    ) -> Result<(), MetricError> {
        let session = self.session;
        let mut jobs = jobs.peekable();
        let mut done = 0;
        let mut collect = |(staged, first, count): (Staged, usize, usize)| {
            let outputs = session.fetch(staged)?;
            (0..count).for_each(|place| take(first + place, place, &outputs));
            Ok::<_, GraphError>(())
        };
        // The device works on some while those before are fetched.
        let mut before = None;
        while jobs.peek().is_some() {
            let mut fed = vec![0; session.fed(self.program)];
            let mut count = 0;
            for job in jobs.by_ref().take(self.at_once) {
                for (feed, words) in job.iter().enumerate() {
                    let at = session.feed_place(self.program, feed) + count * words.len();
                    fed[at..at + words.len()].copy_from_slice(words);
                }
                count += 1;
            }
            session.run(self.program, fed)?;
            let now = (session.stage(self.program)?, done, count);
            done += count;
            if let Some(before) = before.replace(now) {
                collect(before)?;
            }
        }
        if let Some(last) = before {
            collect(last)?;
        }
        Ok(())
    }
}
