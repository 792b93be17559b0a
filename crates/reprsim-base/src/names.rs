//! Names that are nearly right.

/// ` (did you mean 'x'?)` if a known name is near, else nothing.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .min()
        .filter(|(distance, k)| *distance <= 1 + k.len().max(name.len()) / 3)
        .map_or(String::new(), |(_, k)| format!(" (did you mean '{k}'?)"))
}

/// So many names are listed ...
const LISTED: usize = 32;
/// ... and of more so many.
const SHOWN: usize = 12;

/// Names one after the other; of many the first ones, and the number of the others.
pub fn listed(names: &[&str]) -> String {
    match names.len() {
        count if count <= LISTED => names.join(", "),
        count => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
    }
}

/// A message for a name that is not known, with the nearest that is and others ([`listed`]).
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!(
        "unknown {what} '{name}'{}; known: {}",
        hint(name, known.iter().copied()),
        listed(known)
    )
}

/// The first name that is there twice.
pub fn twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_no_far_one() {
        let known = ["data", "class", "task"];
        assert_eq!(hint("dta", known), " (did you mean 'data'?)");
        assert_eq!(hint("something", known), "");
        assert_eq!(
            unknown("axis", "taks", &known),
            "unknown axis 'taks' (did you mean 'task'?); known: data, class, task"
        );
    }

    #[test]
    fn of_many_names_a_dozen_are_listed_and_the_nearest_is_offered() {
        let names: Vec<String> = (0..3000).map(|i| format!("column_{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = unknown("column", "colum_2718", &names);
        assert!(
            message.contains("(did you mean 'column_2718'?)"),
            "{message}"
        );
        assert!(message.ends_with("column_11 and 2988 more"), "{message}");
        assert_eq!(listed(&names[..32]).matches(", ").count(), 31);
    }

    #[test]
    fn a_name_that_is_there_twice_is_found() {
        assert_eq!(twice(["a", "b", "c"]), None);
        assert_eq!(twice(["a", "b", "c", "b", "a"]), Some("b"));
        assert_eq!(twice([]), None);
    }
}
