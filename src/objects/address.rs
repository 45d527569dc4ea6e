//! Where objects are, as a person types it.

use std::fmt;

/// The schemes of Azure Blob Storage and Azure Data Lake Storage.
const AZURE: [&str; 4] = ["az", "azure", "abfs", "abfss"];

/// The ends of the names of hosts of storage accounts.
const HOSTS: [&str; 2] = [".blob.core.windows.net", ".dfs.core.windows.net"];

/// The schemes of Amazon S3, and of stores that speak as it does.
const S3: [&str; 2] = ["s3", "s3a"];

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Azure Blob Storage, and Azure Data Lake Storage.
    Azure,
    /// Amazon S3, and stores that speak as it does.
    S3,
}

/// A path below a container of a storage account, or below a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    store: Store,
    account: Option<String>,
    container: String,
    /// Without slashes at its ends.
    path: String,
    /// Which of the exports it is of that have this address.
    own: Own,
}

/// Which of the exports that write to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Own {
    /// All of them, or the only one.
    Whole,
    /// A share of a plan.
    Shard(u32),
    /// A range of a group.
    Range(String),
}

impl Address {
    /// The address that `text` is; `None` if it is of another kind: a path, or a store that is not supported.
    ///
    /// # Errors
    ///
    /// If it is an address of a store, but no container or no path can be read from it.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if AZURE.contains(&scheme.as_str()) {
            return Some(Self::of_container(host, path));
        }
        if S3.contains(&scheme.as_str()) {
            return Some(Self::of_bucket(host, path));
        }
        let account = (scheme == "https").then(|| account_of(host)).flatten()?;
        let (container, path) = path.split_once('/').unwrap_or((path, ""));
        Some(Self::new(Some(account), container, path))
    }

    /// `CONTAINER/PATH`, or `CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`.
    fn of_container(host: &str, path: &str) -> Result<Self, String> {
        match host.split_once('@') {
            None => Self::new(None, host, path),
            Some((container, host)) => {
                let account = account_of(host).ok_or_else(|| {
                    "expected CONTAINER@ACCOUNT.dfs.core.windows.net after the scheme".to_owned()
                })?;
                Self::new(Some(account), container, path)
            }
        }
    }

    /// `BUCKET/PREFIX`.
    fn of_bucket(bucket: &str, prefix: &str) -> Result<Self, String> {
        if prefix.contains(['?', '#']) {
            return Err(
                "an address has no query: credentials belong in the environment".to_owned(),
            );
        }
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        let is_name = (3..64).contains(&bucket.len())
            && bucket.chars().all(plain)
            && !bucket.starts_with(['-', '.'])
            && !bucket.ends_with(['-', '.']);
        if !is_name {
            return Err("expected the name of a bucket, such as s3://BUCKET/PREFIX/".to_owned());
        }
        Ok(Self {
            store: Store::S3,
            account: None,
            container: bucket.to_owned(),
            path: plain_path(prefix, "s3://BUCKET/orders/")?,
            own: Own::Whole,
        })
    }

    fn new(account: Option<String>, container: &str, path: &str) -> Result<Self, String> {
        if path.contains(['?', '#']) {
            return Err(
                "an address has no query: set a shared access signature in AZURE_STORAGE_SAS_TOKEN"
                    .to_owned(),
            );
        }
        let is_name = |text: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            text.len() > 2 && text.len() < 64 && text.chars().all(plain)
        };
        let is_container = is_name(container) || container == "$root" || container == "$web";
        if !is_container {
            return Err(
                "expected the name of a container, such as az://CONTAINER/PATH/".to_owned(),
            );
        }
        if account.as_deref().is_some_and(|account| !is_name(account)) {
            return Err("expected the name of a storage account".to_owned());
        }
        Ok(Self {
            store: Store::Azure,
            account,
            container: container.to_owned(),
            path: plain_path(path, "az://CONTAINER/orders/")?,
            own: Own::Whole,
        })
    }

    /// The kind of store that it is in.
    pub fn store(&self) -> Store {
        self.store
    }

    /// The storage account, if the address names it.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The container.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// The path below the container, without slashes at its ends.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same address, as that of a share of a plan: all shares write to one place, each with a state of its own.
    #[must_use]
    pub fn of_shard(&self, shard: u32) -> Self {
        Self {
            own: Own::Shard(shard),
            ..self.clone()
        }
    }

    /// The same address, as that of a range of a group: all ranges are written to one place, each with a state of its own.
    #[must_use]
    pub fn of_range(&self, range: &str) -> Self {
        Self {
            own: Own::Range(range.to_owned()),
            ..self.clone()
        }
    }

    /// The same address, as that of all shares or ranges, or of an export by itself.
    #[must_use]
    pub fn of_all(&self) -> Self {
        Self {
            own: Own::Whole,
            ..self.clone()
        }
    }

    /// The share of a plan that it is of.
    pub fn shard(&self) -> Option<u32> {
        match self.own {
            Own::Shard(shard) => Some(shard),
            _ => None,
        }
    }

    /// The range of a group that it is of.
    pub fn range(&self) -> Option<&str> {
        match &self.own {
            Own::Range(range) => Some(range),
            _ => None,
        }
    }

    /// Whether it is that of a whole place, and not of a share or a range.
    pub fn is_whole(&self) -> bool {
        self.own == Own::Whole
    }

    /// The address as that of one object: where it is, and its name there.
    pub fn split_name(&self) -> (Self, &str) {
        let (path, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let place = Self {
            path: path.to_owned(),
            ..self.clone()
        };
        (place, name)
    }

    /// The address as that of one object, for people.
    pub fn object(&self) -> String {
        self.to_string().trim_end_matches('/').to_owned()
    }

    /// The address of an object below it.
    pub fn of(&self, name: &str) -> String {
        format!("{self}{name}")
    }

    /// The address above it, and the last part of its path; `None` if it has one part only.
    pub fn split_last(&self) -> Option<(Self, String)> {
        let (above, last) = self.path.rsplit_once('/')?;
        let above = Self {
            path: above.to_owned(),
            ..self.clone()
        };
        Some((above, last.to_owned()))
    }

    /// The address that it is in, if it ends in the path `end`.
    pub fn without_end(&self, end: &str) -> Option<Self> {
        let path = self.path.strip_suffix(end)?.strip_suffix('/')?;
        Some(Self {
            path: path.to_owned(),
            ..self.clone()
        })
    }
}

/// A path without slashes at its ends.
fn plain_path(path: &str, example: &str) -> Result<String, String> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(format!(
            "expected a path below the container, such as {example}: an export shares no place with other objects"
        ));
    }
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && !segment.contains(|c: char| c.is_control() || "\\%{}^[]\"<>~#|*?`".contains(c))
    };
    if !path.split('/').all(is_segment) {
        return Err(
            "expected a path of plain names: without `.`, `..`, empty ones or characters that need an \
             encoding"
                .to_owned(),
        );
    }
    Ok(path.to_owned())
}

/// The account of the host of a storage account.
fn account_of(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let account = HOSTS.iter().find_map(|end| host.strip_suffix(end))?;
    Some(account.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            account,
            container,
            path,
            own: _,
        } = self;
        match (store, account) {
            (Store::S3, _) => write!(f, "s3://{container}/")?,
            (Store::Azure, None) => write!(f, "az://{container}/")?,
            (Store::Azure, Some(account)) => {
                write!(f, "abfss://{container}@{account}.dfs.core.windows.net/")?;
            }
        }
        match path.is_empty() {
            true => Ok(()),
            false => write!(f, "{path}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_in_each_form() {
        for (text, shown) in [
            ("az://lake/orders", "az://lake/orders/"),
            ("azure://lake/orders/", "az://lake/orders/"),
            ("AZ://lake/a/b//", "az://lake/a/b/"),
            ("abfs://lake/a b/", "az://lake/a b/"),
            (
                "abfss://lake@acme.dfs.core.windows.net/orders",
                "abfss://lake@acme.dfs.core.windows.net/orders/",
            ),
            ("s3://lake.acme/orders", "s3://lake.acme/orders/"),
            ("S3A://lake/a/b c", "s3://lake/a/b c/"),
            (
                "https://acme.blob.core.windows.net/lake/orders/",
                "abfss://lake@acme.dfs.core.windows.net/orders/",
            ),
        ] {
            let address = Address::parse(text).unwrap().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(Address::parse(shown).unwrap().unwrap(), address);
        }
    }

    #[test]
    fn what_names_no_place_of_an_export_is_refused() {
        for text in [
            "az://lake",
            "az://lake/",
            "az:///orders",
            "az://La/orders",
            "az://lake/../orders",
            "az://lake/a//b",
            "az://lake/a\\b",
            "az://lake/a%2fb",
            "az://lake/orders?sig=abc",
            "s3://lake",
            "s3://La/orders",
            "s3://lake./orders",
            "s3://user:abc@lake/orders",
            "s3://lake/a/../b",
            "s3://lake/orders?versionId=abc",
            "abfss://lake@evil.example/orders",
            "abfss://lake@user:password@acme.dfs.core.windows.net/orders",
            "https://acme.blob.core.windows.net/lake",
            "https://acme.blob.core.windows.net/lake/orders?sv=1&sig=abc",
        ] {
            let refused = Address::parse(text).unwrap().unwrap_err();
            assert!(!refused.contains("abc"), "{refused}");
        }
        for text in [
            "orders/",
            "gs://lake/x",
            "https://example.com/lake/x",
            "az:/x",
        ] {
            assert!(Address::parse(text).is_none(), "{text}");
        }
    }
}
