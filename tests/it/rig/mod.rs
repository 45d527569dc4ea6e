//! The rig: exports that are made to fail at every step, resumed until they are done, and judged by
//! the oracle.

#![cfg(unix)]

mod disk;
mod failpoints;
mod planted;
mod power;
