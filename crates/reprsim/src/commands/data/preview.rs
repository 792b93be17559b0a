//! `reprsim data preview`.

use std::path::Path;

use anyhow::Context;
use rand::seq::SliceRandom;
use reprsim_base::Stream;
use reprsim_data::preview::{Section, grid, preview_text, seen};
use reprsim_data::{Dataset, DatasetSpec, FOLDER, Part, SampleShape, Skipped, open};

use super::named::{at_one_size, input_of, spec_of};
use crate::commands::say;

/// What names all that is left out.
const ALL_LEFT_OUT: &str = "reprsim data check --format json";

/// Writes what a data set holds: one by name, a corpus, a folder of images, or that of an
/// experiment file.
pub(super) fn preview(
    name: &str,
    out: &Path,
    count: usize,
    preset: &str,
    cache: &Path,
) -> anyhow::Result<()> {
    let spec = spec_of(name, preset)?;
    if spec.text.is_some() {
        return write_text_preview(&spec, name, out, count, cache);
    }
    let (spec, held_out) = at_one_size(spec, |spec| open(spec, Part::Test, cache))?;
    let train = match spec.name == FOLDER {
        true => Some(open(&spec, Part::Train, cache)?),
        false => None,
    };
    let mut as_seen = vec![];
    let mut sections = vec![];
    if let Some(train) = &train {
        // One that is held out for three that are trained on.
        let some = count - (count / 4).min(held_out.len());
        sections.push(section("trained on", train, some)?);
    }
    let left = count - sections.iter().map(|s| s.indices.len()).sum::<usize>();
    sections.push(section("held out", &held_out, left)?);
    if let Some(input) = input_of(name)? {
        let of = |section: &Section<'_>| seen(section.dataset, &section.indices, input);
        as_seen.extend(sections.iter().map(of));
        for (section, dataset) in sections.iter_mut().zip(&as_seen) {
            section.title += &format!(", seen as {0} x {0}", input.size);
            (section.dataset, section.indices) = (dataset, (0..dataset.len()).collect());
        }
    }
    let grid = grid(&sections, 10)?;
    grid.save(out)
        .with_context(|| format!("could not write {}", out.display()))?;
    let skipped: Vec<&[Skipped]> = (sections.iter())
        .map(|section| section.dataset.skipped.as_slice())
        .collect();
    for line in Skipped::lines(&Skipped::merged(&skipped), Some(ALL_LEFT_OUT)) {
        say(&format!("data set: {line}"))?;
    }
    let shown: Vec<&str> = sections.iter().map(|s| s.title.as_str()).collect();
    say(&format!(
        "{name}: {}\nin {}",
        shown.join("; "),
        out.display()
    ))?;
    Ok(())
}

/// Up to `count` samples, evenly of all classes and in their order.
fn section<'a>(title: &str, dataset: &'a Dataset, count: usize) -> anyhow::Result<Section<'a>> {
    let (labels, classes) = dataset.joint_label(&dataset.label)?;
    let mut drawn: Vec<usize> = (0..dataset.len()).collect();
    drawn.shuffle(&mut Stream::new(0).child("preview").rng());
    // How many of its class were drawn before each: a round takes one of every class.
    let mut before = vec![0; classes];
    let mut rounds: Vec<(usize, usize)> = vec![];
    for index in drawn {
        let of_class = &mut before[labels[index] as usize];
        rounds.push((*of_class, index));
        *of_class += 1;
    }
    rounds.sort_by_key(|&(round, _)| round);
    let mut indices: Vec<usize> = rounds
        .into_iter()
        .map(|(_, index)| index)
        .take(count)
        .collect();
    indices.sort_by_key(|&index| (labels[index], index));
    let SampleShape::Image {
        height,
        width,
        channels,
    } = dataset.shape
    else {
        anyhow::bail!("{} holds no images", dataset.name);
    };
    let kind = if channels == 1 { "grey" } else { "colour" };
    Ok(Section {
        title: format!(
            "{title}: {} of {} images, {width} x {height}, {kind}, {classes} classes",
            indices.len(),
            dataset.len()
        ),
        dataset,
        indices,
    })
}

/// Writes some windows of the held-out part of a corpus.
fn write_text_preview(
    spec: &DatasetSpec,
    name: &str,
    out: &Path,
    count: usize,
    cache: &Path,
) -> anyhow::Result<()> {
    let tokenizer = spec.text.as_ref().map(|text| text.tokenizer);
    let dataset = open(spec, Part::Test, cache)?;
    for line in Skipped::lines(&dataset.skipped, Some(ALL_LEFT_OUT)) {
        say(&format!("data set: {line}"))?;
    }
    let mut indices: Vec<usize> = (0..dataset.len()).collect();
    indices.shuffle(&mut Stream::new(0).child("preview").rng());
    indices.truncate(count);
    let windows = preview_text(&dataset, &indices, tokenizer.unwrap_or_default());
    let between = format!("\n{}\n", "-".repeat(72));
    std::fs::write(out, windows.join(&between))
        .with_context(|| format!("could not write {}", out.display()))?;
    say(&format!(
        "{} windows of {name} in {}",
        windows.len(),
        out.display()
    ))?;
    Ok(())
}
