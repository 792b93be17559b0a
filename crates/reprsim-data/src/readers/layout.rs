//! Which folders of a data set are its parts, by their names.

/// What a folder's name says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Train,
    Test,
    Validation,
}

/// Names of parts as they are handed out, in lower case.
const NAMES: [(&str, Kind); 13] = [
    ("train", Kind::Train),
    ("training", Kind::Train),
    ("trn", Kind::Train),
    ("test", Kind::Test),
    ("testing", Kind::Test),
    ("tst", Kind::Test),
    ("val", Kind::Validation),
    ("valid", Kind::Validation),
    ("validation", Kind::Validation),
    ("dev", Kind::Validation),
    ("development", Kind::Validation),
    ("eval", Kind::Validation),
    ("evaluation", Kind::Validation),
];
/// Words that say no more: `training_set`, `test-images`, `trainset`.
const FILLERS: [&str; 8] = [
    "set", "data", "dataset", "images", "imgs", "split", "part", "seg",
];

/// The part that a folder of this name is, if it is one: `Train`, `test_set`, `val2017`.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    let name = name.to_lowercase();
    let mut words = name
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty() && !FILLERS.contains(word));
    let (Some(word), None) = (words.next(), words.next()) else {
        return None;
    };
    let known = |word: &str| NAMES.iter().find(|(name, _)| *name == word);
    known(word)
        .or_else(|| FILLERS.iter().find_map(|f| known(word.strip_suffix(f)?)))
        .map(|(_, kind)| *kind)
}

/// The parts of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub train: &'a str,
    pub held_out: &'a str,
}

/// The parts among the names of the folders in a folder, if it has any; `holds_folders`
/// tells whether one holds folders itself.
///
/// # Errors
/// What is amiss and the remedy, where some are named as parts are but which of them
/// is used for what is not clear.
pub(super) fn parts<'a>(
    names: &'a [String],
    holds_folders: impl Fn(&str) -> bool,
) -> Result<Option<Parts<'a>>, String> {
    let of = |kind: Kind| -> Vec<&'a str> {
        let named = names.iter().filter(|name| kind_of(name) == Some(kind));
        named.map(String::as_str).collect()
    };
    let [train, test, validation] = [Kind::Train, Kind::Test, Kind::Validation].map(of);
    // A test part whose labels are kept back is one heap of pictures.
    let labelled = |names: &[&'a str]| -> Vec<&'a str> {
        let labelled = names.iter().filter(|name| holds_folders(name));
        labelled.copied().collect()
    };
    let held_out = [labelled(&test), labelled(&validation), test, validation];
    let all = [&held_out[2][..], &held_out[3]].concat();
    let held_out = held_out.into_iter().find(|names| !names.is_empty());
    // One folder of pictures is a class, whatever it is called.
    let one_class = |names: &[&str]| names.len() < 2 && !names.iter().any(|n| holds_folders(n));
    match (train.as_slice(), held_out.as_deref()) {
        ([], _) if one_class(&all) => Ok(None),
        (train, None) if one_class(train) => Ok(None),
        ([], _) => Err(format!(
            "holds {} but no training part; add train/, or let path name the folder that \
             holds the class folders",
            listed(&all)
        )),
        (train, None) => Err(format!(
            "holds {} but no held-out part; add test/ or val/, or let path name the training \
             part itself",
            listed(train)
        )),
        ([train], Some([held_out])) => Ok(Some(Parts { train, held_out })),
        ([_], Some(unclear)) | (unclear, _) => Err(format!(
            "holds {}, which may all be the same part; move all but one of them away",
            listed(unclear)
        )),
    }
}

/// Names of folders in a sentence.
fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name}/")).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_known_however_they_are_written() {
        for name in [
            "train",
            "Train",
            "TRAINING",
            "training_set",
            "train2017",
            "trainset",
            "Train Images",
        ] {
            assert_eq!(kind_of(name), Some(Kind::Train), "{name}");
        }
        for name in ["test", "Testing", "test_set", "TEST-data"] {
            assert_eq!(kind_of(name), Some(Kind::Test), "{name}");
        }
        for name in [
            "val",
            "VAL",
            "Valid",
            "validation",
            "dev",
            "eval",
            "val2017",
            "valset",
        ] {
            assert_eq!(kind_of(name), Some(Kind::Validation), "{name}");
        }
        for name in [
            "cat",
            "steam train",
            "tested",
            "trainer",
            "set",
            "2017",
            "contest",
            "evaluations",
        ] {
            assert_eq!(kind_of(name), None, "{name}");
        }
    }

    /// The parts among folders, of which those with `/` hold folders.
    fn of(names: &[&str]) -> Result<Option<(String, String)>, String> {
        let bare: Vec<String> = names
            .iter()
            .map(|n| n.trim_end_matches('/').into())
            .collect();
        let found = parts(&bare, |name| names.contains(&format!("{name}/").as_str()));
        Ok(found?.map(|p| (p.train.into(), p.held_out.into())))
    }

    #[test]
    fn a_held_out_part_with_labels_is_chosen() {
        let chosen = |names: &[&str]| {
            let (train, held_out) = of(names).unwrap().unwrap();
            format!("{train} {held_out}")
        };
        assert_eq!(chosen(&["Training/", "Testing/"]), "Training Testing");
        assert_eq!(chosen(&["dev/", "extra/", "train/"]), "train dev");
        assert_eq!(chosen(&["test/", "train/", "val/"]), "train test");
        assert_eq!(chosen(&["test", "train/", "val/"]), "train val");
        assert_eq!(chosen(&["Test", "Train"]), "Train Test");
    }

    #[test]
    fn classes_are_no_parts() {
        assert_eq!(of(&["cat", "dog/"]), Ok(None));
        assert_eq!(of(&["bus", "train"]), Ok(None), "the vehicle");
        assert_eq!(of(&["dev", "prod"]), Ok(None));
    }

    #[test]
    fn half_a_layout_is_refused() {
        let refused = |names: &[&str]| of(names).unwrap_err();
        assert!(refused(&["Test/", "Val/"]).contains("holds Test/ and Val/ but no training part"));
        assert!(refused(&["cat", "test/"]).contains("no training part"));
        assert!(refused(&["test", "val"]).contains("no training part"));
        assert!(refused(&["Train/", "other"]).contains("holds Train/ but no held-out part"));
        assert!(refused(&["Train", "training"]).contains("no held-out part"));
        assert!(refused(&["Train/", "test/", "training/"]).contains("holds Train/ and training/"));
        assert!(refused(&["dev/", "train/", "val/"]).contains("holds dev/ and val/, which may"));
    }
}
