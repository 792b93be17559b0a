//! What an experiment file may hold, as a JSON Schema made of the types that read it, and what
//! follows from it.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::axis::{AxisKind, Design, Words};
use crate::evaluation::EvaluationSettings;
use crate::file::{ExperimentFile, PretrainFile};

/// The JSON Schema of experiment files, which may ask for any of `evaluations`.
pub fn schema(evaluations: &[&dyn EvaluationSettings]) -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator
        .into_root_schema_for::<ExperimentFile>()
        .to_value();
    schema["title"] = json!("reprsim experiment");
    let sections: Map<String, Value> = evaluations
        .iter()
        .map(|evaluation| (evaluation.name().into(), evaluation.schema().to_value()))
        .collect();
    schema["properties"]["evaluation"] = json!({
        "description": "What else is computed of each pair, a section each; accuracy and similarity \
            always are.",
        "type": "object",
        "properties": sections,
        "additionalProperties": false,
    });
    let definitions = &mut schema["definitions"];
    let alone = AxisKind::all().filter(|kind| kind.stands_alone());
    let alone: Vec<Value> = alone
        .map(|kind| json!({ "const": kind.name(), "description": described(kind) }))
        .collect();
    definitions["AxisSection"]["properties"]["kind"]["oneOf"] = json!(alone);
    let grid = &mut definitions["GridSection"];
    grid["additionalProperties"] = json!(false);
    for kind in AxisKind::all().filter(|kind| !kind.lists_pairs()) {
        let items = match kind.lists_models() {
            true => {
                json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/definitions/ModelConfig" }] })
            }
            false => json!({ "type": "number" }),
        };
        grid["properties"][kind.name()] = json!({
            "description": described(kind),
            "type": "array",
            "items": items,
            "minItems": 2,
        });
    }
    schema
}

/// The JSON Schema of the files of `reprsim pretrain`.
pub fn pretraining_schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<PretrainFile>().to_value();
    schema["title"] = json!("reprsim pretraining");
    schema
}

/// What an axis of one kind does, of an example.
fn described(kind: AxisKind) -> String {
    let words = Words {
        samples: "samples",
        class: "class",
        classes: "classes",
    };
    let factors = ["shape", "digit", "color", "border"].map(String::from);
    let pairs = [[vec![factors[0].clone()], vec![factors[1].clone()]]];
    let example = Design {
        axes: vec![kind.name()],
        factors: match kind.name() {
            "style" => &factors[..2],
            _ => &factors,
        },
        factors_per_task: 2,
        pairs: &pairs,
        models: &[],
    };
    kind.explanation(words, &example)
}

/// A part of a schema with what it refers to.
pub(crate) fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let reference = part["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    match reference.and_then(|pointer| schema.pointer(pointer)) {
        Some(found) => found,
        None => part,
    }
}

/// What may stand in a list, or in place of nothing.
fn inside<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let part = resolved(schema, part);
    if let Some(items) = part.get("items") {
        return inside(schema, items);
    }
    let wrapped = ["anyOf", "allOf"]
        .iter()
        .find_map(|key| part[key].as_array());
    let real = wrapped.and_then(|parts| parts.iter().find(|part| part["type"] != "null"));
    match real {
        Some(real) => inside(schema, real),
        None => part,
    }
}

/// The other names of a kind.
pub(crate) fn presets(kind: &Value) -> Vec<&str> {
    let names = kind["properties"]["name"]["enum"].as_array();
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.skip(1).collect()
}

/// The kinds that a section chooses from by its `name`: the name, what it is, and its keys.
pub(crate) fn variants<'a>(
    schema: &'a Value,
    section: &'a Value,
) -> Vec<(&'a str, &'a Value, Map<String, Value>)> {
    let kinds = section["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    kinds
        .iter()
        .filter_map(|kind| {
            let name = &kind["properties"]["name"];
            let name = name["const"].as_str().or(name["enum"][0].as_str())?;
            let mut keys = properties(kind);
            let rest = resolved(schema, kind);
            keys.extend(properties(rest));
            keys.remove("name");
            Some((name, kind, keys))
        })
        .collect()
}

/// The keys of a section.
pub(crate) fn properties(section: &Value) -> Map<String, Value> {
    section["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default()
}

/// What stands at a place such as `training.augment.0`.
fn at<'a>(schema: &'a Value, place: &str) -> Option<&'a Value> {
    let keys = place
        .split('.')
        .filter(|part| part.parse::<usize>().is_err());
    keys.filter(|key| !key.is_empty())
        .try_fold(schema, |part, key| {
            inside(schema, part)["properties"].get(key)
        })
        .map(|part| inside(schema, part))
}

/// Names of the kinds of the section at `place` that have the key, where that is chosen by a
/// name.
pub(crate) fn owners(place: &str, key: &str) -> Vec<String> {
    let schema = schema(&[]);
    let section = at(&schema, place).unwrap_or(&Value::Null);
    variants(&schema, section)
        .into_iter()
        .filter(|(.., keys)| keys.contains_key(key))
        .map(|(name, ..)| name.to_string())
        .collect()
}

/// Sections that have the key.
pub(crate) fn elsewhere(key: &str) -> Vec<String> {
    let schema = schema(&[]);
    properties(&schema)
        .iter()
        .filter(|(_, section)| {
            let section = inside(&schema, section);
            let of_kinds = variants(&schema, section);
            properties(section).contains_key(key)
                || of_kinds.iter().any(|(.., keys)| keys.contains_key(key))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_owners_and_homes() {
        assert!(owners("model", "heads").starts_with(&["vit".into(), "gpt".into()]));
        assert_eq!(owners("training.optimizer", "momentum"), ["sgd"]);
        assert_eq!(owners("training.augment.0", "pixels"), ["translate"]);
        assert!(owners("training", "epochs").is_empty());
        assert_eq!(elsewhere("label_smoothing"), ["task"]);
        assert_eq!(elsewhere("corpora"), ["dataset", "probe"]);
        assert!(elsewhere("nothing").is_empty());
    }

    #[test]
    fn axes_are_listed() {
        let schema = schema(&[]);
        let grid = &schema["definitions"]["GridSection"]["properties"];
        assert!(grid["width"].is_object() && grid["partition"].is_null());
        let kinds = &schema["definitions"]["AxisSection"]["properties"]["kind"]["oneOf"];
        for kind in ["data", "class", "task", "partition", "style"] {
            let named = |k: &Value| k["const"] == kind;
            assert!(kinds.as_array().unwrap().iter().any(named), "{kind}");
        }
    }
}
