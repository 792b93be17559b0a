//! Writes a made-up report, a comparison of three and all figures into a folder, to look
//! at:
//!
//! ```text
//! cargo run --release -p reprsim-report --example sample_report -- FOLDER
//! ```
//!
//! and says how large a report of 500 cells is and how long it takes.

#![allow(clippy::print_stdout)] // a program for the terminal

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use made_up::{Size, large, report};
use reprsim_report::{Scalar, event_file, figures, heatmap, png, render, render_comparison};

mod made_up;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: sample_report FOLDER")?;
    let folder = Path::new(&folder);
    let size = Size {
        pairs: 5,
        epochs: 30,
    };
    let first = report("sample, made-up numbers", 0.0, size);
    let others = [
        report("sample, made-up numbers", 0.08, size),
        report("sample C, made-up numbers", -0.05, size),
    ];
    fs::create_dir_all(folder.join("figures"))?;
    fs::create_dir_all(folder.join("events"))?;
    fs::write(folder.join("report.html"), render(&first))?;
    let runs = [std::slice::from_ref(&first), &others[..]].concat();
    fs::write(folder.join("comparison.html"), render_comparison(&runs))?;
    for figure in figures(&first) {
        let path = folder.join("figures").join(&figure.name);
        fs::write(path.with_extension("svg"), &figure.svg)?;
        fs::write(path.with_extension("png"), png(&figure.svg, 2.0)?)?;
    }
    let ends = &first.heatmaps[0];
    let layers = heatmap(&[ends.low.clone(), ends.high.clone()]);
    fs::write(folder.join("layers.svg"), &layers)?;
    fs::write(folder.join("layers.png"), png(&layers, 2.0)?)?;
    let scalars: Vec<Scalar> = (1..=30)
        .flat_map(|step| {
            ["loss/training", "accuracy/training"].map(|tag| Scalar {
                tag: tag.into(),
                step,
                value: 1.0 / step as f64,
                wall_time: 1.7e9 + step as f64,
            })
        })
        .collect();
    let events = folder.join("events").join("events.out.tfevents.0.sample");
    fs::write(events, event_file(&scalars))?;

    let large = large();
    let start = Instant::now();
    let page = render(&large);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "500 cells: a table of {:.1} MB, a page of {:.2} MB in {seconds:.2} s",
        large
            .csv
            .as_ref()
            .map_or(0.0, |(_, t)| t.len() as f64 / 1e6),
        page.len() as f64 / 1e6
    );
    let start = Instant::now();
    let count = figures(&large).len();
    println!(
        "{count} figures as SVG in {:.2} s",
        start.elapsed().as_secs_f64()
    );
    fs::write(folder.join("large.html"), page)?;
    Ok(())
}
