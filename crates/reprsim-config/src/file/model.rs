//! The `[model]` section.

use reprsim_models::{ModelConfig, Stem};
use toml::Spanned;

use super::raw::RawModel;
use super::reader::Reader;
use crate::ExperimentError;

impl Reader<'_> {
    pub(super) fn model(&self, raw: &RawModel) -> Result<ModelConfig, ExperimentError> {
        let names = ["mlp", "cnn", "resnet", "vit", "gpt", "vae"];
        let known: Vec<(&str, &str)> = names.iter().map(|n| (*n, *n)).collect();
        let name = self.pick("model", &raw.name, &known)?;
        self.only_settings_of(name, raw)?;
        let or = |value: &Option<Spanned<usize>>, default: usize| {
            value.as_ref().map_or(default, |v| *v.get_ref())
        };
        let model = match name {
            "mlp" => ModelConfig::Mlp {
                hidden: raw
                    .hidden
                    .as_ref()
                    .map_or(vec![512, 256], |h| h.get_ref().clone()),
            },
            "cnn" => ModelConfig::Cnn {
                width: or(&raw.width, 16),
            },
            "resnet" => ModelConfig::Resnet {
                depth: or(&raw.depth, 18),
                width: or(&raw.width, 64),
                stem: match &raw.stem {
                    None => Stem::default(),
                    Some(stem) => {
                        let known = [("cifar", Stem::Cifar), ("stock", Stem::Stock)];
                        self.pick("stem", stem, &known)?
                    }
                },
            },
            "vit" => ModelConfig::Vit {
                width: or(&raw.width, 192),
                depth: or(&raw.depth, 6),
                heads: or(&raw.heads, 3),
                patch: or(&raw.patch, 4),
            },
            // nanoGPT's size for a machine without a GPU.
            "gpt" => ModelConfig::Gpt {
                width: or(&raw.width, 128),
                depth: or(&raw.depth, 4),
                heads: or(&raw.heads, 4),
            },
            _ => ModelConfig::Vae {
                width: or(&raw.width, 64),
                latent: or(&raw.latent, 20),
            },
        };
        model
            .check()
            .map_err(|e| self.at(&raw.name, e.to_string()))?;
        Ok(model)
    }

    /// Refuses a setting that the architecture does not have.
    fn only_settings_of(&self, name: &str, raw: &RawModel) -> Result<(), ExperimentError> {
        let start = |v: &Option<Spanned<usize>>| v.as_ref().map(|v| v.span().start);
        let hidden = raw.hidden.as_ref().map(|v| v.span().start);
        let stem = raw.stem.as_ref().map(|v| v.span().start);
        let settings: [(&str, Option<usize>, &[&str]); 7] = [
            ("hidden", hidden, &["mlp"]),
            (
                "width",
                start(&raw.width),
                &["cnn", "resnet", "vit", "gpt", "vae"],
            ),
            ("depth", start(&raw.depth), &["resnet", "vit", "gpt"]),
            ("stem", stem, &["resnet"]),
            ("heads", start(&raw.heads), &["vit", "gpt"]),
            ("patch", start(&raw.patch), &["vit"]),
            ("latent", start(&raw.latent), &["vae"]),
        ];
        for (key, place, owners) in settings {
            if let (Some(place), false) = (place, owners.contains(&name)) {
                let owners = owners.join(", ");
                return Err(self.error(place, format!("'{key}' is a setting of {owners} only")));
            }
        }
        Ok(())
    }
}
