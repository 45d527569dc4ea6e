//! A witness of the answers of an account: what each says about what this program believes of the service.
//!
//! `acceptance` asks for it, for its own process and for those that it starts. Each answer becomes a line in a file,
//! as soon as it came: the process may be killed at any time. A line has no name and no value of the account, only
//! which beliefs held, and the shape of what differed.

mod answers;
mod beliefs;
mod exchange;
mod feed;
mod items;
mod resources;
mod shape;
mod sighting;
mod verdict;
mod versions;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};

use beliefs::Check;
pub use beliefs::{BELIEFS, Belief};
use exchange::Exchange;
use shape::shape;
pub use sighting::{AccountFacts, Sighting};

/// The variable that names the file of the witness to a process that `acceptance` starts.
pub const VARIABLE: &str = "COSMOS_TAIL_WITNESS";

/// Where this process writes what it sees.
#[derive(Debug)]
struct Witness {
    file: Mutex<File>,
    /// The kinds of answers and the names of their headers that were seen.
    known: Mutex<BTreeSet<(&'static str, String)>>,
}

/// The witness of a process that was started with [`VARIABLE`].
static OF_VARIABLE: OnceLock<Option<Witness>> = OnceLock::new();
/// The witness of [`record_to`].
static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Writes what this process sees to the end of `path`, from now on. The first path of a process counts.
///
/// # Errors
///
/// If the file cannot be opened.
pub fn record_to(path: &Path) -> Result<()> {
    let witness = Witness::open(path)?;
    WITNESS.set(witness).ok();
    Ok(())
}

impl Witness {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.with_context(|| format!("cannot open `{}`", path.display()))?;
        Ok(Self {
            file: Mutex::new(file),
            known: Mutex::default(),
        })
    }

    fn note(&self, request: &HttpRequest, response: &HttpResponse) {
        let exchange = Exchange::new(request, response);
        let mut sighting = exchange.sighting();
        for belief in BELIEFS {
            match belief.judge(&exchange) {
                Check::NotAboutThis => {}
                Check::Held => sighting.held.push(belief.id.to_owned()),
                Check::Differs(saw) => sighting.differs.push((belief.id.to_owned(), saw)),
            }
        }
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, value) in response.headers.iter() {
                if known.insert((exchange.kind, name.as_str().to_owned())) {
                    let header = (name.as_str().to_owned(), shape(value.as_str()));
                    sighting.headers.push(header);
                }
            }
        }
        let Ok(mut line) = serde_json::to_vec(&sighting) else {
            return;
        };
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One call, so that lines of several processes do not mix. What cannot be written is not counted.
        file.write_all(&line).ok();
    }
}

/// Notes an answer, if there is a witness.
pub(super) fn note(request: &HttpRequest, response: &HttpResponse) {
    let of_variable = || {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
        Witness::open(Path::new(&path)).ok()
    };
    let witness = WITNESS.get();
    if let Some(witness) = witness.or_else(|| OF_VARIABLE.get_or_init(of_variable).as_ref()) {
        witness.note(request, response);
    }
}
