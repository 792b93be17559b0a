//! Text: a data set whose samples are pieces of token streams, and whose classes
//! are the corpora they come from.
//!
//! Files of the user's own are [told](form) by their bytes and [read](source) as these
//! say. A corpus is read as [documents](documents), tokenised once into a
//! [file](token_file) and [divided](division) by document into a training, a
//! validation and a test part. Training samples are chunks of the training stream,
//! held-out samples are windows inside one document.

mod cleaning;
mod corpus;
mod division;
mod documents;
mod fingerprint;
mod form;
mod json;
mod listing;
mod look;
mod markup;
mod open;
mod read;
mod samples;
mod settings;
mod source;
mod table;
mod token_file;
mod tokenizer;
mod utf_16;

pub use fingerprint::content_of_text;
pub use listing::is_folder_of_text;
pub use settings::TextSettings;
pub use tokenizer::Tokenizer;

pub(crate) use corpus::corpora;
pub(crate) use look::look;
pub(crate) use open::open;
pub(crate) use samples::{TextSamples, Tokens};
pub(crate) use settings::FACTOR;
