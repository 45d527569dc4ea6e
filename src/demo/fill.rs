//! The documents of the start.
//!
//! They are created while the account is used already. Their LSNs are promised before: the feed has its first
//! page at once and its end from the beginning, and its positions are the same in every process.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use azure_core::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use super::documents::{customer_id, document};
use super::log::{ContainerLog, Key};
use super::orders::{self, CONTAINER, DATABASE};
use super::recorder::{Filling, Recorder};
use super::transaction::Effect;
use crate::clock;

/// How many documents are created before a reader gets its turn.
const CHUNK: u32 = 50;

/// The number of the first document in its resource id, where the emulator does not create them: beyond those of
/// the documents that it creates later.
const FIRST_NUMBER: u64 = 1 << 32;

/// The documents of the start, promised and on their way.
pub(super) struct Fill {
    recorder: Arc<Recorder>,
    documents: u32,
}

impl Fill {
    /// Promises the documents.
    ///
    /// # Errors
    ///
    /// If there is no such container.
    pub(super) async fn begin(recorder: &Arc<Recorder>, documents: u32) -> Result<Self> {
        let mut log = recorder.log_mut().await;
        let log = log.get_mut(DATABASE, CONTAINER);
        let log = log.context("the demo container does not exist")?;
        log.forget_changes();
        if documents as usize > recorder.max_emulated() {
            log.set_large();
        }
        let mut epks = HashMap::new();
        for number in 0..documents {
            let customer = customer_id(number);
            let epk = match epks.get(&customer) {
                Some(epk) => epk,
                None => {
                    let key = Key::of_header(&orders::partition_key(&customer))?;
                    let (epk, _) = log
                        .keys()
                        .hashes(&key.context("an order has a customer")?)?;
                    epks.entry(customer).or_insert(epk)
                }
            };
            log.promise(epk);
        }
        recorder.report(Filling::Running(0));
        Ok(Self {
            recorder: Arc::clone(recorder),
            documents,
        })
    }

    /// Creates the documents.
    pub(super) async fn run(self) {
        let filling = match self.create().await {
            Ok(()) => Filling::Done,
            Err(error) => {
                tracing::error!("{error:#}");
                Filling::Failed
            }
        };
        self.recorder.report(filling);
    }

    async fn create(&self) -> Result<()> {
        let path = orders::docs_path(None);
        let properties = self.recorder.properties(DATABASE, CONTAINER).await?;
        let is_large = self.documents as usize > self.recorder.max_emulated();
        for first in (0..self.documents).step_by(CHUNK as usize) {
            let numbers = first..self.documents.min(first.saturating_add(CHUNK));
            let end = numbers.end;
            if is_large {
                let documents = numbers.map(|number| stored(number, &properties));
                let documents = documents.collect::<Result<_>>()?;
                self.recorder
                    .fill_log(DATABASE, CONTAINER, documents)
                    .await?;
            } else {
                let requests =
                    numbers.map(|number| orders::write(Method::Post, &path, document(number, 0)));
                self.recorder.fill(requests.collect()).await?;
            }
            self.recorder.report(Filling::Running(end));
            tokio::task::yield_now().await;
        }
        // The changes that made them are not to be seen: they are no changes to the reader.
        self.recorder
            .with_log(DATABASE, CONTAINER, ContainerLog::keep_changes)
            .await;
        Ok(())
    }
}

/// The partition key and the document with this number as the emulator would store it in the container with these
/// properties.
fn stored(number: u32, properties: &Value) -> Result<(String, Effect)> {
    let document = document(number, 0);
    let of_container = |name: &str| properties[name].as_str().context("a container has these");
    let mut value: Value = serde_json::from_str(&document.json)?;
    normalize(&mut value);
    let members = value.as_object_mut().context("a document is an object")?;
    let mut rid = STANDARD.decode(of_container("_rid")?.replace('-', "/"))?;
    rid.extend((FIRST_NUMBER + u64::from(number)).to_le_bytes());
    let rid = STANDARD.encode(rid).replace('/', "-");
    let time = u64::try_from(clock::now().unix_timestamp()).unwrap_or_default();
    let of_document = format!("{}docs/{rid}/", of_container("_self")?);
    members.insert("_rid".to_owned(), rid.into());
    members.insert("_self".to_owned(), of_document.into());
    members.insert("_etag".to_owned(), format!("\"{}\"", Uuid::now_v7()).into());
    members.insert("_ts".to_owned(), time.into());
    members.insert("_attachments".to_owned(), "attachments/".into());
    let key = orders::partition_key(&document.customer_id);
    let effect = Effect::Put {
        id: document.id,
        time,
        document: serde_json::to_vec(&value)?.into(),
    };
    Ok((key, effect))
}

/// Makes integers of the floats that are integers, as the service does.
fn normalize(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0);
            // The bounds are powers of two, which both kinds of numbers have exactly.
            match float {
                Some(float) if (0.0..18_446_744_073_709_551_616.0).contains(&float) => {
                    *number = (float as u64).into();
                }
                Some(float) if (-9_223_372_036_854_775_808.0..0.0).contains(&float) => {
                    *number = (float as i64).into();
                }
                _ => {}
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize),
        Value::Object(members) => members.values_mut().for_each(normalize),
        _ => {}
    }
}
