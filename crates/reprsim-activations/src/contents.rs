//! What every format's reader finds in a file.

use std::collections::BTreeSet;

use crate::elements::Array;
use crate::error::Problem;
use crate::ids::{ARRAY, SampleIds};
use crate::labels::Labels;

/// What a format's reader found.
#[derive(Default)]
pub(crate) struct Contents {
    /// A hash over the ids of the samples.
    pub hash: Option<SampleIds>,
    pub layers: Vec<(String, Array)>,
    /// What is said of each sample.
    pub columns: Vec<(String, Labels)>,
}

/// An array as it is stored.
pub(crate) enum Found {
    Array(Array),
    Texts(Labels),
}

impl Contents {
    /// Checks that no two arrays have one name.
    pub fn check_names(&self) -> Result<(), Problem> {
        let arrays = self.layers.iter().map(|(name, _)| name);
        let mut names = BTreeSet::new();
        for name in arrays.chain(self.columns.iter().map(|(name, _)| name)) {
            if !names.insert(name) {
                return Err(Problem::LayerTwice(name.clone()));
            }
        }
        Ok(())
    }

    /// Takes an array for a layer, or, if it holds a whole number or a text for each sample, for what
    /// is said of the samples.
    pub fn add(&mut self, name: String, found: Found) -> Result<(), Problem> {
        let array = match found {
            Found::Texts(labels) => {
                self.columns.push((name, labels));
                return Ok(());
            }
            Found::Array(array) => array,
        };
        let is_id = name == ARRAY && array.element.is_integer();
        match array.shape.as_slice() {
            [_] | [_, 1] if is_id => {}
            shape if is_id => return Err(Problem::IdShape(shape.to_vec())),
            [_] if array.element.is_integer() => {}
            _ => {
                self.layers.push((name, array));
                return Ok(());
            }
        }
        let labels = labels_of(&array)?;
        self.columns.push((name, labels));
        Ok(())
    }
}

/// An array of whole numbers as labels.
pub(crate) fn labels_of(array: &Array) -> Result<Labels, Problem> {
    match array.whole_numbers()? {
        Some(numbers) => Ok(Labels::Numbers(numbers)),
        None => Err(Problem::Type(
            "its ids or groups of samples are not whole numbers below 2^63, nor texts".into(),
        )),
    }
}

/// Sorts names as people count: `layer2` before `layer10`.
pub(crate) fn natural_key(name: &str) -> Vec<(u64, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().unwrap_or(0);
        rest = &rest[digits..];
        let text = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        key.push((number, rest[..text].to_string()));
        rest = &rest[text..];
    }
    key
}
