//! The `[initial]` section.

use reprsim_data::locate_weights;
use reprsim_models::ModelConfig;
use reprsim_train::{Entries, Head, InitialStates, OfSize, RANDOM, Reference, content_of_weights};

use super::reader::Reader;
use crate::error::ConfigError;

impl Reader<'_> {
    /// How models begin, with what names the content of each checkpoint.
    pub(super) fn initial(
        &self,
        given: Option<&InitialStates>,
        model: &ModelConfig,
    ) -> Result<Option<InitialStates>, ConfigError> {
        let Some(given) = given else {
            return Ok(None);
        };
        if !given.content.0.is_empty() {
            return Err(self.at("initial.content", "'content' is found out, not given"));
        }
        if given.head == Head::File && model.head().is_empty() {
            return Err(self.at("initial.head", format!("a {} has no head", model.name())));
        }
        let (checkpoint, content) = self.entries("initial", &given.checkpoint, given.shared)?;
        let mut sizes = vec![];
        for (number, size) in given.sizes.iter().enumerate() {
            let place = format!("initial.sizes.{number}");
            if given.sizes[..number]
                .iter()
                .any(|other| other.model == size.model)
            {
                return Err(self.at(&place, "this architecture is listed twice"));
            }
            let (checkpoint, content) = self.entries(&place, &size.checkpoint, given.shared)?;
            sizes.push(OfSize {
                model: size.model.clone(),
                checkpoint,
                content,
            });
        }
        let states = InitialStates {
            checkpoint,
            content,
            sizes,
            ..given.clone()
        };
        self.pairs_as_they_begin(&states, model)?;
        Ok(Some(states))
    }

    /// Where entries are, and what names their contents.
    fn entries(
        &self,
        section: &str,
        given: &Entries,
        shared: bool,
    ) -> Result<(Entries, Entries), ConfigError> {
        let entries = &given.0;
        if entries.iter().all(|entry| entry == RANDOM) {
            return Err(self.at(
                &format!("{section}.checkpoint"),
                "it names no checkpoint: name one, or leave out [initial] for random weights alone",
            ));
        }
        if !shared && entries.len() < 2 {
            return Err(self.at(
                "initial.shared",
                "shared = false needs at least two entries, one for each model of a pair, such as \
                 checkpoint = [\"weights.pth\", \"random\"]",
            ));
        }
        let (mut checkpoint, mut content) = (vec![], vec![]);
        for (number, entry) in entries.iter().enumerate() {
            if entry == RANDOM {
                checkpoint.push(RANDOM.to_string());
                content.push(RANDOM.to_string());
                continue;
            }
            let place = match entries.len() {
                1 => format!("{section}.checkpoint"),
                _ => format!("{section}.checkpoint.{number}"),
            };
            let (path, named) = self.weights(&place, entry)?;
            checkpoint.push(path);
            content.push(named);
        }
        Ok((Entries(checkpoint), Entries(content)))
    }

    /// Refuses a reference that would compare a network with itself.
    fn pairs_as_they_begin(
        &self,
        states: &InitialStates,
        model: &ModelConfig,
    ) -> Result<(), ConfigError> {
        let same_head = states.head == Head::File || model.head().is_empty();
        if !same_head || states.reference != Reference::Initial {
            return Ok(());
        }
        let content = |place: usize| states.content.0.get(place);
        let is_twice = |seed: usize| {
            let [a, b] = states.places(seed).map(content);
            a == b && a.is_some_and(|content| content != RANDOM)
        };
        match (0..states.content.0.len()).any(is_twice) {
            true => Err(self.at(
                "initial.reference",
                "pairs as they begin would be one network twice: take reference = \"random\", or a \
                 fresh head",
            )),
            false => Ok(()),
        }
    }

    /// Where the weights of an entry are, and what names their content.
    pub(super) fn weights(
        &self,
        place: &str,
        entry: &str,
    ) -> Result<(String, String), ConfigError> {
        let found = locate_weights(entry, self.folder());
        let path = found.map_err(|e| self.caused(place, e))?;
        let content = content_of_weights(&path).map_err(|e| self.caused(place, e))?;
        match path.into_os_string().into_string() {
            Ok(path) => Ok((path, content)),
            Err(_) => Err(self.at(place, "its folder has a name that is no text")),
        }
    }
}
