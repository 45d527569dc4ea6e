//! The ids of a group's documents: what its leases, its marker and its lock are called.
//!
//! All ids of a group begin with its prefix: the name of the group, the host of the account, and the
//! database and the container that it reads, either by their RIDs or, in one dialect, by their names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What separates the prefix from the token of a lease.
pub(crate) const SEPARATOR: &str = "..";
/// The end of the id of a group's marker.
pub(crate) const MARKER: &str = ".info";
/// The end of the id of a group's lock.
pub(crate) const LOCK: &str = ".lock";
/// The end of the id of the document that says which copy a group feeds.
pub(crate) const COPY: &str = ".copy";

/// What a document is by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A lease, with this token.
    Lease(&'a str),
    /// The marker of a group whose leases have been created.
    Marker,
    /// The lock of a process that creates them.
    Lock,
    /// What says which copy the group feeds.
    Copy,
}

/// The prefix of a group in an id, and what the document is; `None` if it has nothing to do with leases.
pub(crate) fn of_id(id: &str) -> Option<(&str, Kind<'_>)> {
    // A token has no dots, and the name of a group may have several in a row.
    if let Some((prefix, token)) = id.rsplit_once(SEPARATOR)
        && !token.contains('.')
    {
        return Some((prefix, Kind::Lease(token)));
    }
    let ends = [
        (MARKER, Kind::Marker),
        (LOCK, Kind::Lock),
        (COPY, Kind::Copy),
    ];
    ends.into_iter()
        .find_map(|(end, kind)| Some((id.strip_suffix(end)?, kind)))
}

/// A container that may be monitored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) database: String,
    pub(crate) container: String,
    /// The RID of the container, which begins with that of its database.
    pub(crate) rid: String,
}

/// What the prefix of a group says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) text: String,
    /// The name of the group: the processor's name, or the lease prefix.
    pub(crate) name: String,
    pub(crate) target: Target,
}

/// The container that a prefix names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// By its RID.
    Rid(String),
    /// By the names of a database and a container, joined by an underscore that may be part of either.
    Names(String),
}

impl Prefix {
    /// What a prefix says. `host` is that of the account. A prefix of another host, such as that of a private
    /// endpoint, keeps it in its name.
    pub(crate) fn parse(text: &str, host: &str) -> Option<Self> {
        let (head, target) = if let Some((head, rid)) = rids(text) {
            (head, Target::Rid(rid))
        } else {
            let at = text.rfind(&format!("{host}_"))? + host.len();
            (&text[..at], Target::Names(text[at + 1..].to_owned()))
        };
        Some(Self {
            text: text.to_owned(),
            name: head.strip_suffix(host).unwrap_or(head).to_owned(),
            target,
        })
    }

    /// The prefix of a group of this name; or the name, if it is a prefix of this container, which may have another
    /// host.
    pub(crate) fn named(name: &str, host: &str, container_rid: &str) -> Option<Self> {
        let is_whole = rids(name).is_some_and(|(_, rid)| rid == container_rid);
        if is_whole {
            return Self::parse(name, host);
        }
        Self::new(name, host, container_rid)
    }

    /// The prefix of a group of this name, with RIDs.
    pub(crate) fn new(name: &str, host: &str, container_rid: &str) -> Option<Self> {
        let database = database_of(container_rid)?;
        Some(Self {
            text: format!("{name}{host}_{database}_{container_rid}"),
            name: name.to_owned(),
            target: Target::Rid(container_rid.to_owned()),
        })
    }

    /// Which of the containers it names.
    pub(crate) fn find<'a>(&self, places: &'a [Place]) -> Option<&'a Place> {
        places.iter().find(|place| match &self.target {
            Target::Rid(rid) => *rid == place.rid,
            Target::Names(names) => *names == format!("{}_{}", place.database, place.container),
        })
    }

    /// Whether `text` names this group: its name, or all of its prefix.
    pub(crate) fn is_named(&self, text: &str) -> bool {
        self.name == text || self.text == text
    }

    /// The id of the lease with this token.
    pub(crate) fn lease(&self, token: &str) -> String {
        format!("{}{SEPARATOR}{token}", self.text)
    }

    /// The id of the marker.
    pub(crate) fn marker(&self) -> String {
        format!("{}{MARKER}", self.text)
    }

    /// The id of the lock.
    pub(crate) fn lock(&self) -> String {
        format!("{}{LOCK}", self.text)
    }

    /// The id of the document that says which copy it feeds.
    pub(crate) fn copy(&self) -> String {
        format!("{}{COPY}", self.text)
    }
}

/// The RIDs that a prefix ends with, and what comes before them.
fn rids(text: &str) -> Option<(&str, String)> {
    let (rest, container) = text.rsplit_once('_')?;
    let (head, database) = rest.rsplit_once('_')?;
    (database_of(container)? == database).then(|| (head, container.to_owned()))
}

/// The RID of the database of the container with this RID: its first four bytes.
pub(crate) fn database_of(container: &str) -> Option<String> {
    let bytes = STANDARD.decode(container.replace('-', "/")).ok()?;
    let database = (bytes.len() == 8).then(|| STANDARD.encode(&bytes[..4]))?;
    Some(database.replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "shop.documents.azure.com";

    #[test]
    fn an_id_says_what_a_document_is() {
        for (id, expected) in [
            ("p..0", Some(("p", Kind::Lease("0")))),
            ("p..-FF", Some(("p", Kind::Lease("-FF")))),
            ("a..b..7", Some(("a..b", Kind::Lease("7")))),
            ("p..", Some(("p", Kind::Lease("")))),
            ("p.info", Some(("p", Kind::Marker))),
            ("p.lock", Some(("p", Kind::Lock))),
            ("p.copy", Some(("p", Kind::Copy))),
            ("a..b.info", Some(("a..b", Kind::Marker))),
            ("a..b.lock", Some(("a..b", Kind::Lock))),
            ("a..b.copy", Some(("a..b", Kind::Copy))),
            ("a..b.c", None),
            ("order-7", None),
            ("a.b", None),
        ] {
            assert_eq!(of_id(id), expected, "{id}");
        }
    }

    #[test]
    fn a_prefix_names_its_group_and_its_container() {
        let with_rids = format!("orders{HOST}_nMNRAA==_nMNRAKUxYpc=");
        let prefix = Prefix::parse(&with_rids, HOST).unwrap();
        assert_eq!(prefix.name, "orders");
        assert_eq!(prefix.target, Target::Rid("nMNRAKUxYpc=".to_owned()));
        assert_eq!(
            Prefix::new("orders", HOST, "nMNRAKUxYpc="),
            Some(prefix.clone())
        );
        let other_host = "ordershere_nMNRAA==_nMNRAKUxYpc=";
        let named = |name: &str| Prefix::named(name, HOST, "nMNRAKUxYpc=");
        assert_eq!(named("orders"), Some(prefix));
        assert_eq!(named(other_host).unwrap().text, other_host);

        // Names may contain what separates them.
        let names = format!("my_orders{HOST}_my_shop_all_orders");
        let prefix = Prefix::parse(&names, HOST).unwrap();
        assert_eq!(prefix.name, "my_orders");
        let place = |database: &str, container: &str| Place {
            database: database.to_owned(),
            container: container.to_owned(),
            rid: "nMNRAKUxYpc=".to_owned(),
        };
        let places = [place("my", "shop"), place("my_shop", "all_orders")];
        assert_eq!(prefix.find(&places), Some(&places[1]));

        // Another host is not told from the name, and a name may be empty.
        let other = Prefix::parse("orders10.0.0.7_nMNRAA==_nMNRAKUxYpc=", HOST).unwrap();
        assert_eq!(other.name, "orders10.0.0.7");
        assert!(other.is_named("orders10.0.0.7"));
        assert!(other.is_named("orders10.0.0.7_nMNRAA==_nMNRAKUxYpc="));
        let empty = Prefix::parse(&format!("{HOST}_nMNRAA==_nMNRAKUxYpc="), HOST).unwrap();
        assert!(empty.is_named(""));
        // The RID of another database's container is none.
        assert_eq!(Prefix::parse("orders_x_y", HOST), None);
        assert_eq!(Prefix::parse("o_oMNRAA==_nMNRAKUxYpc=", HOST), None);
    }
}
