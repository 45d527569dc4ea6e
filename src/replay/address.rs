//! Comparing and naming containers.

use crate::feed::ContainerAddress;

/// Whether these are the same container of the same account.
pub(super) fn same_container(a: &ContainerAddress, b: &ContainerAddress) -> bool {
    a.endpoint == b.endpoint && a.container_rid == b.container_rid
}

/// A container, as messages name it.
pub(super) fn describe(container: &ContainerAddress) -> String {
    format!(
        "{}/{} of {} (RID {})",
        container.database, container.container, container.endpoint, container.container_rid
    )
}
