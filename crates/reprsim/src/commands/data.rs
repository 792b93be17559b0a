//! `reprsim data`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use rand::seq::SliceRandom;
use reprsim_base::{Stream, default_cache};
use reprsim_data::color_shape_digit::{self, Preset, Settings};
use reprsim_data::{
    DataError, Dataset, DatasetSpec, FATHER_BROWN, FOLDER, FetchEvent, Part, SampleShape, Skipped,
    TEXT, TextSettings, cards, corpus_names, dataset_names, fetch, find_card, open,
    preview::{self, Section},
};
use reprsim_run::read_experiment;
use serde_json::json;

use crate::args::{DataCommand, Format};
use crate::commands::say;
use crate::output::note;
use crate::skipped;
use crate::table::Table;

/// Side of the pictures of a folder whose images differ in size.
const FOLDER_SIDE: usize = 64;

pub(crate) fn data(command: DataCommand) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::List { format, data_dir } => {
            list(format, &data_dir.unwrap_or_else(default_cache))?;
        }
        DataCommand::Preview {
            name,
            out,
            count,
            preset,
            data_dir,
        } => {
            let cache = data_dir.unwrap_or_else(default_cache);
            write_preview(&name, &out, usize::from(count), &preset, &cache)?;
        }
        DataCommand::Fetch { names, data_dir } => {
            let cache = data_dir.unwrap_or_else(default_cache);
            for name in names {
                fetch_one(&name, &cache)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(format: Format, cache: &Path) -> std::io::Result<()> {
    let mut table = Table::new(&["name", "here", "description", "licence"]);
    table.push(vec![
        json!(color_shape_digit::NAME),
        json!("built in"),
        json!("generated 28x28 colour images: 8 shapes x 10 digits x 10 colours"),
        json!("MIT OR Apache-2.0"),
    ]);
    table.push(vec![
        json!(FATHER_BROWN),
        json!("built in"),
        json!("text: The Wisdom of Father Brown, G. K. Chesterton, 1914 (407 kB)"),
        json!("public domain"),
    ]);
    for card in cards() {
        let here = card
            .files
            .iter()
            .all(|f| cache.join(&card.name).join(&f.name).exists());
        table.push(vec![
            json!(card.name),
            json!(if here { "yes" } else { "no" }),
            json!(card.description),
            json!(card.licence),
        ]);
    }
    table.push(vec![
        json!(FOLDER),
        json!("by its path"),
        json!("any folder that holds one folder of images per class (PNG, JPEG, GIF, WebP, BMP)"),
        json!("its own"),
    ]);
    table.push(vec![
        json!(TEXT),
        json!("by its corpora"),
        json!("corpora by name, or by path: text files, folders of them, JSON lines"),
        json!("their own"),
    ]);
    table.print(format)
}

/// Writes what a data set holds: one by name, a corpus, a folder of images, or that of an
/// experiment file.
fn write_preview(
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
    let (spec, held_out) = open_to_show(spec, cache)?;
    let train = match spec.name == FOLDER {
        true => Some(open(&spec, Part::Train, cache)?),
        false => None,
    };
    let mut sections = vec![];
    if let Some(train) = &train {
        // One that is held out for three that are trained on.
        let some = count - (count / 4).min(held_out.len());
        sections.push(section("trained on", train, some)?);
    }
    let left = count - sections.iter().map(|s| s.indices.len()).sum::<usize>();
    sections.push(section("held out", &held_out, left)?);
    let grid = preview::grid(&sections, 10)?;
    grid.save(out)
        .with_context(|| format!("could not write {}", out.display()))?;
    let mut skipped: Vec<Skipped> = vec![];
    sections
        .iter()
        .for_each(|s| skipped.extend_from_slice(&s.dataset.skipped));
    skipped.sort();
    skipped.dedup();
    for line in skipped::lines(&skipped) {
        say(&line)?;
    }
    let shown: Vec<&str> = sections.iter().map(|s| s.title.as_str()).collect();
    say(&format!(
        "{name}: {}\nin {}",
        shown.join("; "),
        out.display()
    ))?;
    Ok(())
}

/// The data set that a name on the command line means.
fn spec_of(name: &str, preset: &str) -> anyhow::Result<DatasetSpec> {
    let path = Path::new(name);
    let is_known = dataset_names().contains(&name);
    if !is_known && path.extension().is_some_and(|e| e == "toml") {
        let experiment = read_experiment(path)?;
        return Ok(experiment.dataset.spec(experiment.root_seed));
    }
    let is_text = |ending: &str| path.extension().is_some_and(|e| e == ending);
    if corpus_names().contains(&name) || is_text("txt") || is_text("jsonl") {
        return Ok(DatasetSpec {
            name: TEXT.to_string(),
            text: Some(TextSettings {
                corpora: vec![name.to_string()],
                ..TextSettings::default()
            }),
            ..DatasetSpec::default()
        });
    }
    // Anything else that is a folder is shown as one.
    if !is_known && path.is_dir() {
        return Ok(DatasetSpec {
            name: FOLDER.to_string(),
            path: Some(name.into()),
            ..DatasetSpec::default()
        });
    }
    Ok(DatasetSpec {
        name: name.to_string(),
        built_in: Settings {
            preset: Preset::ALL
                .iter()
                .find(|(name, _)| *name == preset)
                .map_or(Preset::Plain, |(_, preset)| *preset),
            ..Settings::default()
        },
        ..DatasetSpec::default()
    })
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
    let mut indices: Vec<usize> = (0..dataset.len()).collect();
    indices.shuffle(&mut Stream::new(0).child("preview").rng());
    indices.truncate(count);
    let windows = preview::preview_text(&dataset, &indices, tokenizer.unwrap_or_default());
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

/// Opens the test part, and says how; images of a folder that differ in size become squares.
fn open_to_show(mut spec: DatasetSpec, cache: &Path) -> Result<(DatasetSpec, Dataset), DataError> {
    match open(&spec, Part::Test, cache) {
        Err(DataError::Setting { .. }) if spec.path.is_some() && spec.size.is_none() => {
            spec.size = Some(FOLDER_SIDE);
        }
        result => return result.map(|dataset| (spec, dataset)),
    }
    let dataset = open(&spec, Part::Test, cache)?;
    note(&format!(
        "images differ in size or are large: shown as size = {FOLDER_SIDE} makes them"
    ));
    Ok((spec, dataset))
}

fn fetch_one(name: &str, cache: &Path) -> anyhow::Result<()> {
    if [color_shape_digit::NAME, FATHER_BROWN].contains(&name) {
        say(&format!("{name} is built in: there is nothing to fetch"))?;
        return Ok(());
    }
    let card = find_card(name)?;
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{msg}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    fetch(card, cache, &mut |event| match event {
        FetchEvent::Present(file) => note(&format!("{file}: here already")),
        FetchEvent::Trying(file, source) => {
            bar.set_message(file.to_string());
            note(&format!("{file}: trying {source}"));
        }
        FetchEvent::Bytes(here, total) => {
            bar.set_length(total.unwrap_or(here));
            bar.set_position(here);
        }
        FetchEvent::Done(file) => note(&format!("{file}: checksum right")),
        FetchEvent::Recorded(file, sum) => note(&format!(
            "{file}: no checksum of it is published; this one is kept and held to from now on: {sum}"
        )),
    })?;
    bar.finish_and_clear();
    say(&format!("{name} is in {}", cache.join(name).display()))?;
    Ok(())
}
