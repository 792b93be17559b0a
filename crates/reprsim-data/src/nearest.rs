//! Which name was meant.

/// ` (did you mean 'x'?)` if a known name is near, else nothing.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .min()
        .filter(|(distance, k)| *distance <= 1 + k.len().max(name.len()) / 3)
        .map_or(String::new(), |(_, k)| format!(" (did you mean '{k}'?)"))
}
