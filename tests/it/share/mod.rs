//! Instances that share a feed by leases: the real binary, several of them, against the scripted gateway.

mod contended;
mod copying;
mod costs;
mod documents;
mod dotnet;
mod faults;
mod feeds;
#[cfg(feature = "object-stores")]
mod files;
#[cfg(feature = "object-stores")]
mod files_faults;
#[cfg(feature = "object-stores")]
mod files_soak;
#[cfg(feature = "object-stores")]
mod files_trouble;
mod late;
#[cfg(feature = "object-stores")]
mod letters;
mod limits;
#[cfg(feature = "object-stores")]
mod memory;
mod namesakes;
mod replay;
mod scene;
mod slept;
mod soak;
mod stolen;
mod stops;
mod takeover;
mod undone;
#[cfg(feature = "object-stores")]
mod uploads;

#[cfg(feature = "object-stores")]
pub(crate) use scene::INTERVALS;
