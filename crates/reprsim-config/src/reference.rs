//! `docs/experiment.md` and `docs/pretraining.md`, from the schemas.

use serde_json::{Map, Value};

use crate::schema::{presets, properties, resolved, variants};

const EXPERIMENTS: &str = "# Experiment files\n\n\
    Every key of an experiment file, its type, its default and what it means. This page is made \
    from the types that read the file (`reprsim schema --markdown`); editors that know TOML \
    complete and check it by `experiments/schema.json`, which a first line `#:schema \
    ../experiments/schema.json` names.\n";

const PRETRAININGS: &str = "# Pretraining files\n\n\
    Every key of a file of `reprsim pretrain`, its type, its default and what it means. This page \
    is made from the types that read the file (`reprsim schema --pretrain --markdown`); editors that \
    know TOML complete and check it by `experiments/pretrain/schema.json`, which a first line \
    `#:schema schema.json` names.\n";

/// The reference of all keys of experiment files in Markdown, from their JSON Schema.
pub fn reference(schema: &Value) -> String {
    page(EXPERIMENTS, schema)
}

/// The same of the files of `reprsim pretrain`.
pub fn pretraining_reference(schema: &Value) -> String {
    page(PRETRAININGS, schema)
}

fn page(head: &str, schema: &Value) -> String {
    let mut page = head.to_string();
    let sections = properties(schema);
    let plain: Map<String, Value> = sections
        .iter()
        .filter(|(_, part)| !is_section(schema, part))
        .map(|(key, part)| (key.clone(), part.clone()))
        .collect();
    page += "\n## At the top\n\n";
    page += &table(schema, schema, &plain);
    for (key, part) in sections.iter().filter(|(_, part)| is_section(schema, part)) {
        let (list, inner) = opened(schema, part);
        let name = match list {
            true => format!("[[{key}]]"),
            false => format!("[{key}]"),
        };
        page += &format!("\n## `{name}`\n");
        page += &paragraph(&text(part).or(text(inner)));
        if key == "evaluation" {
            for (name, settings) in properties(inner) {
                page += &format!("\n### `[evaluation.{name}]`\n");
                page += &section(schema, &settings);
            }
            continue;
        }
        page += &section(schema, inner);
    }
    page
}

/// A section's keys, or each kind's where it is chosen by a name.
fn section(schema: &Value, part: &Value) -> String {
    let mut page = String::new();
    let kinds = variants(schema, part);
    for (name, kind, keys) in &kinds {
        page += &format!("\n### `name = \"{name}\"`\n");
        page += &paragraph(&text(resolved(schema, kind)).or(text(kind)));
        let presets = presets(kind);
        if !presets.is_empty() {
            let names = presets.join("\"`, `\"");
            page += &paragraph(&Some(format!("Also by the names `\"{names}\"`.")));
        }
        if !keys.is_empty() {
            page += &format!("\n{}", table(schema, resolved(schema, kind), keys));
        }
    }
    if kinds.is_empty() {
        let keys = properties(part);
        page += &match keys.is_empty() {
            true => "\nIt has no keys.\n".to_string(),
            false => format!("\n{}", table(schema, part, &keys)),
        };
        for (key, inner) in &keys {
            let (_, inner) = opened(schema, inner);
            for (name, kind, keys) in variants(schema, inner) {
                page += &format!("\n### `{key}`: `name = \"{name}\"`\n");
                page += &paragraph(&text(kind));
                if !keys.is_empty() {
                    page += &format!("\n{}", table(schema, kind, &keys));
                }
            }
            if !properties(inner).is_empty() && variants(schema, inner).is_empty() {
                page += &format!("\n### `{key}`\n");
                page += &paragraph(&text(inner));
                page += &format!("\n{}", table(schema, inner, &properties(inner)));
            }
        }
    }
    page
}

fn paragraph(text: &Option<String>) -> String {
    text.as_ref()
        .map_or(String::new(), |text| format!("\n{text}\n"))
}

fn table(schema: &Value, of: &Value, keys: &Map<String, Value>) -> String {
    let mut page = "| key | type | default | |\n|---|---|---|---|\n".to_string();
    let required = of["required"].as_array().map_or(&[][..], Vec::as_slice);
    for (key, part) in keys {
        let default = match part.get("default") {
            Some(Value::Null) | None if required.iter().any(|r| r == key) => "required".into(),
            Some(Value::Null) | None => String::new(),
            Some(value) => format!("`{value}`"),
        };
        let (_, inner) = opened(schema, part);
        let text = text(part).or(text(inner)).unwrap_or_default();
        page += &format!(
            "| `{key}` | {} | {default} | {}{} |\n",
            kind(schema, part),
            cell(&text),
            choices(inner)
        );
    }
    page
}

/// What a choice between names means, one by one.
fn choices(part: &Value) -> String {
    let kinds = part["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    let said: Vec<String> = kinds
        .iter()
        .filter_map(|kind| {
            let name = kind["const"].as_str().or(kind["enum"][0].as_str())?;
            Some(format!("`\"{name}\"`: {}", cell(&text(kind)?)))
        })
        .collect();
    match said.is_empty() {
        true => String::new(),
        false => format!(" {}", said.join(" ")),
    }
}

fn kind(schema: &Value, part: &Value) -> String {
    let written = alternatives(schema, part);
    if written.len() > 1 {
        let kinds: Vec<String> = written.iter().map(|part| kind(schema, part)).collect();
        return kinds.join(" or ");
    }
    if let [only] = written.as_slice() {
        return kind(schema, only);
    }
    let (list, inner) = opened(schema, part);
    // `["integer", "null"]` may be absent.
    let named = match &inner["type"] {
        Value::Array(names) => names.iter().find(|name| *name != "null"),
        name => Some(name),
    };
    let one = match named.and_then(Value::as_str) {
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("boolean") => "true or false",
        Some("string") => "text",
        Some("array") => "list",
        _ if inner["oneOf"].is_array() && variants(schema, inner).is_empty() => "text",
        _ => "table",
    };
    match list {
        true => format!("list of {one}"),
        false => one.to_string(),
    }
}

/// The ways in which a value may be written, where there are several.
fn alternatives<'a>(schema: &'a Value, part: &'a Value) -> Vec<&'a Value> {
    let part = resolved(schema, part);
    if let Some([only]) = part["allOf"].as_array().map(Vec::as_slice) {
        return alternatives(schema, only);
    }
    let parts = part["anyOf"].as_array().into_iter().flatten();
    parts.filter(|part| part["type"] != "null").collect()
}

/// Whether a part is a list, and what is in it or behind what it refers to.
fn opened<'a>(schema: &'a Value, part: &'a Value) -> (bool, &'a Value) {
    let part = resolved(schema, part);
    let wrapped = ["anyOf", "allOf"]
        .iter()
        .find_map(|key| part[key].as_array());
    if let Some(real) = wrapped.and_then(|parts| parts.iter().find(|p| p["type"] != "null")) {
        return opened(schema, real);
    }
    match part.get("items") {
        Some(items) if items.is_object() => (true, opened(schema, items).1),
        _ => (false, part),
    }
}

fn is_section(schema: &Value, part: &Value) -> bool {
    let (_, inner) = opened(schema, part);
    inner["properties"].is_object() || !variants(schema, inner).is_empty()
}

fn text(part: &Value) -> Option<String> {
    part["description"]
        .as_str()
        .map(|text| text.replace('\n', " "))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
