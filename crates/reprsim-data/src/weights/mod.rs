//! Where weights of models come from: cards of published files, which are fetched as those of data
//! sets are, the local cache of a hub, paths.

mod card;
mod error;
mod hub;
mod locate;

pub use card::{WeightsCard, find_weights_card, weights_cards};
pub use error::WeightsError;
pub use locate::locate_weights;
