//! What `lag` does.

use std::time::Duration;

use crate::cli::Command;
use crate::cli::location::Location;
use crate::cli::values::{self, LagLimit, Limit};
use crate::cosmos::max_ru::MaxRu;
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::value::{Value, duration, place, text};

settings! {
    LAG_PATH: Location = Setting::new("path", place("PATH"))
        .help(
            "The export: its directory, its file, its address in an object store, or its state file; or the state \
             file of a tail or a replay",
        )
        .form(Form::Argument)
        .required_unless(&["state", "group"])
        .of(&[Command::Lag])
        .brief("An export, or the state of a tail or a replay");

    LAG_STATE: Location = Setting::new("state", place("FILE"))
        .help("The state, if it is not beside the output: a file, or an address in an object store")
        .of(&[Command::Lag])
        .brief("The state, if it is not beside the output");

    LAG_GROUP: String = Setting::new("group", text("NAME"))
        .help("A group of change feed processors instead of a job, by its name or lease prefix")
        .conflicts(&["path", "state"])
        .requires("leases")
        .of(&[Command::Lag])
        .brief("A group of change feed processors");

    LAG_LEASES: String = Setting::new("leases", text("DATABASE/CONTAINER"))
        .help("The lease container of the group, such as shop/leases")
        .requires("group")
        .of(&[Command::Lag]);

    WATCH: Duration = Setting::new("watch", duration())
        .help("Measure again after each pause of this length, until stopped")
        .details("From the second time on, it estimates how long it takes to catch up at the present rate.")
        .of(&[Command::Lag])
        .brief("Measure again after each pause of this length");

    FAIL_ABOVE: LagLimit = Setting::new("fail-above", Value::new("LIMIT", values::lag_limit))
        .help("Exit with code 4 if the lag is above this: transactions such as 1000, or a time such as 10m")
        .details("A lag that is only known to be at most so much counts as so much.")
        .of(&[Command::Lag])
        .brief("Exit with code 4 if the lag is above 1000 or 10m");

    LAG_MAX_RU: Limit<MaxRu> = Setting::new("max-ru", Value::new("RU", values::max_ru_or_none))
        .help("Use at most this many RU/s for measuring, or this share of the throughput such as 20%, or `none`")
        .described_default("none")
        .of(&[Command::Lag])
        .under(Heading::Reading);
}
