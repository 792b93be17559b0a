//! `reprsim pretrain`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use reprsim_base::{default_cache, write_whole};
use reprsim_config::read_pretraining;
use reprsim_device::choose_all;
use reprsim_run::pretrain::pretrain as train_models;
use reprsim_run::{Data, named_pretraining};
use serde_json::json;

use crate::args::PretrainArgs;
use crate::exit::{STOPPED, UsageError};
use crate::output::note;
use crate::signals;
use crate::table::Table;

pub(crate) fn pretrain(args: &PretrainArgs) -> anyhow::Result<ExitCode> {
    let cache = args.data_dir.clone().unwrap_or_else(default_cache);
    let (given, text) = read_pretraining(&args.file)?;
    let root = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(&given.experiment.name));
    let data = Arc::new(Data::new(&given.experiment, &cache));
    let pretraining = named_pretraining(given, &data)?;
    let experiment = &pretraining.experiment;
    let devices = choose_all(args.device.as_deref().unwrap_or(&experiment.device))?;
    let [chosen] = devices.as_slice() else {
        return Err(UsageError("a model is pretrained on one device: name one".into()).into());
    };
    note(&format!("device: {} ({})", chosen.name, chosen.why));
    let on_epoch = |seed: usize, epoch: &reprsim_run::run::Epoch| {
        let accuracy = epoch.metrics.get("accuracy");
        let accuracy = accuracy.map_or(String::new(), |a| format!("  accuracy {a:.3}"));
        note(&format!(
            "seed {seed}  epoch {}  loss {:.4}{accuracy}  {:.0} samples/s",
            epoch.epoch, epoch.loss, epoch.samples_per_s
        ));
    };
    let stop = signals::stop(STOPPED)?;
    let made = match train_models(&pretraining, &root, chosen, &data, stop, &on_epoch) {
        Err(error) if error.is_stop() => {
            note("stopped; pretrain again to go on");
            return Ok(ExitCode::from(STOPPED));
        }
        made => made?,
    };
    let kept = root.join("pretrain.toml");
    write_whole(&kept, text.as_bytes())
        .with_context(|| format!("could not write {}", kept.display()))?;
    let mut table = Table::new(&["seed", "checkpoint", "loss", "accuracy", "was there"]);
    for model in made {
        table.push(vec![
            json!(model.seed),
            json!(model.path.display().to_string()),
            json!(model.loss),
            json!(model.accuracy),
            json!(model.was_there),
        ]);
    }
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}
