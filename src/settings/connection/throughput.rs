//! How the service weighs the requests of this program against those of others.

use clap::ValueEnum;

use super::ConnectionRequest;
use crate::cli::Priority;
use crate::cosmos::options::{RequestPriority, ThroughputControl};
use crate::settings::resolved::{Origin, ResolvedValue};

/// The flags, or else the options of the profile in effect. What is given is put into `values`.
pub(super) fn resolve(
    request: &ConnectionRequest<'_>,
    values: &mut Vec<ResolvedValue>,
) -> ThroughputControl {
    let profile = request.profile.map(|chosen| chosen.profile);
    let options = profile.map(|profile| profile.options).unwrap_or_default();
    let origin = |is_typed: bool, flag| match profile {
        Some(profile) if !is_typed => Origin::Profile(profile.name.clone()),
        _ => Origin::Flag(flag),
    };
    let typed = request.args;
    let bucket = typed.throughput_bucket.or(options.throughput_bucket);
    let priority = typed.priority.or(options.priority);
    if let Some(number) = bucket {
        let origin = origin(typed.throughput_bucket.is_some(), "--throughput-bucket");
        let value = ResolvedValue::new("throughput-bucket", number.to_string(), origin);
        values.push(value);
    }
    if let Some(level) = priority {
        let origin = origin(typed.priority.is_some(), "--priority");
        values.push(ResolvedValue::new("priority", name_of(level), origin));
    }
    ThroughputControl {
        bucket,
        priority: priority.map(RequestPriority::from),
    }
}

impl From<Priority> for RequestPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Low => Self::Low,
        }
    }
}

/// The name of a priority, as it is typed.
pub(in crate::settings) fn name_of(priority: Priority) -> String {
    let name = priority.to_possible_value();
    name.map_or_else(String::new, |value| value.get_name().to_owned())
}
