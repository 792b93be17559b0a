//! What the table of tasks becomes: one type for any of them, and a list.

/// A line of the table is a file, its settings, its variant and its name.
macro_rules! tasks {
    ($($file:ident: $settings:ident, $variant:ident, $name:literal;)*) => {
        $(mod $file;)*
        $(pub use $file::$settings;)*

        use burn::tensor::{Int, Tensor};
        use rand::Rng;
        use reprsim_models::{Output, OutputKind};
        use schemars::JsonSchema;
        use serde::Serialize;

        use crate::error::TrainError;
        use crate::supply::Drawn;

        /// What models are trained to do, with its settings.
        #[allow(missing_docs, reason = "each is described by its settings")]
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        #[serde(tag = "name")]
        #[non_exhaustive]
        pub enum TaskConfig {
            $(
                #[serde(rename = $name)]
                $variant($settings),
            )*
        }

        impl<'de> serde::Deserialize<'de> for TaskConfig {
            fn deserialize<D: serde::Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                let (name, rest) = reprsim_base::named(given)?;
                match name.as_str() {
                    $($name => reprsim_base::settings(&rest)
                        .map(Self::$variant)
                        .map_err(D::Error::custom),)*
                    other => Err(D::Error::unknown_variant(other, &[$($name),*])),
                }
            }
        }

        /// What can be said of a task whatever its settings.
        #[derive(Clone, Copy, Debug)]
        pub struct AboutTask {
            /// The name in experiment files.
            pub name: &'static str,
            /// What it needs a model to give.
            pub needs: OutputKind,
            /// It with its default settings.
            pub default: fn() -> TaskConfig,
        }

        /// All tasks; the first that needs what a model gives is its default.
        pub const TASKS: &[AboutTask] = &[
            $(AboutTask {
                name: <$settings as Task>::NAME,
                needs: <$settings as Task>::NEEDS,
                default: || TaskConfig::$variant($settings::default()),
            },)*
        ];

        impl TaskConfig {
            /// The task's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$settings as Task>::NAME,)*
                }
            }

            /// What it needs a model to give.
            pub fn needs(&self) -> OutputKind {
                match self {
                    $(Self::$variant(_) => <$settings as Task>::NEEDS,)*
                }
            }

            /// Whether images must stay on the 0..1 scale.
            pub fn unit_scale(&self) -> bool {
                match self {
                    $(Self::$variant(_) => <$settings as Task>::UNIT_SCALE,)*
                }
            }

            /// Checks the settings.
            ///
            /// # Errors
            /// The first that makes no sense.
            pub fn check(&self) -> Result<(), WrongSetting> {
                match self {
                    $(Self::$variant(task) => task.check(),)*
                }
            }

            /// Weights that it is given, entries as of `[initial]`.
            pub fn files(&self) -> &[String] {
                match self {
                    $(Self::$variant(task) => task.files(),)*
                }
            }

            /// The same with these paths for its files, and what names their contents.
            #[must_use]
            pub fn with_files(&self, paths: Vec<String>, content: Vec<String>) -> Self {
                match self {
                    $(Self::$variant(task) => Self::$variant(task.with_files(paths, content)),)*
                }
            }

            /// The same without where its files are.
            #[must_use]
            pub fn placeless(&self) -> Self {
                match self {
                    $(Self::$variant(task) => Self::$variant(task.placeless()),)*
                }
            }

            /// The task of model 0 or 1 of the pair of a repetition.
            #[must_use]
            pub fn of_model(&self, seed: usize, model: usize) -> Self {
                match self {
                    $(Self::$variant(task) => Self::$variant(task.of_model(seed, model)),)*
                }
            }

            /// The model from whose scores it learns, if any.
            pub fn teacher(&self) -> Option<Teacher<'_>> {
                match self {
                    $(Self::$variant(task) => task.teacher(),)*
                }
            }

            /// Makes a batch of samples as they were drawn.
            ///
            /// # Errors
            /// [`TrainError::Task`] if it does not learn from such samples.
            pub fn batch(&self, drawn: Drawn, rng: &mut dyn Rng) -> Result<Batch, TrainError> {
                match self {
                    $(Self::$variant(task) => task.batch(drawn, rng),)*
                }
            }

            /// What a model's answer to a batch costs.
            ///
            /// # Errors
            /// [`TrainError::Task`] if the answer or the target is of another kind.
            pub fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError> {
                match self {
                    $(Self::$variant(task) => task.loss(output, target),)*
                }
            }

            /// The class that an answer names, `[n]`; `None` where the task has no classes.
            pub fn answers(&self, output: &Output) -> Option<Tensor<1, Int>> {
                match self {
                    $(Self::$variant(task) => task.answers(output),)*
                }
            }
        }
    };
}

pub(crate) use tasks;
