//! The rig: exports that fail at every step, are resumed until they are done, and are judged by the oracle.

#![cfg(unix)]

mod disk;
mod failpoints;
mod planted;
mod power;
mod queries;
