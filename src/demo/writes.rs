//! The writes that keep the demo's feed moving.

use azure_core::http::Method;

use super::account::DemoAccount;
use super::documents::{Sequence, document};
use super::host::succeeded;
use super::orders::{self, docs_path};
use super::pace::WriteClock;

impl DemoAccount {
    /// Makes `per_second` writes to the container, which began with `documents` documents, for as long as this is
    /// polled.
    ///
    /// # Errors
    ///
    /// If the container cannot be filled, or refuses a write for good.
    pub async fn keep_changing(&self, documents: u32, per_second: f64) -> anyhow::Result<()> {
        let mut clock = WriteClock::new(per_second)?;
        let mut writer = DocumentWriter::new(documents);
        self.filled().await?;
        loop {
            for _ in 0..clock.tick().await {
                writer.write(self).await?;
            }
        }
    }
}

/// The seed for the choice of writes. Any number, as long as it does not change.
const SEED: u64 = 0x000f_eed5;

/// Makes writes, one after the other: of ten, three create, five replace and two delete a document.
pub(super) struct DocumentWriter {
    /// Number and revision of what this writer believes to be in the container.
    live: Vec<(u32, u32)>,
    /// The number of the next document to create.
    next: u32,
    sequence: Sequence,
}

impl DocumentWriter {
    /// A writer for a container that was filled with `documents` documents.
    pub(super) fn new(documents: u32) -> Self {
        Self {
            live: (0..documents).map(|number| (number, 0)).collect(),
            next: documents,
            sequence: Sequence::new(SEED),
        }
    }

    /// Makes the next write. Returns the operation, if there was one.
    ///
    /// A write to a partition that is being split or merged is skipped, and so is one to a document that a
    /// client has deleted or created before.
    ///
    /// # Errors
    ///
    /// If the account refuses the write for any other reason, such as a container that a client deleted.
    pub(super) async fn write(
        &mut self,
        account: &DemoAccount,
    ) -> anyhow::Result<Option<&'static str>> {
        let choice = self.sequence.below(10);
        if choice < 3 || self.live.is_empty() {
            return self.create(account).await;
        }
        let index = self.sequence.below(self.live.len() as u64);
        let index = usize::try_from(index).unwrap_or(0);
        let (number, revision) = self.live[index];
        let method = if choice < 8 {
            Method::Put
        } else {
            Method::Delete
        };
        let document = document(number, revision + 1);
        let path = docs_path(Some(&document.id));
        let request = orders::write(method, &path, document);
        let answer = account.service.recorder().execute(request).await?;
        match (answer.status, method) {
            (200..300, Method::Put) => {
                self.live[index].1 += 1;
                return Ok(Some("replace"));
            }
            (status @ (200..300 | 404), _) => {
                self.live.swap_remove(index);
                return Ok((status != 404).then_some("delete"));
            }
            (410, _) => {}
            _ => drop(succeeded(answer, "change a document")?),
        }
        Ok(None)
    }

    async fn create(&mut self, account: &DemoAccount) -> anyhow::Result<Option<&'static str>> {
        let document = document(self.next, 0);
        let request = orders::write(Method::Post, &docs_path(None), document);
        let answer = account.service.recorder().execute(request).await?;
        let created = match answer.status {
            410 => return Ok(None),
            409 => None,
            _ => {
                succeeded(answer, "create a document")?;
                self.live.push((self.next, 0));
                Some("create")
            }
        };
        self.next += 1;
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::account::DemoOptions;

    #[tokio::test]
    async fn a_writer_knows_the_documents_and_tolerates_other_writers() {
        let options = DemoOptions {
            documents: 50,
            partitions: 2,
            ..DemoOptions::default()
        };
        let account = DemoAccount::start(&options).await.unwrap();
        let mut writer = DocumentWriter::new(50);
        for _ in 0..300 {
            writer.write(&account).await.unwrap();
        }
        let count = account.count(None).await.unwrap();
        assert_eq!(count, writer.live.len() as u64);
        let partitions = account.partitions().await.unwrap();
        assert_eq!(partitions.iter().map(|p| p.lsn).sum::<u64>(), 350);
        assert!(writer.next > 50, "nothing was created");
        assert!(
            writer.live.iter().any(|&(_, revision)| revision > 0),
            "nothing was replaced"
        );
        assert!(count < u64::from(writer.next), "nothing was deleted");

        // What this one creates exists already, and some of what it changes is gone.
        let mut other = DocumentWriter::new(50);
        for _ in 0..300 {
            other.write(&account).await.unwrap();
        }
    }
}
