//! The service's list of the partition key ranges of a container, and which container a request is for.

use azure_core::http::Method;
use azure_data_cosmos_driver::test::HttpRequest;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;

use crate::feed::{FeedRange, ensure_tiling};

/// What is read of a list.
#[derive(Debug, Deserialize)]
pub(super) struct RangeList {
    /// The RID of the container.
    #[serde(default, rename = "_rid")]
    pub(super) container: String,
    #[serde(rename = "PartitionKeyRanges")]
    pub(super) ranges: Vec<ListedRange>,
}

/// A range of a list.
#[derive(Debug, Deserialize)]
pub(super) struct ListedRange {
    pub(super) id: String,
    #[serde(rename = "minInclusive")]
    min_inclusive: String,
    #[serde(rename = "maxExclusive")]
    max_exclusive: String,
    /// The ids of the ranges that it was split or merged from.
    #[serde(default)]
    pub(super) parents: Option<Vec<String>>,
}

impl RangeList {
    /// Parses the body of an answer; `None` if it is not a list.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Whether its ranges cover a container, so it is complete.
    pub(super) fn is_complete(&self) -> bool {
        let ranges: Vec<FeedRange> = self
            .ranges
            .iter()
            .map(|range| FeedRange {
                min_inclusive: range.min_inclusive.clone(),
                max_exclusive: range.max_exclusive.clone(),
            })
            .collect();
        ensure_tiling(&FeedRange::full(), &ranges).is_ok()
    }
}

/// A container by its names, as people write them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ContainerName {
    database: String,
    container: String,
}

impl ContainerName {
    pub(super) fn new(database: &str, container: &str) -> Self {
        Self {
            database: database.to_owned(),
            container: container.to_owned(),
        }
    }
}

/// The container that an address names: `/dbs/D/colls/C`, or anything below it.
pub(super) fn container_of(url: &Url) -> Option<ContainerName> {
    let segments = segments(url)?;
    let ["dbs", database, "colls", container, ..] = segments[..] else {
        return None;
    };
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
    Some(ContainerName::new(&decoded(database), &decoded(container)))
}

/// Whether the request reads `/dbs/D/colls/C`.
pub(super) fn reads_container(request: &HttpRequest) -> bool {
    request.method == Method::Get
        && matches!(
            segments(&request.url).as_deref(),
            Some(["dbs", _, "colls", _])
        )
}

/// Whether the request reads a list, `/dbs/D/colls/C/pkranges`.
pub(super) fn reads_list(request: &HttpRequest) -> bool {
    request.method == Method::Get
        && matches!(
            segments(&request.url).as_deref(),
            Some(["dbs", _, "colls", _, "pkranges"])
        )
}

fn segments(url: &Url) -> Option<Vec<&str>> {
    Some(url.path_segments()?.filter(|s| !s.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::requests::read_of;
    use super::*;

    fn list(ranges: &[(&str, &str)]) -> RangeList {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(min, max)| {
                serde_json::json!({ "id": "0", "minInclusive": min, "maxExclusive": max })
            })
            .collect();
        let json = serde_json::json!({ "_rid": "x", "PartitionKeyRanges": ranges });
        RangeList::parse(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_list_is_complete_if_its_ranges_cover_the_container() {
        assert!(list(&[("", "FF")]).is_complete());
        assert!(list(&[("20", "FF"), ("", "20")]).is_complete());
        for part in [
            &[("", "20")][..],
            &[("20", "FF")],
            &[("", "20"), ("30", "FF")],
            &[("", "30"), ("20", "FF")],
            &[("", "FF"), ("", "20"), ("20", "FF")],
            &[],
        ] {
            assert!(!list(part).is_complete(), "{part:?}");
        }
        assert!(RangeList::parse(b"no list").is_none());
    }

    #[test]
    fn an_address_names_a_container() {
        for (path, expected) in [
            ("/dbs/d/colls/c", Some(("d", "c"))),
            ("/dbs/d%20%C3%BC/colls/c%25/docs/x", Some(("d ü", "c%"))),
            ("/dbs/d", None),
            ("/", None),
        ] {
            let expected = expected.map(|(database, name)| ContainerName::new(database, name));
            assert_eq!(container_of(&read_of(path, &[]).url), expected, "{path}");
        }
    }

    #[test]
    fn requests_for_a_container_or_its_list_are_recognized_by_path() {
        for (path, container, list) in [
            ("/", false, false),
            ("/dbs/d", false, false),
            ("/dbs/d/colls/c", true, false),
            ("/dbs/d/colls/c/", true, false),
            ("/dbs/d/colls/c/pkranges", false, true),
            ("/dbs/d/colls/c/docs", false, false),
            ("/dbs/d/colls/c/docs/pkranges", false, false),
        ] {
            let read = read_of(path, &[]);
            let found = (reads_container(&read), reads_list(&read));
            assert_eq!(found, (container, list), "{path}");
            let write = HttpRequest {
                method: Method::Post,
                ..read
            };
            assert!(!reads_container(&write) && !reads_list(&write), "{path}");
        }
    }
}
