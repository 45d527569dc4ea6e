//! README.md and docs/: their commands work as shown, and their links lead somewhere.

#[cfg(all(unix, feature = "demo"))]
mod commands;
mod links;
mod pages;
