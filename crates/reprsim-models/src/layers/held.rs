//! Norms that keep their statistics while the model that they are in is trained.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::ParamId;

thread_local! {
    /// The scales of the norms that are held in this thread.
    static HELD: RefCell<Option<Arc<BTreeSet<ParamId>>>> = const { RefCell::new(None) };
}

/// What `run` gives, a forward pass in this thread, in which the batch norms whose scale is one
/// of `scales` normalise with their running statistics, and leave them as they are, also where
/// the model is in training.
pub fn holding_norms<T>(scales: &Arc<BTreeSet<ParamId>>, run: impl FnOnce() -> T) -> T {
    holding(Some(Arc::clone(scales)), run)
}

/// The norms that this thread holds now.
pub(super) fn held() -> Option<Arc<BTreeSet<ParamId>>> {
    HELD.with_borrow(Clone::clone)
}

/// What `run` gives while this thread holds these and no others.
pub(super) fn holding<T>(scales: Option<Arc<BTreeSet<ParamId>>>, run: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<BTreeSet<ParamId>>>);
    impl Drop for Before {
        fn drop(&mut self) {
            HELD.set(self.0.take());
        }
    }
    let _before = Before(HELD.replace(scales));
    run()
}

/// Whether the norm with this scale is held.
pub(super) fn is_held(scale: ParamId) -> bool {
    HELD.with_borrow(|held| held.as_ref().is_some_and(|scales| scales.contains(&scale)))
}
