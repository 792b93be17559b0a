//! Names of tensors in files of other programs: what they have before them, and how they do not fit.

use burn::tensor::Shape;
use burn_store::{ApplyError, ApplyResult};
use reprsim_models::ModelConfig;

/// So many names are told one by one.
const SHOWN: usize = 3;

/// What all of these names have before them, whole parts between dots: the shortest first.
pub(crate) fn prefixes<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let Some((first, others)) = names.split_first() else {
        return vec![];
    };
    (first.match_indices('.'))
        .map(|(dot, _)| &first[..=dot])
        .take_while(|prefix| others.iter().all(|name| name.starts_with(prefix)))
        .collect()
}

/// A regular expression for a prefix.
pub(crate) fn pattern(prefix: &str) -> String {
    let mut pattern = "^".to_string();
    for c in prefix.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Names of a file that a model has no place for, as the file has them.
pub(crate) fn surplus<'a>(found: &'a ApplyResult, model: &ModelConfig) -> Vec<&'a str> {
    let names = found.unused.iter().map(String::as_str);
    names.filter(|name| !model.is_buffer(name)).collect()
}

/// The name of a tensor as PyTorch has it: what burn calls otherwise are scale and shift of norms.
pub(crate) fn as_pytorch(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((layer, "gamma")) => format!("{layer}.weight"),
        Some((layer, "beta")) => format!("{layer}.bias"),
        _ => name.to_string(),
    }
}

/// What is missing and what is there instead, and what to do about it.
pub(crate) fn misfit(
    missing: &[&str],
    found: &ApplyResult,
    surplus: &[&str],
    model: &ModelConfig,
) -> String {
    let name = model.name();
    let missing: Vec<String> = missing.iter().map(|name| as_pytorch(name)).collect();
    let lacks = format!(
        "it lacks {} of the {} tensors of this {name} ({})",
        missing.len(),
        missing.len() + found.applied.len(),
        listed(&missing)
    );
    if surplus.is_empty() {
        return format!(
            "{lacks}; it is of a shallower or another model: take the file of a {name} of this depth, \
             or set depth under [model]"
        );
    }
    let before = match prefixes(surplus).last() {
        Some(prefix) => format!(", all of them with '{prefix}' before their names"),
        None => String::new(),
    };
    format!(
        "{lacks} and has {} others ({}){before}; if it is the same model, say under [initial] how its \
         tensors are called, such as names = [[\"^theirs\\\\.\", \"ours.\"]]",
        surplus.len(),
        listed(surplus)
    )
}

/// What a file has that a model has no place for, where it has all that the model needs.
pub(crate) fn too_many(surplus: &[&str], model: &ModelConfig) -> String {
    let first = surplus.first().copied().unwrap_or_default();
    let more = match surplus.len() {
        0 | 1 => String::new(),
        2 => " and one more".into(),
        n => format!(" and {} more ({}, ...)", n - 1, listed(&surplus[1..2])),
    };
    format!(
        "it has the tensor '{first}'{more}, for which a {} here has no place: it is of a deeper or \
         another model, set name and depth under [model]",
        model.name()
    )
}

/// A shape as people write it.
fn sides(shape: &Shape) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    sides.join("x")
}

/// How sizes of tensors differ.
pub(crate) fn sizes_differ(errors: &[ApplyError]) -> String {
    let told = |error: &ApplyError| match error {
        ApplyError::ShapeMismatch {
            path,
            expected,
            found,
        } => format!(
            "'{}' is {} there and {} here",
            as_pytorch(path),
            sides(found),
            sides(expected)
        ),
        other => other.to_string(),
    };
    let first: Vec<String> = errors.iter().take(SHOWN).map(told).collect();
    let more = match errors.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and so {more} more"),
    };
    format!(
        "its tensors have other sizes: {}{more}: it is of another width or for other classes; set \
         width under [model], or head = \"fresh\" under [initial], which leaves out the head alone",
        first.join(", ")
    )
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let first: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    first.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_parts_that_all_names_have() {
        let names = ["net.body.a.weight", "net.body.ab.weight", "net.body.a.bias"];
        assert_eq!(prefixes(&names), ["net.", "net.body."]);
        assert!(prefixes(&["net.a", "other.a"]).is_empty());
        assert!(prefixes(&[]).is_empty());
        assert_eq!(pattern("a-b.c1_d."), r"^a\-b\.c1_d\.");
    }
}
