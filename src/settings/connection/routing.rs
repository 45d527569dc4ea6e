//! Which of an account's addresses requests are sent to.

use anyhow::Result;

use super::request::ConnectionRequest;
use crate::cosmos::options::Routing;
use crate::error::usage;
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::table::{LIMIT_TO_ENDPOINT, REGION};

/// The flags, otherwise the options of the profile in effect. What is given is added to `values`.
///
/// # Errors
///
/// A usage error if a profile wants both.
pub(super) fn resolve(
    request: &ConnectionRequest<'_>,
    values: &mut Vec<ResolvedValue>,
) -> Result<Routing> {
    let typed = request.args;
    let profile = request.profile.map(|chosen| chosen.profile);
    let of_profile = |name| Some((profile?.options.text(name)?, &profile?.name));
    let limit = of_profile(LIMIT_TO_ENDPOINT.row.name).filter(|(text, _)| *text == "true");
    let regions = of_profile(REGION.row.name);
    let mut routing = Routing::default();
    // One of them on the command line replaces the other of the profile.
    if typed.limit_to_endpoint {
        routing.limit_to_endpoint = true;
        let origin = Origin::Flag(LIMIT_TO_ENDPOINT.row.name);
        values.push(ResolvedValue::new(LIMIT_TO_ENDPOINT.row.name, "", origin));
    } else if !typed.regions.is_empty() {
        routing.regions.clone_from(&typed.regions);
        let origin = Origin::Flag(REGION.row.name);
        let shown = routing.regions.join(",");
        values.push(ResolvedValue::new(REGION.row.name, shown, origin));
    } else if let (Some((_, name)), Some(_)) = (limit, regions) {
        return Err(usage(
            format!("the profile `{name}` has both limit-to-endpoint and region"),
            "with limit-to-endpoint the endpoint decides the region: remove one of them",
        ));
    } else if let Some((_, name)) = limit {
        routing.limit_to_endpoint = true;
        let origin = Origin::Profile(name.clone());
        values.push(ResolvedValue::new(LIMIT_TO_ENDPOINT.row.name, "", origin));
    } else if let Some((text, name)) = regions {
        // The profile was checked when it was read.
        routing.regions = REGION.value.parse(text).unwrap_or_default();
        let origin = Origin::Profile(name.clone());
        values.push(ResolvedValue::new(REGION.row.name, text, origin));
    }
    Ok(routing)
}
