//! README.md and docs/: their commands work as shown, their links lead somewhere, and the
//! places in the source that they name exist.

#[cfg(all(unix, feature = "demo"))]
mod commands;
mod links;
mod pages;
mod places;
