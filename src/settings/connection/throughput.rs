//! How the service is to weigh the requests of this program against those of others.

use clap::ValueEnum;

use super::ConnectionRequest;
use crate::cli::Priority;
use crate::settings::resolved::{Origin, ResolvedValue};

/// What is said of it with every request to a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThroughputPlan {
    /// The throughput bucket of the container, 1 to 5, that is drawn on; none draws on the whole.
    pub bucket: Option<u32>,
    /// The priority; none is what the account has by default.
    pub priority: Option<Priority>,
}

impl ThroughputPlan {
    /// The flags, or else the options of the profile in effect. What is given is put into `values`.
    pub(super) fn resolve(
        request: &ConnectionRequest<'_>,
        values: &mut Vec<ResolvedValue>,
    ) -> Self {
        let profile = request.profile.map(|chosen| chosen.profile);
        let options = profile.map(|profile| profile.options).unwrap_or_default();
        let origin = |is_typed: bool, flag| match profile {
            Some(profile) if !is_typed => Origin::Profile(profile.name.clone()),
            _ => Origin::Flag(flag),
        };
        let bucket = request.args.throughput_bucket;
        let priority = request.args.priority;
        let plan = Self {
            bucket: bucket.or(options.throughput_bucket),
            priority: priority.or(options.priority),
        };
        if let Some(number) = plan.bucket {
            let origin = origin(bucket.is_some(), "--throughput-bucket");
            let value = ResolvedValue::new("throughput-bucket", number.to_string(), origin);
            values.push(value);
        }
        if let Some(level) = plan.priority {
            let name = name_of(level);
            values.push(ResolvedValue::new(
                "priority",
                name,
                origin(priority.is_some(), "--priority"),
            ));
        }
        plan
    }
}

/// The name of a priority, as it is typed.
pub(in crate::settings) fn name_of(priority: Priority) -> String {
    let name = priority.to_possible_value();
    name.map_or_else(String::new, |value| value.get_name().to_owned())
}
