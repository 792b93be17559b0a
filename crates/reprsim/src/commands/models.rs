//! `reprsim models`.

use std::process::ExitCode;

use reprsim_models::{ARCHITECTURES, InputKind, ModelShape, SampleShape};
use reprsim_train::TASKS;
use serde_json::{Value, json};

use crate::args::{Format, ModelsArgs};
use crate::commands::say;
use crate::table::Table;

pub(crate) fn models(args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let [channels, height, width] = args.input;
    let mut table = Table::new(&[
        "model",
        "learns",
        "tasks",
        "parameters",
        "layers",
        "settings",
        "undefined",
    ]);
    for about in ARCHITECTURES {
        let model = (about.default)();
        let shape = ModelShape {
            input: match about.takes {
                InputKind::Images => SampleShape::Image {
                    channels,
                    height,
                    width,
                },
                InputKind::Text => SampleShape::Tokens {
                    window: args.window,
                    vocabulary: args.vocabulary,
                },
            },
            classes: args.classes as usize,
        };
        let tasks: Vec<&str> = (TASKS.iter())
            .filter(|task| task.needs == about.gives)
            .map(|task| task.name)
            .collect();
        let weights = model.weights(shape);
        let mut settings = json!(model);
        if let Value::Object(settings) = &mut settings {
            settings.remove("name");
        }
        table.push(vec![
            json!(about.name),
            json!(about.takes.name()),
            json!(tasks.join(", ")),
            json!(weights.as_ref().ok().map(|weights| *weights as u64)),
            json!(model.layer_names().join(", ")),
            json!(settings.to_string()),
            json!(
                weights
                    .err()
                    .map(|error| error.to_string().replace('\n', " "))
            ),
        ]);
    }
    let table = match args.format {
        Format::Table => table.without_empty(),
        _ => table,
    };
    table.print(args.format)?;
    if args.format == Format::Table {
        say(&format!(
            "\nWith their default settings, images of {channels}x{height}x{width}, windows of {} \
             tokens of {}, and {} classes. All settings: docs/experiment.md.",
            args.window, args.vocabulary, args.classes
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
