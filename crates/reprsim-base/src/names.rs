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

/// A message for a name that is not known, with the nearest that is and all others.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!(
        "unknown {what} '{name}'{}; known: {}",
        hint(name, known.iter().copied()),
        known.join(", ")
    )
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
}
