//! A layout that is not known when a job begins, since the container had no documents.

use std::sync::{Arc, OnceLock};

use super::{Connected, sample};
use crate::feed::FeedMode;
use crate::feed::page::Page;
use crate::schema::{InferenceOptions, Inferred, Place, TableLayout};

/// A layout that the first documents will decide.
pub(super) struct OpenLayout {
    pub(super) options: InferenceOptions,
    /// Where encoders look for it.
    pub(super) layout: Arc<OnceLock<TableLayout>>,
}

impl OpenLayout {
    /// Infers the columns from the documents of a page.
    pub(super) fn infer(&self, connected: &Connected, page: &Page) -> Inferred {
        let mut inference = sample::new_inference(connected, self.options.clone());
        // A deletion has at least a previous image.
        let documents = page
            .items()
            .filter_map(|item| item.document().or_else(|| item.previous()));
        for (number, document) in (0..).zip(documents) {
            inference.observe(document, Place::new(0, number));
        }
        inference.finish()
    }
}

/// Whether rows are made of a page.
pub(super) fn has_rows(page: &Page, mode: FeedMode) -> bool {
    match mode {
        FeedMode::LatestVersion => page.items().any(|item| item.document().is_some()),
        FeedMode::AllVersionsAndDeletes => !page.is_empty(),
    }
}
