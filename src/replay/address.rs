//! Comparing and naming containers.

use crate::feed::ContainerAddress;

/// Whether a state of `own` is of the container `found`. An account that `has_moved` may have another address.
pub(super) fn is_state_of(
    own: &ContainerAddress,
    found: &ContainerAddress,
    has_moved: bool,
) -> bool {
    if has_moved {
        own.container_rid == found.container_rid
    } else {
        same_container(own, found)
    }
}

/// Whether these are the same container of the same account.
pub(crate) fn same_container(a: &ContainerAddress, b: &ContainerAddress) -> bool {
    a.endpoint == b.endpoint && a.container_rid == b.container_rid
}

/// A container, as messages name it. One that does not exist has no RID.
pub(crate) fn describe(container: &ContainerAddress) -> String {
    let (database, name) = (&container.database, &container.container);
    let place = format!("{database}/{name} of {}", container.endpoint);
    match container.container_rid.as_str() {
        "" => place,
        rid => format!("{place} (RID {rid})"),
    }
}
