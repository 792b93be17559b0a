//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Parser, Subcommand, ValueEnum};
use reprsim_activations::{Axes, AxesError, Pool};
use reprsim_analysis::{Decimal, Published};
use reprsim_device::{DeviceError, check_names};
use reprsim_run::bench::WORKLOADS;

/// Trains pairs of models whose data or tasks overlap by a known amount, probes
/// their layers, measures how alike they became, and says with what confidence
/// the overlap caused it.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  reprsim run experiments/quick.toml       the effect on built-in images, in minutes
  reprsim plan experiments/quick.toml      what would be run, and for how long
  reprsim data fetch fashion-mnist         bring a real data set to this machine
  reprsim compare a.npz b.npz              how alike are activations from elsewhere
  reprsim matrix models/*.npz              which of many models are alike

Exit codes: 0 done, 1 failed, 2 wrong use (arguments, experiment or
activation file, run in use), 3 finished with failed cells, 75 stopped by a
signal (run again to go on)."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Memory that may be used; what takes more is refused before it is begun [default: three
    /// quarters of what the machine, its container or `ulimit` has].
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        help_heading = "Global options",
        value_parser = memory
    )]
    pub memory: Option<ByteSize>,
}

/// Permutations and half-samples beyond which a number is a slip of the keyboard.
const MOST_DRAWS: i64 = 1_000_000;
/// The same for a side of an image, a window of text or a vocabulary.
const LARGEST: usize = 1 << 20;
/// The same for seconds of a repeat of a benchmark.
const LONGEST: f64 = 3600.0;
/// The program itself takes more than less.
const LEAST_MEMORY: ByteSize = ByteSize::mib(64);
/// The same for classes of a head.
const MOST_CLASSES: i64 = 1 << 20;

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// Comma-separated values.
    Csv,
    /// An array of objects.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an experiment, or go on with one that was interrupted.
    #[command(after_help = "\
Examples:
  reprsim run experiments/quick.toml
  reprsim run experiments/quick.toml --out /scratch/quick --device cpu --jobs 4
  reprsim run experiments/fashion-mnist.toml --shard 2/8     part 2 of 8, for a job array
  reprsim run experiments/quick.toml --dry-run               the plan alone

Finished cells are kept: running again continues. When all shards are done,
`reprsim report RUN` merges them.")]
    Run(RunArgs),
    /// Show what an experiment would run: cells, models, samples, time.
    #[command(after_help = "\
Examples:
  reprsim plan experiments/quick.toml
  reprsim plan experiments/quick.toml --format csv > cells.csv
  reprsim plan experiments/quick.toml --power 0.1      how many seeds would find a slope of 0.1

--power takes the spread of the declared result from a run that is done, runs/NAME or
--pilot RUN, and says how many seeds find the slope with a chance of 80 and of 90 %, by
the two-sided t test at the level 0.05.")]
    Plan(PlanArgs),
    /// Train one model, or one a seed, for experiments to begin with.
    #[command(after_help = "\
Examples:
  reprsim pretrain experiments/pretrain/fashion-mnist.toml
  reprsim run experiments/finetune-shared.toml          which names its checkpoint

FILE has the sections of an experiment file that are about a model: [dataset], [model],
[training], and [initial] and [task] where they are asked for. Each seed's model is trained on
the whole training part and written to runs/NAME/seed-N.safetensors, which the section [initial]
of an experiment names. What is there already is not trained again.")]
    Pretrain(PretrainArgs),
    /// List, preview, check, fetch or clean data sets.
    #[command(subcommand)]
    Data(DataCommand),
    /// List or fetch published weights, which `[initial]` takes by their names.
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// List the devices of this machine and which one `auto` takes.
    #[command(after_help = "Example:\n  reprsim devices --format json")]
    Devices {
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Merge the finished cells of a run and write its report again; several runs are
    /// also put side by side.
    #[command(after_help = "\
Examples:
  reprsim report runs/quick
  reprsim report runs/cifar-10 runs/cifar-100 --out both.html    side by side
  reprsim report runs/cifar-100 --paper data=resnet_cifar100_ds_platonic.csv
  reprsim report runs/quick --tensorboard      and: tensorboard --logdir runs/quick/tensorboard

Written into the run: report.html, figures/ (SVG and PNG), results.csv and .parquet,
analysis.json (docs/analysis.md says what is in it).")]
    Report(ReportArgs),
    /// List and free what a run holds that nobody needs: what killed processes left, snapshots of
    /// models that are done, what was set aside as damaged.
    #[command(after_help = "\
Examples:
  reprsim clean runs/quick --dry-run      what would go, with sizes
  reprsim clean runs/quick
  reprsim clean runs/quick --unplanned    cells of an earlier form of the experiment, too")]
    Clean(CleanArgs),
    /// The statistics of similarity on overlap, for any tidy table.
    #[command(after_help = "\
Examples:
  reprsim analyze runs/quick/results.csv --x data --y value --where role=level \\
      --where sweep=data --group probe,layer_a,layer_b,measure
  reprsim analyze runs/factorial/results.parquet --x data,task --y value --cluster seed
  reprsim analyze published.csv --x frac_overlap --y metric_overlap --group metric
  reprsim analyze published.csv --x frac_overlap --y a,b --missing -1 --cluster seed
  reprsim analyze table.csv --x data,task --y cka --cluster seed --covariate accuracy

A CSV file with a header and a row a point (fields separated by commas, semicolons or
tabs, decimals after points or commas), or the same as Parquet. With one --x: slope, errors, interval, p, R2, rank correlation, a test for curvature, mutual information in nats by the published
estimator (mi_ksg) and by one for levels (mi, its share of the levels' entropy, p). With
several: every x and every product of two, and what share of the variance each explains.
Errors are cluster-robust (CR2, Satterthwaite's degrees of freedom df) with --cluster,
else those of independent points; caveat says where clusters are few. randomisation_p,
which cannot be below randomisation_least_p, flips the signs of clusters, else permutes. Missing are empty fields, NA,
NaN and what --missing names; of text that ends with a number, like partition2, --x
takes the number.")]
    Analyze(AnalyzeArgs),
    /// Write a checkpoint's layer activations on the probes of an experiment.
    #[command(after_help = "\
Examples:
  reprsim extract experiments/quick.toml runs/quick/cells/0003-.../a.safetensors --out a
  reprsim extract experiments/paper/cifar-10.toml resnet18.pth --out torch

A checkpoint is a .safetensors of a run, or a state dict as PyTorch saves it (.pth,
.pt, .bin): a torchvision ResNet-18 or ResNet-34 fits a model of name \"resnet\". `reprsim
compare` reads what is written.")]
    Extract(ExtractArgs),
    /// Compare layer activations that any tool wrote.
    #[command(after_help = "\
Examples:
  reprsim compare a.safetensors b.safetensors
  reprsim compare a.npz b.npz c.npz --measures all --null 0 --out scores.parquet
  reprsim compare a.safetensors b.safetensors --mode paper
  reprsim compare vit.npz resnet.npz --pool mean --bootstrap 1000 --heatmap layers.png
  reprsim compare a.npz b.npz --measures procrustes --as angular
  reprsim compare a.npz b.npz --covariate pixels.npy
  reprsim compare bert.npz gpt.npz --pool mean --mask bert-mask.npy --mask gpt-mask.npy
  reprsim compare flax.npz torch.npz --pool mean --axes nhwc --axes nchw
  reprsim compare a.npz b.npz --ids --group subjects.csv:subject --permute whole

Each file, or folder of files, holds one model's layers on the same samples in the same
order (or any order, with --ids): .safetensors, .npz (an array a layer), .npy (one layer)
or the program's own activations. Arrays are [samples, dimensions] or [samples]; with more
axes --pool says what becomes of positions, --axes which they are. Floats of 8 to 64 bits
and whole numbers are read; whole numbers beside an array NAME_scale (and NAME_zero_point)
are (q - zero_point) * scale. An array of one whole number or text a sample is no layer but
for --ids (`sample_ids`, which must agree without --ids) or --group. Layers are paired
across files, never within one.

In Python: safetensors.numpy.save_file({'layer1': x1, 'layer2': x2}, 'a.safetensors')")]
    Compare(CompareArgs),
    /// Compare models with each other, each with each, by one layer of each.
    #[command(after_help = "\
Examples:
  reprsim matrix resnet.safetensors vit.npz clip.npy dino/
  reprsim matrix models/*.npz --layer 'block11*' --pool first --heatmap models.png
  reprsim matrix models/*.npz --measures cka,mutual_knn --null 1000 --out pairs.csv

Files are read as by `reprsim compare`. Beside its p-value each pair has a q-value
(Benjamini and Hochberg, over all pairs of a measure): of the pairs with q up to 0.05 one
in twenty, about, is alike by chance. The tree joins models by average linkage (UPGMA) of
their distances, as `compare --as distance` tells them, such as 1 - CKA.")]
    Matrix(MatrixArgs),
    /// List the similarity measures and what is known of them.
    #[command(
        after_help = "Examples:\n  reprsim measures --format json\n  reprsim measures --aliases"
    )]
    Measures {
        /// List their names in the public registry of similarity measures instead, by which they can
        /// be asked for too, and how values differ.
        #[arg(long)]
        aliases: bool,
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List the architectures: what they learn, their parameters and layers.
    #[command(after_help = "\
Examples:
  reprsim models
  reprsim models --input 1x28x28 --classes 10 --format json")]
    Models(ModelsArgs),
    /// Print the JSON Schema of experiment files, or of those of `pretrain`, or the reference made from it.
    #[command(after_help = "\
Examples:
  reprsim schema > experiments/schema.json
  reprsim schema --markdown > docs/experiment.md
  reprsim schema --pretrain > experiments/pretrain/schema.json")]
    Schema {
        /// Of the files of `reprsim pretrain`.
        #[arg(long)]
        pretrain: bool,
        /// Print the reference of all keys in Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Time training, extraction or measuring on this machine.
    #[command(after_help = "\
Examples:
  reprsim bench train --model cnn
  reprsim bench train --model resnet18 --jobs 1 --threads 2 --out resnet.json
  reprsim bench train --model cnn --device wgpu --profile   every launch of a step
  reprsim bench sweep --model cnn              one model at a time, then side by side

Random images, a model newly drawn each repeat; nothing is kept.
scripts/bench_train_torch.py does the same work in PyTorch beside it.")]
    Bench(BenchArgs),
    /// Print shell completions.
    #[command(after_help = "\
Example:
  reprsim completions bash > ~/.local/share/bash-completion/completions/reprsim")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct CleanArgs {
    /// The run's directory.
    pub run: PathBuf,
    /// Only list what would go.
    #[arg(long)]
    pub dry_run: bool,
    /// Also free cells that are not in the plan: those of an earlier form of the experiment, which
    /// would have to be trained again.
    #[arg(long)]
    pub unplanned: bool,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ModelsArgs {
    /// Channels, height and width of an image.
    #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = image_shape)]
    pub input: [usize; 3],
    /// Tokens in a window of text.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = size)]
    pub window: usize,
    /// How many different tokens there are.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = size)]
    pub vocabulary: usize,
    /// Classes of a head.
    #[arg(long, value_name = "COUNT", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=MOST_CLASSES))]
    pub classes: u32,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AnalyzeArgs {
    /// The table: a CSV file with a header, or a Parquet file.
    pub file: PathBuf,
    /// The column of the overlap; several, comma-separated, are a factorial design.
    #[arg(long, required = true, value_delimiter = ',', value_name = "COL")]
    pub x: Vec<String>,
    /// The columns of similarity, comma-separated; each is analysed alone.
    #[arg(long, required = true, value_delimiter = ',', value_name = "COL")]
    pub y: Vec<String>,
    /// Columns whose values are analysed apart, such as the measure.
    #[arg(long, value_delimiter = ',', value_name = "COL")]
    pub group: Vec<String>,
    /// Take only rows with this value; may be repeated.
    #[arg(long = "where", value_name = "COL=VALUE", value_parser = condition)]
    pub conditions: Vec<(String, String)>,
    /// The column of what points share, such as the seed.
    #[arg(long, value_name = "COL")]
    pub cluster: Option<String>,
    /// Columns to hold fixed, such as accuracy.
    #[arg(long, value_delimiter = ',', value_name = "COL")]
    pub covariate: Vec<String>,
    /// A number that stands for a missing value in any of these columns but --cluster;
    /// may be repeated.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub missing: Vec<f64>,
    /// What separates fields, one character or `tab`; else found out from the first lines.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// What stands before decimals, `.` or `,`; else found out from the first lines.
    #[arg(long, value_name = "CHAR", value_parser = decimal)]
    pub decimal: Option<Decimal>,
    /// Permutations of the tests that permute; signs of few clusters are flipped all ways.
    #[arg(long, value_name = "COUNT", default_value_t = 999,
        value_parser = clap::value_parser!(u32).range(1..=MOST_DRAWS))]
    pub permutations: u32,
    /// Seed of permutations.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Reads a size of something that goes into a model.
fn size(text: &str) -> Result<usize, String> {
    let size = text
        .parse()
        .ok()
        .filter(|size| (1..=LARGEST).contains(size));
    size.ok_or_else(|| format!("'{text}' is not a whole number from 1 to {LARGEST}"))
}

/// Reads an amount of memory.
fn memory(text: &str) -> Result<ByteSize, String> {
    let size: Option<ByteSize> = text.parse().ok();
    size.filter(|size| size.as_u64() >= LEAST_MEMORY.as_u64())
        .ok_or_else(|| format!("'{text}' is no size of at least {LEAST_MEMORY}, such as 8GiB"))
}

/// Reads how long a repeat takes.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|s: &f64| *s > 0.0 && *s <= LONGEST);
    seconds.ok_or_else(|| format!("'{text}' is not a number above 0 and up to {LONGEST}"))
}

/// Reads `CxHxW`.
fn image_shape(text: &str) -> Result<[usize; 3], String> {
    let sides: Option<Vec<usize>> = text.split('x').map(|side| size(side).ok()).collect();
    sides
        .and_then(|sides| sides.try_into().ok())
        .ok_or_else(|| format!("'{text}' is not CxHxW, such as 3x32x32"))
}

/// Names of devices, whether or not they are there.
fn device(text: &str) -> Result<String, DeviceError> {
    check_names(text).map(|()| text.to_string())
}

/// Reads what separates fields.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err(format!("'{text}' is no separator, such as ';' or tab")),
    }
}

/// Reads what stands before decimals.
fn decimal(text: &str) -> Result<Decimal, String> {
    match text {
        "." => Ok(Decimal::Point),
        "," => Ok(Decimal::Comma),
        _ => Err(format!("'{text}' is neither '.' nor ','")),
    }
}

/// Reads `COL=VALUE`.
fn condition(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.into(), value.into())),
        _ => Err(format!("'{text}' is not COL=VALUE, such as measure=cka")),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExtractArgs {
    /// The experiment file: its model, its data set's normalisation, its probes.
    pub experiment: PathBuf,
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The folder for the activations, a file a probe.
    #[arg(long)]
    pub out: PathBuf,
    /// Classes of the checkpoint's head [default: those of the experiment's label].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MOST_CLASSES))]
    pub classes: Option<u32>,
    /// Samples of each part of a data set that may stay on the device, such as 2GiB; more
    /// are sent batch by batch [default: a quarter of the memory that the device says it has,
    /// 2 GiB if it says nothing].
    #[arg(long, value_name = "SIZE")]
    pub device_budget: Option<ByteSize>,
    /// Where to compute; overrides the file's `device`.
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Where data sets are kept [default: $REPRSIM_DATA or the user's cache].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// The run directories.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Where the page of several runs is written.
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    pub out: PathBuf,
    /// Draw the level means of a published table behind the figure of an axis; of its
    /// columns the first named metric_..., or COLUMN. May be repeated.
    #[arg(long, value_name = "AXIS=FILE[:COLUMN]", value_parser = Published::parse)]
    pub paper: Vec<Published>,
    /// Also write the training curves as TensorBoard's event files.
    #[arg(long)]
    pub tensorboard: bool,
    /// How to print the table of effects.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PretrainArgs {
    /// The file that says what is trained.
    pub file: PathBuf,
    /// Where to compute, as of `reprsim run`; overrides the file's `device`.
    #[arg(long, value_parser = device, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Where models are written [default: runs/NAME].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// How to print the table of models.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The experiment file.
    pub experiment: PathBuf,
    /// Where to compute, such as `cpu`, `wgpu`, `wgpu:0,wgpu:1`, `wgpu:RTX` or `all` (GPUs);
    /// overrides the file's `device`.
    #[arg(long, value_parser = device, value_name = "DEVICES")]
    pub device: Option<String>,
    /// The run directory [default: runs/NAME].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Cells worked on at once, on each device [default: one a core on the CPU; on a GPU as many
    /// as keep its stack full].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Models that train side by side on each GPU, sharing its launches [default: as many as make
    /// it faster, by a measurement of a few seconds].
    #[arg(long, value_name = "MODELS", value_parser = clap::value_parser!(u16).range(1..))]
    pub stack: Option<u16>,
    /// Run only cell I (numbers as in `reprsim plan`).
    #[arg(long, value_name = "I", conflicts_with = "shard")]
    pub cell: Option<usize>,
    /// Run only part i of N, i from 1: every N-th cell.
    #[arg(long, value_name = "i/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
    /// Samples of each part of a data set that may stay on the device, such as 2GiB; more
    /// are sent batch by batch [default: a quarter of the memory that the device says it has,
    /// 2 GiB if it says nothing].
    #[arg(long, value_name = "SIZE")]
    pub device_budget: Option<ByteSize>,
    /// Lock nothing, on a file system that has no locks: nothing else may then use the run
    /// directory.
    #[arg(long)]
    pub no_lock: bool,
    /// Show the plan and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Also write the training curves as TensorBoard's event files.
    #[arg(long)]
    pub tensorboard: bool,
    /// How to print the table of effects.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// Activation files, or folders of them, one a model.
    #[arg(required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub measuring: MeasuringArgs,
    /// Tell values as similarities, as distances or as angles in radians, where a measure has them; p
    /// and calibrated scores stay those of the similarity.
    #[arg(long = "as", value_enum, default_value_t)]
    pub form: FormArg,
    /// A file of one layer on the same samples, such as the pixels or the labels, to hold fixed: what
    /// the layers have in common beyond it, by measures that are cosines (CKA, RSA).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bootstrap", "leverage", "null_stop"])]
    pub covariate: Option<PathBuf>,
    /// Find the sample that carries each linear CKA most, and its value without it.
    #[arg(long)]
    pub leverage: bool,
    /// Also write the rows to a .parquet, .csv or .json file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also draw layers against layers, to a .svg or .png file; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub heatmap: Vec<PathBuf>,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Layers to compare, comma-separated; `*` and `?` stand for any letters [default: all].
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "Reading"
    )]
    pub layers: Vec<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MatrixArgs {
    /// Activation files, or folders of them, one a model.
    #[arg(required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub measuring: MeasuringArgs,
    /// Also write the rows to a .parquet, .csv or .json file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also draw models against models with their tree, to a .svg or .png file; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub heatmap: Vec<PathBuf>,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The layer of each model: once for all files, or once for each in their order; `*` and `?` stand
    /// for any letters [default: `penultimate` where there is one, else the last].
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    pub layer: Vec<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// What is measured, and against what.
#[derive(Debug, clap::Args)]
pub(crate) struct MeasuringArgs {
    /// Measures by name, comma-separated, or `all` of the mode [default: debiased linear CKA, in
    /// `compare` also the biased one and mutual kNN; in paper mode all eight].
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub measures: Vec<String>,
    /// Clean definitions, or what the published numbers used.
    #[arg(long, value_enum, default_value_t)]
    pub mode: ModeArg,
    /// Permutations for chance level, p-value and calibrated score; 0: none.
    #[arg(long, value_name = "COUNT", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(..=MOST_DRAWS))]
    pub null: u32,
    /// Look at no more permutations once COUNT of them have given each value of a measure one as large
    /// (Besag and Clifford 1991): p is then COUNT over how many that took [default: look at all].
    #[arg(long, value_name = "COUNT")]
    pub null_stop: Option<NonZeroU32>,
    /// Samples of one group depend on each other: a column beside the layers, or a file
    /// (FILE.csv:COLUMN, .npy, .txt) with a label for each row of the first model.
    #[arg(long, value_name = "COLUMN|FILE[:COLUMN]")]
    pub group: Option<String>,
    /// What permutations may move: whole groups, each to one of as many samples, or samples within
    /// their group alone [default: whole].
    #[arg(long, value_enum, value_name = "HOW", requires = "group")]
    pub permute: Option<PermuteArg>,
    /// Half-samples for 95 % intervals; 0: none.
    #[arg(long, value_name = "COUNT", default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=MOST_DRAWS))]
    pub bootstrap: u32,
    /// Nearest neighbours of the measures that use them.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub k: u32,
    /// Where to compute.
    #[arg(long, value_parser = device, default_value = "auto")]
    pub device: String,
    /// Seed of permutations, half-samples and --max-samples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// How files are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadingArgs {
    /// How positions of arrays of more than two axes become dimensions.
    #[arg(long, value_parser = Pool::NAMES)]
    pub pool: Option<String>,
    /// The order of axes, such as nhwc (channels last) or ncl; n samples, c channels, t tokens, l
    /// length, d depth, h height, w width; several by commas. Once for all files, or once for each
    /// in their order [default: nc, ntc and nchw, by the number of axes].
    #[arg(long, value_name = "ORDER", value_parser = axes)]
    pub axes: Vec<AxesArg>,
    /// Which tokens are real and not padding, for --pool: a .npy file of [samples, tokens], 1 or 0.
    /// Once for all files, or once for each in their order.
    #[arg(long, value_name = "FILE", requires = "pool")]
    pub mask: Vec<PathBuf>,
    /// Match rows by the ids of their samples, in any order; samples that a file lacks are left out.
    /// Ids are the array `sample_ids` in each file, or --ids=FILE (.csv:COLUMN, .npy, .txt) for each
    /// in order.
    #[arg(long, value_name = "FILE[:COLUMN]", num_args = 0..=1, require_equals = true,
        default_missing_value = "")]
    pub ids: Vec<String>,
    /// Draw COUNT of the samples, the same in all files (of whole groups whole ones).
    #[arg(long, value_name = "COUNT")]
    pub max_samples: Option<NonZeroU32>,
}

/// What permutations move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PermuteArg {
    /// Whole groups.
    #[default]
    Whole,
    /// Samples inside their group.
    Within,
}

/// Orders of axes, of which one option gives several.
#[derive(Clone, Debug)]
pub(crate) struct AxesArg(pub Vec<Axes>);

fn axes(text: &str) -> Result<AxesArg, AxesError> {
    Axes::several(text).map(AxesArg)
}

/// Which set of definitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Clean definitions.
    #[default]
    Exact,
    /// As published by Li et al. (2025).
    Paper,
}

/// What a similarity is told as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormArg {
    /// As it is: larger is more alike.
    #[default]
    Similarity,
    /// The largest possible value less it; of shapes (Procrustes and its like) sqrt(2 - 2 v).
    Distance,
    /// arccos v, of cosines.
    Angular,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchArg {
    /// Optimiser steps: samples a second.
    Train,
    /// A probe through a model, every layer kept: samples a second.
    Extract,
    /// All layer pairs of two models by the default measures: pairs a second.
    Measure,
    /// Four models a job, one at a time with all threads, then side by side: seconds.
    Sweep,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What to time.
    #[arg(value_enum)]
    pub what: BenchArg,
    /// The model; `mlp` and `cnn` have the sizes of experiments/quick.toml.
    #[arg(long, value_parser = WORKLOADS, default_value = "cnn")]
    pub model: String,
    /// Where to compute.
    #[arg(long, value_parser = device, default_value = "auto")]
    pub device: String,
    /// What factors of products are rounded to in training steps on a GPU.
    #[arg(long, value_parser = ["f32", "bf16", "f16"], default_value = "f32")]
    pub precision: String,
    /// Models at once, which on a GPU share its launches [default: one a core on the CPU, 1 on a
    /// GPU].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Threads of each [default: as `reprsim run` would].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Seconds of a repeat, about.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    pub seconds: f64,
    /// Repeats.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub repeats: u16,
    /// Say where the time of a training step or of a batch of a probe goes: on a GPU launch by launch
    /// (of permutations too), on the CPU kernel by kernel, beside what the processor can do.
    #[arg(long)]
    pub profile: bool,
    /// Also write all figures to a JSON file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// The experiment file, or several: then a line for each, and the time of all.
    #[arg(required = true, num_args = 1..)]
    pub experiments: Vec<PathBuf>,
    /// The devices to estimate the time on; overrides the file's `device`.
    #[arg(long, value_parser = device, value_name = "DEVICES")]
    pub device: Option<String>,
    /// Models side by side on each GPU, for the estimate [default: as many as make it faster].
    #[arg(long, value_name = "MODELS", value_parser = clap::value_parser!(u16).range(1..))]
    pub stack: Option<u16>,
    /// Cells worked on at once, for the estimate.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Say how many seeds find this slope, from the spread of a pilot run.
    #[arg(long, value_name = "SLOPE", allow_negative_numbers = true)]
    pub power: Option<f64>,
    /// The pilot run [default: runs/NAME].
    #[arg(long, value_name = "RUN", requires = "power")]
    pub pilot: Option<PathBuf>,
    /// How to print the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Weights are kept beside data sets, in `weights` of `$REPRSIM_DATA` or the user's cache.
#[derive(Debug, Subcommand)]
pub(crate) enum WeightsCommand {
    /// List the weights that have a name and whether they are on this machine.
    #[command(after_help = "Example:\n  reprsim weights list --format csv")]
    List {
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Bring weights to this machine, checked by SHA-256 as far as it is published.
    #[command(after_help = "\
Example:
  reprsim weights fetch resnet18-imagenet1k-v1

A signal that asks it to end ends it with exit code 75; what has come of a file stays, and the next
fetch goes on there.")]
    Fetch {
        /// The weights.
        #[arg(required = true)]
        names: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List the data sets and whether they are on this machine.
    #[command(after_help = "Example:\n  reprsim data list --format csv")]
    List {
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
    /// Write a labelled grid of samples as PNG.
    #[command(after_help = "\
Examples:
  reprsim data preview color-shape-digit --out grid.png
  reprsim data preview color-shape-digit --preset varied --out grid.png
  reprsim data preview fashion-mnist --count 60 --out grid.png
  reprsim data preview pictures/ --out grid.png
  reprsim data preview experiment.toml --out grid.png")]
    Preview {
        /// The data set: its name, a folder of images, a text file, or an experiment file.
        name: String,
        /// The picture to write; of a corpus of text, the text file.
        #[arg(long)]
        out: PathBuf,
        /// Number of samples.
        #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// Preset of the built-in data set.
        #[arg(long, value_parser = ["plain", "tinted", "varied"], default_value = "plain")]
        preset: String,
        /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
    /// Read a data set wholly: whether its files are what they should be, how many
    /// samples and classes it has, and which samples or files of text are copies of others.
    #[command(after_help = "\
Examples:
  reprsim data check fashion-mnist
  reprsim data check photos/          a folder that holds one folder of pictures a class
  reprsim data check notes/           a folder of text files, whose documents are counted
  reprsim data check photos/ --format json      with all copies

Copies are samples that hold the same after decoding; the images of a folder are named by their
files. `duplicates` under [dataset] of an experiment says what becomes of them. Of text the files
are named whose documents are those of an earlier one; each document is used once.")]
    Check {
        /// The data set or corpus, a folder of class folders or of text, or an experiment file.
        name: String,
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
    /// Bring data sets to this machine, checked by SHA-256.
    #[command(after_help = "\
Example:
  reprsim data fetch fashion-mnist mnist

A signal that asks it to end ends it with exit code 75; what has come of a file stays, and the next
fetch goes on there.")]
    Fetch {
        /// The data sets.
        #[arg(required = true)]
        names: Vec<String>,
        /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
    /// Remove what can be made or fetched again: arrays, tokens, partial downloads.
    #[command(after_help = "\
Examples:
  reprsim data clean --dry-run      what would go, and how much of it there is
  reprsim data clean mnist text")]
    Clean {
        /// The data sets and corpora; all if none is named.
        names: Vec<String>,
        /// Say what would go and leave it there.
        #[arg(long)]
        dry_run: bool,
        /// How to print the table.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Where data sets are kept [default: $REPRSIM_DATA or ~/.cache/reprsim].
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

/// Reads `i/N` with i from 1 to N; returns i from 0.
fn shard(text: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("'{text}' is not i/N with i from 1 to N, such as 2/8");
    let (i, of) = text.split_once('/').ok_or_else(wrong)?;
    let (i, of): (usize, usize) = (
        i.parse().map_err(|_| wrong())?,
        of.parse().map_err(|_| wrong())?,
    );
    if i == 0 || i > of {
        return Err(wrong());
    }
    Ok((i - 1, of))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!(shard("1/4"), Ok((0, 4)));
        assert_eq!(shard("4/4"), Ok((3, 4)));
        for wrong in ["0/4", "5/4", "4", "a/b", "1/0"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
