//! Queries over documents that the emulator does not have, evaluated by it.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Answer;
use super::emulator::Scratch;
use super::sql::Query;

/// How many bytes of documents the emulator gets in one document of its own, at most.
pub(super) const PART_BYTES: usize = 1 << 20;

/// The partition key of the documents that hold the others.
const KEY: &str = r#"["0"]"#;

/// Rows, or the answer to a query that cannot be evaluated.
pub(super) type Evaluated<T> = Result<T, Answer>;

/// A page of rows.
#[derive(Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Box<RawValue>>,
    pub(super) continuation: Option<String>,
}

/// The body of a query.
#[derive(Serialize)]
struct Asked<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

/// The body of an answer to a query.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rows {
    documents: Vec<Box<RawValue>>,
}

/// An emulator that evaluates queries over documents, which stay as they are: they are the elements of an array in
/// documents of its own, and a query is one over the array `items`.
pub(super) struct Evaluator {
    scratch: Scratch,
    parameters: Option<Box<RawValue>>,
}

impl Evaluator {
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) fn new(parameters: Option<Box<RawValue>>) -> Result<Self> {
        let scratch = Scratch::new("/pk".into())?;
        Ok(Self {
            scratch,
            parameters,
        })
    }

    async fn put(&self, number: usize, documents: &[&str]) -> Result<()> {
        let items = documents.join(",");
        let holder = format!(r#"{{"id":"{number:08}","pk":"0","items":[{items}]}}"#);
        self.scratch.put(holder.into(), KEY).await
    }

    /// The rows of a query over these documents alone.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn rows(
        &self,
        documents: &[&str],
        query: &str,
    ) -> Result<Evaluated<Vec<Box<RawValue>>>> {
        self.put(0, documents).await?;
        Ok(self.page(query, &[]).await?.map(|page| page.rows))
    }

    /// A page of the rows of a query over the documents that it holds.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn page(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Evaluated<Page>> {
        let body = serde_json::to_vec(&Asked {
            query,
            parameters: self.parameters.as_deref(),
        })?;
        let answer = self.scratch.query(headers, body.into()).await?;
        if !answer.is_success() {
            return Ok(Err(answer));
        }
        let continuation = answer.headers.get_optional_str(&"x-ms-continuation".into());
        let rows: Rows = serde_json::from_slice(&answer.body)?;
        Ok(Ok(Page {
            continuation: continuation.map(str::to_owned),
            rows: rows.documents,
        }))
    }

    /// Takes many documents, in holders of at most so many bytes, or of one document.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn hold(&self, documents: &[Box<RawValue>], max_bytes: usize) -> Result<()> {
        let (mut number, mut held, mut bytes) = (0, Vec::new(), 0);
        for document in documents {
            let document = document.get();
            if !held.is_empty() && bytes + document.len() > max_bytes {
                self.put(number, &held).await?;
                (number, bytes) = (number + 1, 0);
                held.clear();
            }
            bytes += document.len();
            held.push(document);
        }
        self.put(number, &held).await
    }
}

/// Whether a document has what a condition of a patch says, such as `FROM c WHERE c.number > 9`. The condition is in
/// the emulator's form of the text.
///
/// # Errors
///
/// If the emulator fails.
pub(super) async fn passes(document: &[u8], condition: &str) -> Result<Evaluated<bool>> {
    let text = format!("SELECT * {condition}");
    let Some(query) = Query::parse(&text).and_then(|query| query.of_items()) else {
        let message = "The condition of a patch is a clause FROM with a clause WHERE.";
        return Ok(Err(Answer::error(400, "BadRequest", message)));
    };
    let evaluator = Evaluator::new(None)?;
    let document = [std::str::from_utf8(document)?];
    let rows = evaluator.rows(&document, &query).await?;
    Ok(rows.map(|rows| !rows.is_empty()))
}
