//! Instances that share a feed by leases: the real binary, several of them, against the scripted gateway.

mod costs;
mod documents;
mod dotnet;
mod faults;
#[cfg(feature = "object-stores")]
mod files;
#[cfg(feature = "object-stores")]
mod files_faults;
#[cfg(feature = "object-stores")]
mod files_soak;
#[cfg(feature = "object-stores")]
mod files_trouble;
mod limits;
mod namesakes;
mod replay;
mod scene;
mod soak;
mod stops;
mod takeover;

#[cfg(feature = "object-stores")]
pub(crate) use scene::INTERVALS;
