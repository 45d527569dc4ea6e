//! The integration tests: one binary, so that the crate is linked once.
#![expect(clippy::unwrap_used, reason = "a test stops at what cannot happen")]

mod acceptance;
mod account;
mod addresses;
#[cfg(unix)]
mod arm;
mod bad_input;
mod clocks;
mod closed_port;
mod command;
mod command_line;
mod compare;
mod crash;
mod database;
mod definitions;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "demo")]
mod demo_clients;
#[cfg(feature = "demo")]
mod demo_large;
#[cfg(feature = "demo")]
mod demo_log;
mod docs;
#[cfg(feature = "demo")]
mod doctor;
mod ends;
mod export;
mod faults;
mod files;
mod first_requests;
mod gateway;
mod gateway_conformance;
mod generated;
mod hints;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod lag;
mod leases;
mod left_out;
#[cfg(unix)]
mod lines;
mod live;
mod locations;
mod misplaced_keys;
#[cfg(feature = "demo")]
mod moments;
#[cfg(unix)]
mod monitor;
#[cfg(all(unix, feature = "object-stores"))]
mod objects;
mod oracle;
mod order;
mod orders;
mod other_emulator;
mod output_names;
mod partitions;
mod plans;
mod profile_changes;
mod profiles;
mod proxies;
mod queries;
mod query_oracle;
mod read_budget;
mod recovery;
mod regions;
mod replay;
mod resume_options;
mod rig;
mod round_trips;
#[path = "../../fuzz/cases/sample.rs"]
mod sample;
#[cfg(unix)]
mod scene;
mod schema;
mod seam;
mod secrets;
#[cfg(unix)]
mod service;
mod session_tokens;
#[cfg(unix)]
mod share;
#[cfg(target_os = "linux")]
#[cfg(unix)]
mod shells;
mod signals;
mod snapshot;
#[cfg(all(unix, feature = "object-stores"))]
mod store;
#[cfg(all(unix, feature = "object-stores"))]
mod store_scene;
#[cfg(all(unix, feature = "object-stores"))]
mod store_trials;
#[cfg(unix)]
mod streams;
#[cfg(unix)]
mod tables;
mod tail;
mod terminal;
mod throughput;
mod tls;
#[cfg(unix)]
mod token_scopes;
mod topology;
#[cfg(unix)]
mod trust;
mod tunnel;
mod verify;
