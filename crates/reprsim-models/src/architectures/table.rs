//! What the table of architectures becomes: one type for the settings of any of them, one
//! for any built model, and a list.

/// A line of the table is a file, its settings, its model and its name.
macro_rules! architectures {
    ($($file:ident: $settings:ident, $model:ident, $name:literal;)*) => {
        $(mod $file;)*
        $(pub use $file::{$settings, $model};)*

        use burn::module::Module;
        use burn::tensor::Device;
        use rand::Rng;
        use schemars::JsonSchema;
        use serde::Serialize;

        use crate::{
            Activations, Architecture, Feature, Init, Input, InputKind, Kept, SampleShape, Model,
            ModelError,
            ModelShape, Output, OutputKind, Pass,
        };

        /// An architecture and its size, as an experiment file gives them.
        #[allow(missing_docs, reason = "each is described by its settings")]
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        #[serde(tag = "name")]
        #[schemars(transform = name_presets)]
        #[non_exhaustive]
        pub enum ModelConfig {
            $(
                #[serde(rename = $name)]
                $model($settings),
            )*
        }

        impl<'de> serde::Deserialize<'de> for ModelConfig {
            fn deserialize<D: serde::Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                let (name, rest) = reprsim_base::named(given)?;
                $(
                    if name == $name {
                        let settings = reprsim_base::settings(&rest).map(Self::$model);
                        return settings.map_err(D::Error::custom);
                    }
                    if let Some((_, preset)) = $settings::PRESETS.iter().find(|(known, _)| name == *known) {
                        let given = crate::presets::over(preset(), rest).map_err(D::Error::custom)?;
                        let settings = reprsim_base::settings(&given).map(Self::$model);
                        return settings.map_err(D::Error::custom);
                    }
                )*
                let mut known = vec![];
                $(
                    known.push(String::from($name));
                    known.extend($settings::PRESETS.iter().map(|(name, _)| name.to_string()));
                )*
                Err(D::Error::custom(format!(
                    "unknown variant `{name}`, expected one of `{}`",
                    known.join("`, `")
                )))
            }
        }

        /// Lets the schema know the presets' names.
        fn name_presets(schema: &mut schemars::Schema) {
            $(
                let names = $settings::PRESETS.iter().map(|(name, _)| *name);
                crate::presets::name_in_schema(schema, $name, names);
            )*
        }

        /// A model of any architecture.
        #[derive(Module, Debug)]
        #[expect(
            clippy::large_enum_variant,
            reason = "there are few networks, and what they hold is on the heap"
        )]
        pub enum Network {
            $(
                #[doc = concat!("See [`", stringify!($model), "`].")]
                $model($model),
            )*
        }

        /// What can be said of an architecture whatever its size.
        #[derive(Clone, Copy, Debug)]
        pub struct About {
            /// The name in experiment files.
            pub name: &'static str,
            /// What goes in.
            pub takes: InputKind,
            /// What comes out.
            pub gives: OutputKind,
            /// It with its default settings.
            pub default: fn() -> ModelConfig,
        }

        /// Bytes of a weight on the host.
        const WEIGHT_BYTES: u128 = 4;

        /// All architectures.
        pub const ARCHITECTURES: &[About] = &[
            $(About {
                name: <$settings as Architecture>::NAME,
                takes: <$settings as Architecture>::TAKES,
                gives: <$settings as Architecture>::GIVES,
                default: || ModelConfig::$model($settings::default()),
            },)*
        ];

        impl ModelConfig {
            /// The architecture's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::NAME,)*
                }
            }

            /// What goes in.
            pub fn takes(&self) -> InputKind {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::TAKES,)*
                }
            }

            /// What comes out.
            pub fn gives(&self) -> OutputKind {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::GIVES,)*
                }
            }

            /// Beginnings of the names of the parameters that make the head.
            pub fn head(&self) -> &'static [&'static str] {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::HEAD,)*
                }
            }

            /// Which form of the architecture it is: models of the same settings are others in others.
            pub fn revision(&self) -> u32 {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::REVISION,)*
                }
            }

            /// Whether activations are dropped when `dropout` is above 0.
            pub fn drops(&self) -> bool {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::DROPS,)*
                }
            }

            /// Names of the layers that a forward pass returns, input side first.
            pub fn layer_names(&self) -> Vec<String> {
                match self {
                    $(Self::$model(settings) => settings.layer_names(),)*
                }
            }

            /// Of these layers those behind which a pass can begin ([`Network::output_from`]).
            pub fn joints(&self) -> Vec<String> {
                match self {
                    $(Self::$model(settings) => settings.joints(),)*
                }
            }

            /// The same architecture with another width; `None` where it has none.
            pub fn with_width(&self, width: usize) -> Option<Self> {
                match self {
                    $(Self::$model(settings) => settings.with_width(width).map(Self::$model),)*
                }
            }

            /// The same architecture with another depth; `None` where it has none.
            pub fn with_depth(&self, depth: usize) -> Option<Self> {
                match self {
                    $(Self::$model(settings) => settings.with_depth(depth).map(Self::$model),)*
                }
            }

            /// Other names of parameters in files of other programs: a regular expression,
            /// and what stands for it here.
            pub fn aliases(&self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::aliases(),)*
                }
            }

            /// Whether a tensor of a file is rightly left unread.
            pub fn is_buffer(&self, tensor: &str) -> bool {
                match self {
                    $(Self::$model(_) => <$settings as Architecture>::is_buffer(tensor),)*
                }
            }

            /// Checks the sizes.
            ///
            /// # Errors
            /// [`ModelError::Settings`] with what is wrong and what is accepted.
            pub fn check(&self) -> Result<(), ModelError> {
                match self {
                    $(Self::$model(settings) => settings.check(),)*
                }
            }

            /// Weights of a model for `shape`, counted without taking memory for them.
            ///
            /// # Errors
            /// [`ModelError`] if the configuration makes no sense, by itself or for `shape`.
            pub fn weights(&self, shape: ModelShape) -> Result<u128, ModelError> {
                self.check()?;
                self.check_input(shape.input)?;
                let (device, mut rng) = (Device::flex(), reprsim_base::Stream::new(0).rng());
                let mut init = Init::counting(&device, &mut rng);
                match self {
                    $(Self::$model(settings) => drop(settings.build(shape, &mut init)?),)*
                }
                Ok(init.counted())
            }

            /// What a training step keeps of one sample between its passes.
            pub fn kept(&self, shape: ModelShape) -> Kept {
                match self {
                    $(Self::$model(settings) => settings.kept(shape),)*
                }
            }

            /// Checks the architecture against what goes in.
            ///
            /// # Errors
            /// [`ModelError`] with what is wrong and what is accepted.
            pub fn check_input(&self, input: SampleShape) -> Result<(), ModelError> {
                if InputKind::of(input) != self.takes() {
                    return Err(self.takes().refusal(self.name()));
                }
                let (step, least) = match self {
                    $(Self::$model(settings) => (settings.stride(), settings.least()),)*
                };
                match input {
                    SampleShape::Image { height, width, .. } if height.min(width) < least => {
                        Err(ModelError::Settings(format!(
                            "a {} needs images with sides of at least {least}; these are \
                             {height}x{width}\n  set size under [dataset], or under [input]",
                            self.name()
                        )))
                    }
                    SampleShape::Image { height, width, .. }
                        if height % step != 0 || width % step != 0 =>
                    {
                        Err(ModelError::Settings(format!(
                            "a {} needs images with sides divisible by {step}; these are \
                             {height}x{width}\n  set size under [dataset], or under [input]",
                            self.name()
                        )))
                    }
                    _ => Ok(()),
                }
            }
        }

        impl Network {
            /// Builds a model with weights drawn from `rng`.
            ///
            /// # Errors
            /// [`ModelError`] if the configuration makes no sense, by itself or for `shape`.
            pub fn new(
                config: &ModelConfig,
                shape: ModelShape,
                rng: &mut impl Rng,
                device: &Device,
            ) -> Result<Self, ModelError> {
                let weights = config.weights(shape)?;
                let what = format!("a {} of {weights} weights", config.name());
                reprsim_base::ask_memory(WEIGHT_BYTES * weights, what)?;
                let init = &mut Init::new(device, rng);
                match config {
                    $(ModelConfig::$model(settings) => settings.build(shape, init).map(Self::$model),)*
                }
            }

            /// All named layers for a batch, in one pass, nothing random.
            ///
            /// # Errors
            /// [`ModelError::Input`] if the batch is of another kind.
            pub fn activations(&self, input: Input) -> Result<Activations, ModelError> {
                match self {
                    $(Self::$model(model) => model.activations(input),)*
                }
            }

            /// What a task learns from.
            ///
            /// # Errors
            /// [`ModelError::Input`] if the batch is of another kind.
            pub fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
                match self {
                    $(Self::$model(model) => model.output(input, pass),)*
                }
            }

            /// What a task learns from, of a batch that comes as the activation of one of
            /// [`ModelConfig::joints`], nothing random; `None` of any other layer, or a feature that
            /// is not of the layer's kind.
            pub fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
                match self {
                    $(Self::$model(model) => model.output_from(joint, activation),)*
                }
            }
        }
    };
}

pub(crate) use architectures;
