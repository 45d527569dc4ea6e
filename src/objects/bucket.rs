//! The objects below an address, by calls that block.

use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::address::{Address, Store};
use super::clients::{Client, TIMEOUT, TIMEOUT_ONCE, client, region_of, upload_life};
use super::explain::{explained, is_missing_container, is_of_another_region};
use super::transport::StoreClock;
use crate::error::with_hint;
use crate::failpoint;

/// Parts under way at a time.
const UPLOADS: usize = 8;

/// Bytes of an object that are read at a time.
const READ_BYTES: u64 = 4 << 20;

/// The objects below an address.
#[derive(Debug)]
pub struct Bucket {
    address: Address,
    /// For calls that can be repeated.
    store: Client,
    /// For calls whose answer must be known: it repeats nothing.
    once: Client,
    clock: Arc<StoreClock>,
    slots: Arc<Semaphore>,
    /// Bytes that writers hold back.
    held: Arc<AtomicUsize>,
}

/// An object that was read.
#[derive(Debug)]
pub struct Found {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its version.
    pub version: String,
}

/// The outcome of putting an object.
#[derive(Debug)]
pub enum PutOutcome {
    /// It is there, with this version.
    Done(String),
    /// Another version is there than the one expected.
    Conflict,
    /// The answer was lost.
    Unclear(anyhow::Error),
}

/// A part that is being uploaded.
#[derive(Debug)]
pub struct UploadedPiece(mpsc::Receiver<Result<String>>);

impl UploadedPiece {
    /// Waits for its acknowledgement: the id of the part.
    ///
    /// # Errors
    ///
    /// If it could not be uploaded.
    pub fn wait(self) -> Result<String> {
        self.0.recv().context("an upload ended unexpectedly")?
    }
}

impl Bucket {
    /// The objects below `address`. Nothing is requested yet.
    ///
    /// # Errors
    ///
    /// If the environment does not say how to reach the account.
    pub fn open(address: &Address) -> Result<Self> {
        let once = RetryConfig {
            max_retries: 0,
            ..retries()
        };
        let clock = Arc::default();
        Ok(Self {
            address: address.clone(),
            store: client(address, &clock, retries(), TIMEOUT)?,
            once: client(address, &clock, once, TIMEOUT_ONCE)?,
            clock,
            slots: Arc::new(Semaphore::new(UPLOADS)),
            held: Arc::default(),
        })
    }

    /// The same objects, as those of another address of the place: with the same clients, and bounded together.
    pub fn of(&self, address: &Address) -> Self {
        Self {
            address: address.clone(),
            store: Client::clone(&self.store),
            once: Client::clone(&self.once),
            clock: self.clock.clone(),
            slots: Arc::clone(&self.slots),
            held: Arc::clone(&self.held),
        }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The least that a part of an upload has, except for the last one; none if that does not matter.
    pub fn min_part(&self) -> Option<usize> {
        match self.address.store() {
            Store::Azure => None,
            Store::S3 => Some(5 << 20),
        }
    }

    /// Whether it is certain that writes have the conditions that they are given. Some stores that speak as S3 does
    /// ignore them.
    pub fn honours_conditions(&self) -> bool {
        self.address.store() == Store::Azure
    }

    /// The present by the clock of the store, or a little before it: the latest time in its answers.
    pub fn store_time(&self) -> Option<OffsetDateTime> {
        self.clock.latest()
    }

    /// How long the store keeps an upload at the least that is not completed; none if that is not known.
    pub fn upload_life(&self) -> Option<Duration> {
        upload_life(&self.address)
    }

    /// The bytes that all writers hold back.
    pub fn held(&self) -> &AtomicUsize {
        &self.held
    }

    fn path(&self, name: &str) -> Path {
        path_of(&format!("{}/{name}", self.address.path()))
    }

    /// Reads an object; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If that cannot be found out.
    pub fn get(&self, name: &str) -> Result<Option<Found>> {
        let path = self.path(name);
        let store = self.store.clone();
        let found = wait(async move {
            let found = store.get(&path).await?;
            let version = found.meta.e_tag.clone();
            Ok((found.bytes().await?, version))
        });
        let found = self.there("read", name, found)?;
        found
            .map(|(bytes, version)| {
                let version = version.context("the store names no version")?;
                Ok(Found { bytes, version })
            })
            .transpose()
    }

    /// The length of an object; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If that cannot be found out.
    pub fn length(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name);
        let store = self.store.clone();
        let found = wait(async move { store.head(&path).await });
        let found = self.there("look at", name, found)?;
        Ok(found.map(|found| found.size))
    }

    /// Whether an object exists, by one request. If that fails, it may.
    pub fn may_have(&self, name: &str) -> bool {
        let path = self.path(name);
        let store = self.once.clone();
        !matches!(
            wait(async move { store.head(&path).await }),
            Err(Error::NotFound { .. })
        )
    }

    /// Opens an object; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If that cannot be found out.
    pub fn reader(self: &Arc<Self>, name: &str) -> Result<Option<ObjectReader>> {
        let length = self.length(name)?;
        Ok(length.map(|length| ObjectReader {
            bucket: Arc::clone(self),
            name: name.to_owned(),
            length,
            position: 0,
            block: Bytes::new(),
            block_at: 0,
        }))
    }

    /// The names below the address that begin with `under`, with their lengths, in their order.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub fn list(&self, under: &str) -> Result<Vec<(String, u64)>> {
        let prefix = self.path(under);
        let store = self.store.clone();
        let listed = wait(async move { store.list(Some(&prefix)).try_collect::<Vec<_>>().await });
        self.named(under, listed)
    }

    /// The same, of those whose names come after this one: the store leaves the others out.
    ///
    /// # Errors
    ///
    /// As of [`list`](Self::list).
    pub fn list_after(&self, under: &str, after: &str) -> Result<Vec<(String, u64)>> {
        let prefix = self.path(under);
        let after = self.path(after);
        let store = self.store.clone();
        let listed = wait(async move {
            let listed = store.list_with_offset(Some(&prefix), &after);
            listed.try_collect::<Vec<_>>().await
        });
        self.named(under, listed)
    }

    /// The objects of a listing, by their names below the address, in their order.
    fn named(
        &self,
        under: &str,
        listed: object_store::Result<Vec<ObjectMeta>>,
    ) -> Result<Vec<(String, u64)>> {
        let listed = listed.map_err(|error| self.explain("list", under, error))?;
        let own = format!("{}/", self.address.path());
        let names = listed.into_iter().filter_map(|object| {
            let name = object.location.as_ref().strip_prefix(&own)?;
            Some((name.to_owned(), object.size))
        });
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Puts an object in place of the version `expected`; `None` if there must be none.
    ///
    /// # Errors
    ///
    /// If it is certain that nothing has changed.
    pub fn put(
        &self,
        step: &'static str,
        name: &str,
        bytes: Vec<u8>,
        expected: Option<&str>,
    ) -> Result<PutOutcome> {
        self.put_as(
            step,
            name,
            bytes,
            match expected {
                None => PutMode::Create,
                Some(version) => PutMode::Update(UpdateVersion {
                    e_tag: Some(version.to_owned()),
                    version: None,
                }),
            },
        )
    }

    /// The same; in place of whatever is there, if the store says that it has no conditional writes.
    ///
    /// # Errors
    ///
    /// As of [`put`](Self::put).
    pub fn put_where_possible(
        &self,
        step: &'static str,
        name: &str,
        bytes: Vec<u8>,
        expected: Option<&str>,
    ) -> Result<PutOutcome> {
        let put = self.put(step, name, bytes.clone(), expected);
        let (Ok(PutOutcome::Unclear(error)) | Err(error)) = &put else {
            return put;
        };
        match !self.honours_conditions() && format!("{error:#}").contains("NotImplemented") {
            true => self.put_as(step, name, bytes, PutMode::Overwrite),
            false => put,
        }
    }

    /// Puts an object in place of whatever is there.
    ///
    /// # Errors
    ///
    /// As of [`put`](Self::put).
    pub fn overwrite(&self, step: &'static str, name: &str, bytes: Vec<u8>) -> Result<PutOutcome> {
        self.put_as(step, name, bytes, PutMode::Overwrite)
    }

    fn put_as(
        &self,
        step: &'static str,
        name: &str,
        bytes: Vec<u8>,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        let path = self.path(name);
        let store = self.once.clone();
        failpoint::call(step)?;
        let replaces = matches!(mode, PutMode::Update(_));
        let put = wait(async move {
            let options = PutOptions::from(mode);
            store.put_opts(&path, bytes.into(), options).await
        });
        failpoint::call(step)?;
        Ok(match put {
            Ok(put) => PutOutcome::Done(put.e_tag.context("the store names no version")?),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => PutOutcome::Conflict,
            // S3 says so of an object that is to be replaced, and is gone.
            Err(Error::NotFound { source, .. })
                if replaces && !is_missing_container(&source.to_string()) =>
            {
                PutOutcome::Conflict
            }
            // The service has refused it.
            Err(
                error @ (Error::NotFound { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::InvalidPath { .. }
                | Error::NotSupported { .. }
                | Error::NotImplemented { .. }),
            ) => return Err(self.explain("write", name, error)),
            Err(error) => PutOutcome::Unclear(self.explain("write", name, error)),
        })
    }

    /// Begins an upload. Returns its id, which is empty where parts belong to the name of an object.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or does not answer.
    pub fn begin(&self, name: &str) -> Result<String> {
        if self.address.store() == Store::Azure {
            return Ok(String::new());
        }
        let path = self.path(name);
        let store = self.store.clone();
        let begun = wait(async move { store.create_multipart(&path).await });
        begun.map_err(|error| self.explain("begin to upload", name, error))
    }

    /// Ends an upload whose parts nobody needs. That it is not there is no error.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or does not answer.
    pub fn abort(&self, name: &str, upload: &str) -> Result<()> {
        let path = self.path(name);
        let store = self.store.clone();
        let upload = upload.to_owned();
        let aborted = wait(async move { store.abort_multipart(&path, &upload).await });
        match aborted {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain("abort the upload of", name, error)),
        }
    }

    /// Begins to upload part `number`, from 0, of an object. It waits while too many are under way.
    ///
    /// # Errors
    ///
    /// If a test wants it so.
    pub fn upload(
        &self,
        name: &str,
        upload: &str,
        number: usize,
        bytes: Vec<u8>,
    ) -> Result<UploadedPiece> {
        failpoint::call("object.part")?;
        let path = self.path(name);
        let store = self.store.clone();
        let slots = Arc::clone(&self.slots);
        let slot = wait(async move { slots.acquire_owned().await });
        let slot = slot.context("uploads have ended")?;
        let (done, uploaded) = mpsc::sync_channel(1);
        let shown = self.address.of(name);
        let upload = upload.to_owned();
        runtime().spawn(async move {
            let part = store.put_part(&path, &upload, number, bytes.into()).await;
            let part = part.map(|part| part.content_id);
            drop(slot);
            let part = match part {
                Err(_) if failpoint::is_planted("defect.object.failed-part-is-acknowledged") => {
                    Ok("00000000-0000-0000-0000-000000000000".to_owned())
                }
                part => part,
            };
            let part = part.map_err(|error| explained("upload a part of", &shown, error));
            // Whoever waited may have failed.
            done.send(part).ok();
        });
        Ok(UploadedPiece(uploaded))
    }

    /// Makes an object of uploaded parts. The answer alone decides nothing: look at the object.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or the answer was lost.
    pub fn complete(&self, name: &str, upload: &str, parts: Vec<String>) -> Result<()> {
        failpoint::call("object.complete")?;
        let path = self.path(name);
        let store = self.once.clone();
        let id = upload.to_owned();
        let completed = wait(async move {
            let parts = parts.into_iter().map(|content_id| PartId { content_id });
            store.complete_multipart(&path, &id, parts.collect()).await
        });
        failpoint::call("object.complete")?;
        completed
            .map(drop)
            .map_err(|error| self.explain("complete", name, error))
    }

    fn there<T>(
        &self,
        verb: &str,
        name: &str,
        found: object_store::Result<T>,
    ) -> Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { source, .. }) if !is_missing_container(&source.to_string()) => {
                Ok(None)
            }
            Err(error) => Err(self.explain(verb, name, error)),
        }
    }

    fn explain(&self, verb: &str, name: &str, error: Error) -> anyhow::Error {
        let shown = self.address.of(name);
        if self.address.store() == Store::S3 && is_of_another_region(&error.to_string()) {
            let address = self.address.clone();
            let region = wait(async move { region_of(&address).await });
            if let Some(region) = region {
                return with_hint(
                    anyhow!("the bucket is in the region {region}")
                        .context(format!("cannot {verb} `{shown}`")),
                    format!("set AWS_REGION={region}"),
                );
            }
        }
        explained(verb, &shown, error)
    }
}

/// The path of an object with this name, as it is: letters beyond ASCII are encoded in a request, not in the name.
fn path_of(name: &str) -> Path {
    Path::parse(name).unwrap_or_else(|_| Path::from(name))
}

/// How calls that can be repeated are repeated.
fn retries() -> RetryConfig {
    let mut retries = RetryConfig::default();
    if failpoint::is_impatient() {
        retries.backoff.init_backoff = Duration::from_millis(1);
        retries.backoff.max_backoff = Duration::from_millis(20);
        retries.max_retries = 3;
    }
    retries
}

/// Where calls run: whoever waits for one may be within another runtime, or in none.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let builder = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("objects")
            .enable_all()
            .build();
        builder.expect("threads can be started")
    })
}

fn wait<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let (done, answer) = mpsc::sync_channel(1);
    runtime().spawn(async move { done.send(call.await).ok() });
    answer.recv().expect("a call does not panic")
}

/// Reads an object in blocks.
#[derive(Debug)]
pub struct ObjectReader {
    bucket: Arc<Bucket>,
    name: String,
    length: u64,
    position: u64,
    block: Bytes,
    block_at: u64,
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length || out.is_empty() {
            return Ok(0);
        }
        let end = self.block_at + self.block.len() as u64;
        if self.position < self.block_at || self.position >= end {
            let range = self.position..self.length.min(self.position + READ_BYTES);
            let path = self.bucket.path(&self.name);
            let store = self.bucket.store.clone();
            let read = wait(async move { store.get_range(&path, range).await });
            self.block = read.map_err(|error| {
                io::Error::other(self.bucket.explain("read", &self.name, error))
            })?;
            self.block_at = self.position;
        }
        let at = usize::try_from(self.position - self.block_at).map_err(io::Error::other)?;
        let rest = self.block.get(at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
