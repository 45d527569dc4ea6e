//! The acceptance test: what the tests of this program do on servers of their own, on an account of the user.
//!
//! It makes a database ([`scratch`]), writes a known set of documents to it ([`known`]), and runs the commands of this
//! program as a user would, as processes of their own ([`child`]). Each step is judged by the known set ([`oracle`]), not
//! by what the commands say. What the account refuses is a line with the reason. Meanwhile a witness looks at every answer
//! (`cosmos::witness`); what it saw is summed up in [`sightings`], and everything is reported in [`outcome`].

mod child;
mod copies;
mod following;
mod known;
mod names;
mod oracle;
mod outcome;
mod run;
mod scratch;
mod sightings;
mod split;
mod steps;
mod versions;
mod writes;

pub(crate) use run::{clean_up, estimate, run};
pub(crate) use scratch::MARKER_CONTAINER;
