//! How the service weighs the requests of this program against those of others.

use super::request::ConnectionRequest;
use crate::cli::choices::Priority;
use crate::cosmos::options::{RequestPriority, ThroughputControl};
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::setting::Setting;
use crate::settings::table::{PRIORITY, THROUGHPUT_BUCKET};

/// The flags, otherwise the options of the profile in effect. Each that is given is added to `values`.
pub(super) fn resolve(
    request: &ConnectionRequest<'_>,
    values: &mut Vec<ResolvedValue>,
) -> ThroughputControl {
    let typed = request.args;
    let bucket = found(request, &THROUGHPUT_BUCKET, typed.throughput_bucket, values);
    let priority = found(request, &PRIORITY, typed.priority, values);
    ThroughputControl {
        bucket,
        priority: priority.map(RequestPriority::from),
    }
}

fn found<T: Clone + Send + Sync + 'static>(
    request: &ConnectionRequest<'_>,
    setting: &Setting<T>,
    typed: Option<T>,
    values: &mut Vec<ResolvedValue>,
) -> Option<T> {
    let name = setting.row.name;
    let of_profile = || {
        let profile = request.profile?.profile;
        let value = setting.value.parse(profile.options.text(name)?).ok()?;
        Some((value, Origin::Profile(profile.name.clone())))
    };
    let typed = typed.map(|value| (value, Origin::Flag(name)));
    let (value, origin) = typed.or_else(of_profile)?;
    let shown = setting.value.show(&value).unwrap_or_default();
    values.push(ResolvedValue::new(name, shown, origin));
    Some(value)
}

impl From<Priority> for RequestPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Low => Self::Low,
        }
    }
}
