//! What a command that runs long answers over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::values;
use crate::settings::setting::{Heading, Setting, settings};
use crate::settings::value::{Value, duration};

const RUN_LONG: &[Command] = &[
    Command::Tail,
    Command::Export,
    Command::Resume,
    Command::Replay,
    Command::Compare,
    #[cfg(feature = "demo")]
    Command::Demo,
];

settings! {
    METRICS_LISTEN: SocketAddr = Setting::new("metrics-listen", Value::new("ADDRESS", values::listen))
        .help("Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464")
        .details(
            "A port alone is one of the loopback address; 0.0.0.0:9464 serves other machines too. Whoever can \
             reach the address can read it: there are figures, but no documents, ids or secrets.",
        )
        .variable("COSMOS_TAIL_METRICS_LISTEN")
        .profile_option()
        .of(RUN_LONG)
        .under(Heading::Monitoring)
        .in_full();

    METRICS_PER_RANGE: bool = Setting::switch("metrics-per-range")
        .help("Add metrics of each feed range; a container can have thousands")
        .profile_option()
        .of(RUN_LONG)
        .under(Heading::Monitoring)
        .in_full();

    HEALTH_TIMEOUT: Duration = Setting::new("health-timeout", duration())
        .help("/healthz is 503 once the account has not answered a request for this long, retries included")
        .default("1m")
        .profile_option()
        .of(RUN_LONG)
        .under(Heading::Monitoring)
        .in_full();
}
