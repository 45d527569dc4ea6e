//! A limit of request units in a second: a number, or a share of the throughput of a container.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::client::CosmosClient;
use super::offers::{Offers, Provisioned, Throughput};
use crate::error::{usage, with_hint};

/// What to do if there is nothing to take a share of.
const WAY_OUT: &str = "give --max-ru as a number of RU/s";

/// A limit of request units in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum MaxRu {
    /// So many; at least 1.
    PerSecond(u32),
    /// So many percent of the throughput of the container, from 1 to 100.
    Percent(u32),
}

/// The limit in a state: a number, or a text such as `20%`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u32),
    Text(String),
}

impl From<MaxRu> for Written {
    fn from(max: MaxRu) -> Self {
        match max {
            MaxRu::PerSecond(units) => Self::Number(units),
            MaxRu::Percent(_) => Self::Text(max.to_string()),
        }
    }
}

impl TryFrom<Written> for MaxRu {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(0) => Err(EXPECTED),
            Written::Number(units) => Ok(Self::PerSecond(units)),
            Written::Text(text) => text.parse(),
        }
    }
}

const EXPECTED: &str = "a whole number of request units per second, at least 1, or a share of the throughput of the container \
     such as 20%";

impl FromStr for MaxRu {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .parse::<u32>()
                .ok()
                .filter(|number| is_plain && *number > 0)
        };
        match text.strip_suffix('%') {
            Some(digits) => number(digits)
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => number(text).map(Self::PerSecond),
        }
        .ok_or(EXPECTED)
    }
}

impl fmt::Display for MaxRu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(units) => write!(f, "{units}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl MaxRu {
    /// What a text has to be, for messages.
    pub const EXPECTED: &'static str = EXPECTED;

    /// The limit in RU/s, for the container of `client`. A share is one of what the container is provisioned with, or
    /// of what it shares with others of its database; of autoscale it is one of the maximum.
    ///
    /// # Errors
    ///
    /// If the throughput cannot be read, or there is none; the error has a hint.
    pub async fn per_second(self, client: &CosmosClient) -> Result<u32> {
        match self {
            Self::PerSecond(units) => Ok(units),
            Self::Percent(percent) => {
                let (offers, throughput) = client.throughput().await?;
                share(percent, &offers, throughput)
            }
        }
    }
}

/// A share of the throughput, at least 1 RU/s.
fn share(percent: u32, offers: &Offers, throughput: Throughput) -> Result<u32> {
    let provisioned = match throughput {
        Throughput::Own(provisioned) | Throughput::Shared(provisioned) => provisioned,
        Throughput::Serverless => {
            return Err(usage(
                format!(
                    "--max-ru {percent}%: the account is serverless, so there is no throughput to take a share of"
                ),
                WAY_OUT,
            ));
        }
        Throughput::None => {
            return Err(usage(
                format!(
                    "--max-ru {percent}%: neither the container nor its database has a throughput to take a share of"
                ),
                WAY_OUT,
            ));
        }
        Throughput::NotReadable => {
            return Err(match offers {
                Offers::Failed(reason) => with_hint(
                    anyhow!("--max-ru {percent}%: the throughput could not be read: {reason}"),
                    WAY_OUT,
                ),
                _ => usage(
                    format!(
                        "--max-ru {percent}%: this credential may not read the throughput: no role of Entra ID for data covers it"
                    ),
                    format!(
                        "{WAY_OUT}; or use an account key, or --via arm with a role that covers it"
                    ),
                ),
            });
        }
    };
    let (Provisioned::Manual(units) | Provisioned::AutoscaleUpTo(units)) = provisioned;
    let share = units.saturating_mul(percent.into()) / 100;
    Ok(u32::try_from(share).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        for (text, expected) in [
            ("1", Some(MaxRu::PerSecond(1))),
            ("4000", Some(MaxRu::PerSecond(4000))),
            ("20%", Some(MaxRu::Percent(20))),
            ("100%", Some(MaxRu::Percent(100))),
            ("0", None),
            ("0%", None),
            ("101%", None),
            ("+5", None),
            ("1.5", None),
            ("%", None),
            ("", None),
            ("-1", None),
            ("20 %", None),
            ("4294967296", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
            if let Some(max) = expected {
                assert_eq!(max.to_string(), text);
                let json = serde_json::to_string(&max).unwrap();
                assert_eq!(serde_json::from_str::<MaxRu>(&json).unwrap(), max);
            }
        }
        assert_eq!(serde_json::to_string(&MaxRu::PerSecond(7)).unwrap(), "7");
        assert!(serde_json::from_str::<MaxRu>("0").is_err());
        assert!(serde_json::from_str::<MaxRu>("\"200%\"").is_err());
    }

    #[test]
    fn a_share_is_one_of_what_is_provisioned() {
        let of = |percent, throughput| share(percent, &Offers::Denied, throughput).ok();
        let manual = Provisioned::Manual(400);
        assert_eq!(of(20, Throughput::Own(manual)), Some(80));
        assert_eq!(of(100, Throughput::Shared(manual)), Some(400));
        let autoscale = Provisioned::AutoscaleUpTo(u64::MAX);
        assert_eq!(of(50, Throughput::Own(autoscale)), Some(u32::MAX));
        assert_eq!(of(1, Throughput::Own(Provisioned::Manual(10))), Some(1));
        for none in [
            Throughput::Serverless,
            Throughput::None,
            Throughput::NotReadable,
        ] {
            assert_eq!(of(20, none), None, "{none:?}");
        }
    }
}
