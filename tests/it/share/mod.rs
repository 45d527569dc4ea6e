//! Instances that share a feed by leases: the real binary, several of them, against the scripted gateway.

mod costs;
mod documents;
mod dotnet;
mod faults;
mod limits;
mod namesakes;
mod replay;
mod scene;
mod soak;
mod stops;
mod takeover;
