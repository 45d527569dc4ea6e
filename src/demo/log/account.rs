//! The logs of an account's containers.

use std::collections::HashMap;

use super::container::ContainerLog;

/// The log of each container, by the names of its database and its own.
#[derive(Default)]
pub(in crate::demo) struct AccountLog {
    containers: HashMap<(String, String), ContainerLog>,
}

impl AccountLog {
    pub(in crate::demo) fn get(&self, database: &str, container: &str) -> Option<&ContainerLog> {
        // A borrowed pair is no key of this map, and an account has few containers.
        let key = (database.to_owned(), container.to_owned());
        self.containers.get(&key)
    }

    pub(in crate::demo) fn get_mut(
        &mut self,
        database: &str,
        container: &str,
    ) -> Option<&mut ContainerLog> {
        let key = (database.to_owned(), container.to_owned());
        self.containers.get_mut(&key)
    }

    /// Adds the log of a new container. One of the same name is gone, and its log with it.
    pub(in crate::demo) fn insert(&mut self, database: &str, container: &str, log: ContainerLog) {
        let key = (database.to_owned(), container.to_owned());
        self.containers.insert(key, log);
    }

    pub(in crate::demo) fn remove(&mut self, database: &str, container: &str) {
        let key = (database.to_owned(), container.to_owned());
        self.containers.remove(&key);
    }

    pub(in crate::demo) fn remove_database(&mut self, database: &str) {
        self.containers.retain(|(of, _), _| of != database);
    }

    pub(in crate::demo) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (&(String, String), &mut ContainerLog)> {
        self.containers.iter_mut()
    }

    pub(in crate::demo) fn iter(&self) -> impl Iterator<Item = &ContainerLog> {
        self.containers.values()
    }
}
