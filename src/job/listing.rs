//! A listing that several ask for at the same time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::Result;

use crate::feed::FeedRange;
use crate::objects::Address;
use crate::state::ranges_at;

/// The ranges that have a state at an address. Whoever asks gets a listing that was begun after that. Those who ask during
/// one share the next: each takes time and memory for all ranges, and a process claims many of them together.
#[derive(Debug, Default)]
pub(super) struct Listing {
    known: Mutex<Known>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// How many have begun.
    begun: u64,
    is_under_way: bool,
    /// The number of the last one that has succeeded, and what it has found.
    last: Option<(u64, Arc<[FeedRange]>)>,
}

impl Listing {
    /// Lists them. Blocks.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub(super) fn ranges(&self, address: &Address) -> Result<Arc<[FeedRange]>> {
        self.shared(|| ranges_at(address))
    }

    fn shared(&self, list: impl FnOnce() -> Result<Vec<FeedRange>>) -> Result<Arc<[FeedRange]>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = known.begun + 1;
        loop {
            if let Some((number, found)) = &known.last
                && *number >= wanted
            {
                return Ok(Arc::clone(found));
            }
            if !known.is_under_way {
                break;
            }
            let waited = self.ended.wait(known);
            known = waited.unwrap_or_else(PoisonError::into_inner);
        }
        known.begun += 1;
        known.is_under_way = true;
        let number = known.begun;
        drop(known);
        let _ends = Ends(self);
        let found: Arc<[FeedRange]> = list()?.into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.last = Some((number, Arc::clone(&found)));
        Ok(found)
    }
}

/// Lets the next one begin, whatever has ended this.
struct Ends<'a>(&'a Listing);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).is_under_way = false;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use anyhow::bail;

    use super::*;

    #[test]
    fn whoever_asks_during_a_listing_gets_one_that_began_later() {
        let (listing, count) = (Listing::default(), AtomicU64::new(0));
        let (first, more) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        let found = |number: u64| {
            let range = FeedRange::new("", &format!("{number:02X}")).unwrap();
            Ok(vec![range])
        };
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| {
                listing.shared(|| {
                    first.wait();
                    more.wait();
                    found(1)
                })
            });
            first.wait();
            let others: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        listing.shared(|| found(2 + count.fetch_add(1, Ordering::SeqCst)))
                    })
                })
                .collect();
            // Each of them waits, or is about to: none has listed.
            assert_eq!(count.load(Ordering::SeqCst), 0);
            more.wait();
            assert_eq!(slow.join().unwrap().unwrap()[0].max_exclusive, "01");
            for other in others {
                let found = other.join().unwrap().unwrap();
                assert_ne!(found[0].max_exclusive, "01");
            }
        });
        let listed = count.load(Ordering::SeqCst);
        assert!((1..=8).contains(&listed), "{listed}");
    }

    #[test]
    fn one_that_fails_is_no_obstacle_to_the_next() {
        let listing = Listing::default();
        listing.shared(|| bail!("no answer")).unwrap_err();
        assert!(listing.shared(|| Ok(Vec::new())).unwrap().is_empty());
    }
}
