//! The snapshot before the changes.

use crate::cli::Command;
use crate::settings::compare;
use crate::settings::setting::{Setting, settings};

settings! {
    SNAPSHOT: bool = Setting::switch("snapshot")
        .help("With --mode all: all documents first, then every version and delete since the export began")
        .details(
            "The feed of all versions is pinned before the first document is read, so nothing between is lost. Each \
             row says what it is: its operation is snapshot, create, replace or delete. For each document, the row \
             with the highest LSN is its state. While the documents are read, the changes are read too, turn by turn, \
             so a long snapshot does not outlast what the container keeps. Without --follow the export ends where \
             each range was when the snapshot was complete; a `resume` continues with the changes.",
        )
        .frozen("snapshot")
        .compared(|frozen, _| compare::switch(frozen.options.snapshot))
        .of(&[Command::Export])
        .in_full();
}
