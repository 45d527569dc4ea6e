//! A page of the latest versions as changes of a snapshot, so that it fits among the changes that come after it.

use bytes::Bytes;

use super::error::PageError;
use super::item::ItemRef;
use super::metadata::SNAPSHOT;
use super::parse::Page;

/// About what an envelope adds to a document.
const ENVELOPE: usize = 96;

impl Page {
    /// The page with each document in an envelope of ours, whose operation is `snapshot` and whose LSN and time are
    /// those of the document's last change. The documents are unchanged, to the byte.
    ///
    /// # Errors
    ///
    /// If the page were longer than one may be.
    pub fn into_snapshot(self) -> Result<Self, PageError> {
        if self.is_empty() {
            return Ok(self);
        }
        let mut body = Vec::with_capacity(self.body_len() + self.len() * ENVELOPE);
        body.extend_from_slice(b"{\"Documents\":[");
        let mut separator: &[u8] = b"";
        for item in self.items() {
            let Some(document) = item.document() else {
                continue;
            };
            body.extend_from_slice(separator);
            write_envelope(item, document, &mut body);
            separator = b",";
        }
        body.extend_from_slice(b"]}");
        Self::parse(Bytes::from(body))
    }
}

fn write_envelope(item: ItemRef<'_>, document: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"current\":");
    out.extend_from_slice(document);
    out.extend_from_slice(b",\"metadata\":{\"operationType\":\"");
    out.extend_from_slice(SNAPSHOT);
    out.push(b'"');
    let members = [
        ("lsn", item.lsn().map(|lsn| lsn.to_string())),
        ("crts", item.seconds().map(|seconds| seconds.to_string())),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
        }
    }
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::page::OperationType;

    fn snapshot(items: &str) -> Page {
        let body = format!("{{\"_rid\":\"r\",\"Documents\":[{items}],\"_count\":9}}");
        let page = Page::parse(Bytes::from(body)).unwrap();
        page.into_snapshot().unwrap()
    }

    #[test]
    fn each_document_is_unchanged_in_an_envelope_with_its_lsn_and_time() {
        let document = "{\"id\" : \"1\",\"n\":1.10,\"_ts\":1700000000,\n\"_lsn\":7}";
        let enveloped = format!("{{\"metadata\":{{\"lsn\":8,\"crts\":5}},\"current\":{document}}}");
        for (item, lsn, seconds) in [(document.to_owned(), 7, 1_700_000_000), (enveloped, 8, 5)] {
            let page = snapshot(&item);
            page.check().unwrap();
            let items: Vec<_> = page.items().collect();
            assert_eq!(items.len(), 1);
            assert_eq!(items[0].document(), Some(document.as_bytes()));
            assert!(items[0].has_line_break());
            let metadata = items[0].metadata().unwrap();
            assert_eq!(metadata.operation_type, Some(OperationType::Snapshot));
            assert_eq!(metadata.operation, Some(&b"\"snapshot\""[..]));
            assert_eq!(metadata.lsn, Some(lsn));
            assert_eq!(metadata.crts, Some(seconds));
        }
    }

    #[test]
    fn documents_that_look_like_envelopes_stay_documents() {
        // A member of a document may have any name.
        let document = "{\"id\":\"1\",\"current\":{},\"metadata\":{\"operationType\":\"delete\"}}";
        let page = snapshot(&format!("{document},{{\"id\":\"2\"}}"));
        let documents: Vec<_> = page.items().map(|item| item.document()).collect();
        assert_eq!(
            documents,
            [Some(document.as_bytes()), Some(&b"{\"id\":\"2\"}"[..])]
        );
        assert!(Page::default().into_snapshot().unwrap().is_empty());
    }
}
