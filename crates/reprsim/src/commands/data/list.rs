//! `reprsim data list`.

use std::path::Path;

use reprsim_data::color_shape_digit;
use reprsim_data::{FATHER_BROWN, FOLDER, TEXT, cards};
use serde_json::json;

use crate::args::Format;
use crate::table::Table;

/// Lists the data sets and whether they are here.
pub(super) fn list(format: Format, cache: &Path) -> std::io::Result<()> {
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
