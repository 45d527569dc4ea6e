//! What `tail` does.

use std::time::Duration;

use time::OffsetDateTime;

use crate::cli::Command;
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cli::location::Location;
use crate::cli::values;
use crate::feed::ChangeFeedStart;
use crate::render::Fields;
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::value::{
    Value, choice, duration, location, number, place, start, text, time_or_age,
};

const TAIL: &[Command] = &[Command::Tail];

settings! {
    TAIL_FROM: ChangeFeedStart = Setting::new("from", start())
        .help("Where to start: `now`, `beginning`, a time such as 2026-11-23, or an age such as 10m")
        .details(
            "From `now`, no change is missed that is made after the line \"tailing … ranges\" has been \
             printed. A time is a date, which means its midnight, or a date with a time of day: 2026-11-23, \
             \"2026-11-23 12:00\", 2026-11-23T12:00:00+01:00. Without an offset it is in UTC. Times are the \
             service's, in whole seconds.",
        )
        .default("now")
        .frozen("from")
        .of(TAIL)
        .brief("Start: `now`, `beginning`, a time, or an age such as 10m");

    TAIL_UNTIL: OffsetDateTime = Setting::new("until", time_or_age())
        .help("Stop after the changes made up to this time, or up to this age ago")
        .conflicts(&["until-caught-up"])
        .of(TAIL)
        .brief("Stop after changes up to this time or age");

    UNTIL_CAUGHT_UP: bool = Setting::switch("until-caught-up")
        .help("Stop once the service has nothing newer")
        .of(TAIL);

    TAIL_FOLLOW: bool = Setting::switch("follow")
        .help("Keep reading new changes until stopped, as a tail does without it")
        .short('f')
        .conflicts(&["until-caught-up"])
        .in_full()
        .of(TAIL);

    MAX_CHANGES: u64 = Setting::new("max", number("N", values::long_whole::<1, { u64::MAX }>))
        .help("Stop after this many changes have been shown")
        .short('n')
        .of(TAIL)
        .brief("Stop after this many changes");

    IDLE_TIMEOUT: Duration = Setting::new("idle-timeout", duration())
        .help("Stop when nothing has changed for this long")
        .of(TAIL)
        .in_full();

    TAIL_MODE: Mode = Setting::new("mode", choice("MODE"))
        .help("Which feed to read")
        .default("latest")
        .frozen("mode")
        .of(TAIL);

    PARTITION_KEY: String = Setting::new("partition-key", text("VALUE"))
        .help("Only this partition key; once for each level of a hierarchical key")
        .details("Text, or JSON for a key that is not text: 42, true, null, or \"42\" for the text 42.")
        .form(Form::Values)
        .frozen("scope")
        .of(TAIL)
        .brief("Only this key; once for each level of it")
        .under(Heading::Changes);

    RANGE: String = Setting::new("range", text("N|TOKEN"))
        .help("Only this feed range: its number or its portable form, both from `ranges`; can be repeated")
        .form(Form::Values)
        .conflicts(&["partition-key"])
        .frozen("scope")
        .of(TAIL)
        .in_full()
        .under(Heading::Changes);

    TAIL_FORMAT: TailFormat = Setting::new("format", choice("FORM"))
        .help("How to print a change")
        .described_default("line on a terminal; to a pipe or a file json, with --mode all envelope")
        .details(
            "A deleted item has no document: with json and pretty its envelope is printed, which has no `id`. \
             `diff` needs a container that keeps previous images.",
        )
        .frozen("records")
        .of(TAIL)
        .brief("How to print a change");

    TAIL_WIDE: bool = Setting::switch("wide")
        .help("Do not cut lines to the width of the terminal")
        .of(TAIL)
        .brief("Do not cut lines");

    TAIL_WIDTH: u32 = Setting::new("width", number("COLUMNS", values::whole::<1, { u32::MAX }>))
        .help("Cut the lines of --format line and diff to this width")
        .described_default("that of the terminal; to a pipe, none")
        .conflicts(&["wide"])
        .of(TAIL)
        .in_full();

    FIELDS: Fields = Setting::new("fields", Value::new("LIST", values::by_type).with_hyphen())
        .help("Print only these fields, such as id,customer.name")
        .of(TAIL)
        .brief("Only these fields, such as id,customer.name");

    JQ: String = Setting::new("jq", text("PROGRAM"))
        .help("Print the output of this jq program for each change")
        .details(
            "Its input is the document; with --format envelope, or --mode all, it is the envelope.",
        )
        .conflicts(&["fields"])
        .of(TAIL)
        .brief("Print what this jq program returns");

    RAW_OUTPUT: bool = Setting::switch("raw-output")
        .help("Print strings that --jq returns without quotes, as `jq -r` does")
        .short('r')
        .requires("jq")
        .of(TAIL)
        .brief("With --jq: strings without quotes");

    COLOR: ColorChoice = Setting::new("color", choice("WHEN"))
        .help("Whether to use colors; NO_COLOR and TERM=dumb switch them off too")
        .default("auto")
        .of(TAIL)
        .in_full();

    TAIL_OUTPUT: Location = Setting::new("output", location("PATH"))
        .help("Where to write: a file, a directory such as changes/, or a place such as az://CONTAINER/changes/")
        .details(
            "A file grows under its own name. A directory, and a place in Azure Blob Storage or S3, gets a series of files \
             for each range, which are finished every 128 MiB or 10 minutes. Together with its state each of them holds \
             every change exactly once, across restarts with the same options.",
        )
        .described_default("standard output")
        .short('o')
        .frozen("output")
        .of(TAIL)
        .brief("Write there, each change once: a file, DIR/, az://…/");

    TAIL_STATE: Location = Setting::new("state", place("FILE"))
        .help("Keep the position here, and continue from it when started again: a file, or an object ending in .json")
        .details(
            "It is saved after the output has been flushed. For a pipe that means at least once: after a \
             crash the changes of pages that were not saved are written again.",
        )
        .of(TAIL)
        .brief("Keep the position here, and continue from it");
}
