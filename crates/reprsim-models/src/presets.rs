//! Architectures by the names that others know them by.

use schemars::Schema;
use serde::Serialize;
use serde_json::{Value, json};

/// A public name of an architecture at some size, and its settings.
pub type Preset<S> = (&'static str, fn() -> S);

/// A preset with the settings that stand beside its name in place of its own.
pub(crate) fn over<S: Serialize>(preset: S, given: Value) -> Result<Value, serde_json::Error> {
    let mut settings = serde_json::to_value(preset)?;
    if let (Value::Object(settings), Value::Object(given)) = (&mut settings, given) {
        settings.extend(given);
    }
    Ok(settings)
}

/// Lets the kind called `name` in a schema be called by its presets' names too.
pub(crate) fn name_in_schema<'a>(
    schema: &mut Schema,
    name: &'a str,
    presets: impl Iterator<Item = &'a str>,
) {
    let names: Vec<&str> = std::iter::once(name).chain(presets).collect();
    let kinds = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for kind in kinds.into_iter().flatten() {
        let called = &mut kind["properties"]["name"];
        if names.len() > 1 && called["const"] == name {
            *called = json!({ "type": "string", "enum": names });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{ARCHITECTURES, ModelConfig};

    use super::*;

    fn read(text: Value) -> Result<ModelConfig, String> {
        serde_json::from_value(text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_preset_is_its_architecture_at_a_size_and_settings_beside_it_change_it() {
        let preset = read(json!({ "name": "resnet50" }));
        let spelled = json!({ "name": "resnet", "depth": 50, "width": 64, "stem": "stock" });
        assert_eq!(preset, read(spelled));
        let changed = read(json!({ "name": "resnet50", "stem": "cifar" }));
        assert_eq!(changed, read(json!({ "name": "resnet", "depth": 50 })));
        // It is written as what it is, so that a cell has one key.
        let written = serde_json::to_value(preset.unwrap()).unwrap();
        assert_eq!(written["name"], "resnet");
    }

    #[test]
    fn what_is_not_known_is_named() {
        let error = read(json!({ "name": "resnet51" })).unwrap_err();
        for name in ["`resnet51`", "`resnet50`", "`mlp`"] {
            assert!(error.contains(name), "{error}");
        }
        let error = read(json!({ "name": "resnet50", "heads": 3 })).unwrap_err();
        assert!(error.contains("unknown field `heads`"), "{error}");
    }

    #[test]
    fn the_schema_knows_every_name_that_can_be_read() {
        let schema = schemars::schema_for!(ModelConfig);
        let kinds = schema.get("oneOf").and_then(Value::as_array).unwrap();
        let mut names = vec![];
        for kind in kinds {
            let name = &kind["properties"]["name"];
            names.extend(name["const"].as_str());
            let several = name["enum"].as_array().into_iter().flatten();
            names.extend(several.filter_map(Value::as_str));
        }
        assert!(names.len() > ARCHITECTURES.len() && names.contains(&"resnet152"));
        for name in names {
            let model = read(json!({ "name": name })).unwrap();
            model.check().unwrap();
        }
    }
}
