//! What is said of each sample: an id, a group.

use std::collections::HashMap;

/// A label of each sample, in the order of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Names(Vec<String>),
}

impl Labels {
    /// Texts, or numbers if each is one as it is written.
    pub(crate) fn of_texts(texts: Vec<String>) -> Self {
        let number = |text: &String| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == *text).then_some(number)
        };
        match texts.iter().map(number).collect() {
            Some(numbers) => Self::Numbers(numbers),
            None => Self::Names(texts),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(of) => of.len(),
            Self::Names(of) => of.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of some rows, in the order given; rows that there are not are left out.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        fn of<T: Clone>(from: &[T], rows: &[u32]) -> Vec<T> {
            let rows = rows.iter().filter_map(|row| from.get(*row as usize));
            rows.cloned().collect()
        }
        match self {
            Self::Numbers(all) => Self::Numbers(of(all, rows)),
            Self::Names(all) => Self::Names(of(all, rows)),
        }
    }

    /// The label of a row as text.
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers(of) => of.get(row).map(ToString::to_string),
            Self::Names(of) => of.get(row).cloned(),
        }
        .unwrap_or_default()
    }

    /// All as texts.
    pub fn texts(&self) -> Vec<String> {
        (0..self.len()).map(|row| self.text(row)).collect()
    }

    /// A number for each different label, in the order of appearance.
    pub fn numbered(&self) -> Vec<u32> {
        let mut known: HashMap<String, u32> = HashMap::new();
        (self.texts().into_iter())
            .map(|text| {
                let next = known.len() as u32;
                *known.entry(text).or_insert(next)
            })
            .collect()
    }
}
