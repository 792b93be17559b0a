//! `reprsim data`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use rand::seq::SliceRandom;
use reprsim_base::{Stream, default_cache};
use reprsim_data::color_shape_digit::{self, Preset, Settings};
use reprsim_data::{
    DataError, Dataset, DatasetSpec, FATHER_BROWN, FOLDER, FetchEvent, Part, Skipped, TEXT,
    TextSettings, cards, check, corpus_names, dataset_names, fetch, find_card, free, open, preview,
    spares,
};
use serde_json::json;

use crate::args::{DataCommand, Format};
use crate::commands::say;
use crate::output::note;
use crate::table::Table;

/// Files of a folder that could not be used are named up to so many.
const SKIPPED_SHOWN: usize = 10;
/// Copies of samples are named up to so many.
const COPIES_SHOWN: usize = 10;
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
        DataCommand::Check {
            name,
            format,
            data_dir,
        } => check_one(&name, format, &data_dir.unwrap_or_else(default_cache))?,
        DataCommand::Fetch { names, data_dir } => {
            let cache = data_dir.unwrap_or_else(default_cache);
            for name in names {
                fetch_one(&name, &cache)?;
            }
        }
        DataCommand::Clean {
            names,
            dry_run,
            format,
            data_dir,
        } => clean(
            &names,
            dry_run,
            format,
            &data_dir.unwrap_or_else(default_cache),
        )?,
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
        let dir = cache.join(&card.name);
        let sizes = card.files.iter().map(|file| {
            let there = std::fs::metadata(dir.join(&file.name)).map(|m| m.len());
            (there.ok(), file.bytes)
        });
        let here = match sizes.clone().all(|(there, _)| there.is_some()) {
            false => "no",
            // What a checksum would tell takes long; a fetch looks at that.
            true if sizes
                .clone()
                .any(|(there, right)| right.is_some() && there != right) =>
            {
                "damaged"
            }
            true => "yes",
        };
        table.push(vec![
            json!(card.name),
            json!(here),
            json!(card.description),
            json!(card.licence),
        ]);
    }
    table.push(vec![
        json!(FOLDER),
        json!("by its path"),
        json!("any folder that holds one folder of PNG or JPEG images per class"),
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

fn write_preview(
    name: &str,
    out: &Path,
    count: usize,
    preset: &str,
    cache: &Path,
) -> anyhow::Result<()> {
    if corpus_names().contains(&name) || Path::new(name).is_file() {
        return write_text_preview(name, out, count, cache);
    }
    let spec = DatasetSpec {
        built_in: Settings {
            preset: Preset::ALL
                .iter()
                .find(|(name, _)| *name == preset)
                .map_or(Preset::Plain, |(_, preset)| *preset),
            ..Settings::default()
        },
        // Anything else that is a folder is shown as one.
        ..spec_of(name)
    };
    let dataset = open_to_show(spec, cache)?;
    say_skipped(&dataset.skipped)?;
    let mut indices: Vec<usize> = (0..dataset.len()).collect();
    indices.shuffle(&mut Stream::new(0).child("preview").rng());
    indices.truncate(count);
    let grid = preview::grid(&dataset, &indices, 10)?;
    grid.save(out)
        .with_context(|| format!("could not write {}", out.display()))?;
    say(&format!(
        "{} samples of {name} in {}",
        indices.len(),
        out.display()
    ))?;
    Ok(())
}

/// Writes some windows of the held-out part of a corpus.
fn write_text_preview(name: &str, out: &Path, count: usize, cache: &Path) -> anyhow::Result<()> {
    let settings = TextSettings {
        corpora: vec![name.to_string()],
        ..TextSettings::default()
    };
    let tokenizer = settings.tokenizer;
    let spec = DatasetSpec {
        name: TEXT.to_string(),
        text: Some(settings),
        ..DatasetSpec::default()
    };
    let dataset = open(&spec, Part::Test, cache)?;
    say_skipped(&dataset)?;
    let mut indices: Vec<usize> = (0..dataset.len()).collect();
    indices.shuffle(&mut Stream::new(0).child("preview").rng());
    indices.truncate(count);
    let windows = preview::preview_text(&dataset, &indices, tokenizer);
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

/// The data set of that name, or the folder at that path.
fn spec_of(name: &str) -> DatasetSpec {
    let is_folder = !dataset_names().contains(&name) && Path::new(name).is_dir();
    DatasetSpec {
        name: if is_folder { FOLDER } else { name }.to_string(),
        path: is_folder.then(|| name.into()),
        ..DatasetSpec::default()
    }
}

/// Reads a data set wholly and says what it holds, and which samples are there more than once.
fn check_one(name: &str, format: Format, cache: &Path) -> anyhow::Result<()> {
    let mut spec = spec_of(name);
    let checked = match check(&spec, cache) {
        Err(DataError::Setting { .. }) if spec.path.is_some() => {
            spec.size = Some(FOLDER_SIDE);
            check(&spec, cache)
        }
        result => result,
    }?;
    for file in &checked.sums {
        note(&format!("{file}: checksum right"));
    }
    let mut table = Table::new(&[
        "part",
        "samples",
        "factor",
        "classes",
        "smallest",
        "largest",
        "copies",
        "copies_of_training",
        "other_label",
        "left_out",
        "content",
    ]);
    for part in &checked.parts {
        let all = part.copies.iter().chain(&part.of_training);
        let other_label = all.filter(|copy| !copy.same_label).count();
        for (factor, classes) in &part.classes {
            let sizes = || classes.iter().map(|(_, size)| *size);
            table.push(vec![
                json!(part.part.name()),
                json!(part.samples),
                json!(factor),
                json!(classes.len()),
                json!(sizes().min()),
                json!(sizes().max()),
                json!(part.copies.len()),
                json!(part.of_training.len()),
                json!(other_label),
                json!(part.skipped.len()),
                json!(part.content),
            ]);
        }
    }
    table.print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    for part in &checked.parts {
        let name = part.part.name();
        if part.stale {
            say(&format!(
                "the array that was kept of the {name} part is of other samples than its files"
            ))?;
        }
        for (of, copies) in [(name, &part.copies), ("train", &part.of_training)] {
            for copy in copies.iter().take(COPIES_SHOWN) {
                let label = match copy.same_label {
                    true => "",
                    false => ", with another label",
                };
                say(&format!("{name}/{} = {of}/{}{label}", copy.sample, copy.of))?;
            }
            if copies.len() > COPIES_SHOWN {
                say(&format!("  and {} more", copies.len() - COPIES_SHOWN))?;
            }
        }
        say_skipped(&part.skipped)?;
    }
    Ok(())
}

/// Opens the test part; images of a folder that differ in size become squares.
fn open_to_show(mut spec: DatasetSpec, cache: &Path) -> Result<Dataset, DataError> {
    match open(&spec, Part::Test, cache) {
        Err(DataError::Setting { .. }) if spec.path.is_some() => {
            spec.size = Some(FOLDER_SIDE);
            open(&spec, Part::Test, cache)
        }
        result => result,
    }
}

/// Names the files of a folder that were left out.
fn say_skipped(skipped: &[Skipped]) -> std::io::Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    say(&format!("{} files are left out:", skipped.len()))?;
    for file in skipped.iter().take(SKIPPED_SHOWN) {
        say(&format!("  {}: {}", file.path.display(), file.reason))?;
    }
    if skipped.len() > SKIPPED_SHOWN {
        say(&format!("  and {} more", skipped.len() - SKIPPED_SHOWN))?;
    }
    Ok(())
}

/// Removes what can be made or fetched again, or says what that would be.
fn clean(names: &[String], dry_run: bool, format: Format, cache: &Path) -> anyhow::Result<()> {
    let spares = spares(cache, names)?;
    let mut table = Table::new(&["set", "what", "bytes", "path"]);
    for spare in &spares.found {
        table.push(vec![
            json!(spare.set),
            json!(spare.what.name()),
            json!(spare.bytes),
            json!(spare.path.display().to_string()),
        ]);
        if !dry_run {
            free(spare)?;
        }
    }
    table.print(format)?;
    let bytes = ByteSize(spares.found.iter().map(|spare| spare.bytes).sum());
    note(&match dry_run {
        true => format!("{bytes} would be freed; without --dry-run it is"),
        false => format!("{bytes} freed"),
    });
    Ok(())
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
        FetchEvent::Waiting => note(&format!("{name}: waiting for another fetch of it")),
        FetchEvent::Unlocked(reason) => note(&format!(
            "{name}: no locks there ({reason}); see that no other fetch of it is on"
        )),
        FetchEvent::Again(reason, pause) => {
            note(&format!("{reason}; again in {} s", pause.as_secs()));
        }
        FetchEvent::Anew(file) => note(&format!("{file}: what is there is not right; anew")),
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
