//! Which account, which container, and how to authenticate: flags, environment and profile resolved into a
//! [`ConnectionPlan`].
//!
//! Each value is resolved on its own: a flag wins over the environment, the environment over the profile,
//! the profile over the default. The credential is one value in this sense: a key in the environment wins
//! over the method that a profile names.
//!
//! Nothing here uses the network. The environment, the profile and standard input are passed in, so the
//! whole resolution is a function of its arguments. No message in this module contains a secret.

mod arm;
mod connection_string;
mod credential;
mod key;
mod new_profile;
mod plan;
mod request;
mod routing;
mod target;
mod throughput;

pub use credential::credential_is_given;
pub use new_profile::ProfileParts;
pub use plan::{ConnectionPlan, Names};
pub use request::{ConnectionArgs, ConnectionRequest};

#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;
