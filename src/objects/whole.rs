//! Objects that are read and created as a whole.
//!
//! In a build without object stores each call fails, so that nobody else has to know of such a build.

#[cfg(feature = "object-stores")]
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::Result;

use super::address::Address;
#[cfg(feature = "object-stores")]
use super::bucket::{Bucket, PutOutcome};
#[cfg(feature = "object-stores")]
use crate::failpoint;

/// Attempts of a call whose outcome is not known.
#[cfg(feature = "object-stores")]
const ATTEMPTS: u32 = 6;

/// The pause before the second attempt; it doubles with each further one.
#[cfg(feature = "object-stores")]
const FIRST_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What became of an object that was to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there with the given bytes.
    Done,
    /// It was there already, with these.
    Exists(Vec<u8>),
}

/// The objects below `address`: a state and its destination share the clients and what bounds their memory.
///
/// # Errors
///
/// If the environment does not say how to reach the account.
#[cfg(feature = "object-stores")]
pub fn bucket(address: &Address) -> Result<Arc<Bucket>> {
    static OPENED: Mutex<Vec<Weak<Bucket>>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.retain(|bucket| bucket.strong_count() > 0);
    let known = || opened.iter().filter_map(Weak::upgrade);
    if let Some(bucket) = known().find(|bucket| bucket.address() == address) {
        return Ok(bucket);
    }
    let place = address.of_all();
    let of_place = known().find(|bucket| bucket.address().of_all() == place);
    let bucket = Arc::new(match of_place {
        Some(bucket) => bucket.of(address),
        None => Bucket::open(address)?,
    });
    opened.push(Arc::downgrade(&bucket));
    Ok(bucket)
}

/// Reads the object of this name below `address`; none if it does not exist.
///
/// # Errors
///
/// If that cannot be found out.
#[cfg(feature = "object-stores")]
pub fn read(address: &Address, name: &str) -> Result<Option<Vec<u8>>> {
    let found = bucket(address)?.get(name)?;
    Ok(found.map(|found| found.bytes.to_vec()))
}

/// Creates the object of this name below `address`, unless it exists. The answer to an attempt can be lost, so its own
/// success is recognized by its bytes.
///
/// # Errors
///
/// If it cannot be written, or it remains unknown whether it was.
#[cfg(feature = "object-stores")]
pub fn create(step: &'static str, address: &Address, name: &str, text: &[u8]) -> Result<Created> {
    created(address, name, text, |bucket| {
        bucket.put(step, name, text.to_vec(), None)
    })
}

/// The same, and in place of whatever is there if the store says that it has no conditional writes.
///
/// # Errors
///
/// As of [`create`].
#[cfg(feature = "object-stores")]
pub fn create_where_possible(
    step: &'static str,
    address: &Address,
    name: &str,
    text: &[u8],
) -> Result<Created> {
    created(address, name, text, |bucket| {
        bucket.put_where_possible(step, name, text.to_vec(), None)
    })
}

#[cfg(feature = "object-stores")]
fn created(
    address: &Address,
    name: &str,
    text: &[u8],
    put: impl Fn(&Bucket) -> Result<PutOutcome>,
) -> Result<Created> {
    let bucket = bucket(address)?;
    let mut pause = FIRST_PAUSE;
    let mut unclear = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            failpoint::pause(pause);
            pause *= 2;
        }
        match put(&bucket) {
            Ok(PutOutcome::Done(_)) => return Ok(Created::Done),
            Ok(PutOutcome::Conflict) => {}
            Ok(PutOutcome::Unclear(error)) => unclear = Some(error),
            // An earlier attempt may still arrive, so this error alone decides nothing.
            Err(error) if unclear.is_some() => unclear = Some(error),
            Err(error) => return Err(error),
        }
        match bucket.get(name) {
            Ok(Some(found)) if found.bytes == text => return Ok(Created::Done),
            Ok(Some(found)) => return Ok(Created::Exists(found.bytes.to_vec())),
            // A conflict can be with what a store does not show yet.
            Ok(None) => {}
            Err(error) => unclear = Some(error),
        }
    }
    let error = unclear.unwrap_or_else(|| anyhow::anyhow!("the store keeps refusing it"));
    let shown = address.of(name);
    Err(error.context(format!("cannot determine whether `{shown}` was created")))
}

/// Puts the object of this name below `address` in place of whatever is there. Nobody else writes to it, so an attempt
/// whose answer was lost is repeated.
///
/// # Errors
///
/// If it cannot be written, or it remains unknown whether it was.
#[cfg(feature = "object-stores")]
pub fn replace(step: &'static str, address: &Address, name: &str, text: &[u8]) -> Result<()> {
    let bucket = bucket(address)?;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            failpoint::pause(pause);
            pause *= 2;
        }
        match bucket.overwrite(step, name, text.to_vec())? {
            PutOutcome::Done(_) => return Ok(()),
            PutOutcome::Conflict => {}
            PutOutcome::Unclear(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("the store keeps refusing it")))
}

/// The names below `address`, with their lengths, in their order.
///
/// # Errors
///
/// If they cannot be listed.
#[cfg(feature = "object-stores")]
pub fn list(address: &Address) -> Result<Vec<(String, u64)>> {
    bucket(address)?.list("")
}

/// Those of them that are in this directory.
///
/// # Errors
///
/// If they cannot be listed.
#[cfg(feature = "object-stores")]
pub fn list_in(address: &Address, directory: &str) -> Result<Vec<(String, u64)>> {
    bucket(address)?.list(directory.trim_end_matches('/'))
}

/// Whether there is an object of this name below `address`, or that cannot be found out now.
#[cfg(feature = "object-stores")]
pub fn may_exist(address: &Address, name: &str) -> bool {
    bucket(address).is_ok_and(|bucket| bucket.may_have(name))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn read(address: &Address, _name: &str) -> Result<Option<Vec<u8>>> {
    Err(unsupported(address))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn create(_: &'static str, address: &Address, _name: &str, _text: &[u8]) -> Result<Created> {
    Err(unsupported(address))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn create_where_possible(
    _: &'static str,
    address: &Address,
    _name: &str,
    _text: &[u8],
) -> Result<Created> {
    Err(unsupported(address))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn replace(_: &'static str, address: &Address, _name: &str, _text: &[u8]) -> Result<()> {
    Err(unsupported(address))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn list(address: &Address) -> Result<Vec<(String, u64)>> {
    Err(unsupported(address))
}

/// Fails: this build has no object stores.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "object-stores"))]
pub fn list_in(address: &Address, _directory: &str) -> Result<Vec<(String, u64)>> {
    Err(unsupported(address))
}

/// Nothing is there: this build has no object stores.
#[cfg(not(feature = "object-stores"))]
pub fn may_exist(_address: &Address, _name: &str) -> bool {
    false
}

#[cfg(not(feature = "object-stores"))]
fn unsupported(address: &Address) -> anyhow::Error {
    anyhow::anyhow!("this build has no object stores, so `{address}` cannot be used")
}
