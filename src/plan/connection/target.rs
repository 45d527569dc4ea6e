//! Which account and which container: flag, environment, connection string, profile, in this order.

use anyhow::Result;
use url::Url;

use super::endpoint::{ConnectionString, check_name, parse_endpoint, same_account};
use super::{CONNECTION_STRING, ConnectionRequest, Environment};
use crate::error::usage;
use crate::plan::resolved::{Origin, ResolvedValue};

/// The account that is meant.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) is_emulator: bool,
    origin: Origin,
}

impl Endpoint {
    pub(super) fn resolve(
        request: &ConnectionRequest<'_>,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
    ) -> Result<Self> {
        let typed = request.args.endpoint.as_deref();
        let flag = typed
            .filter(|text| !text.trim().is_empty())
            .map(|text| (text.to_owned(), Origin::Flag("--endpoint")));
        let variable = || {
            let text = env("AZURE_COSMOS_ENDPOINT")?;
            Some((text, Origin::Variable("AZURE_COSMOS_ENDPOINT")))
        };
        let mut given = flag
            .or_else(variable)
            .map(|(text, origin)| {
                let (url, is_emulator) = parse_endpoint(text.trim(), "the endpoint")?;
                Ok::<_, anyhow::Error>(Self {
                    url,
                    is_emulator,
                    origin,
                })
            })
            .transpose()?;
        given = given.or_else(|| {
            Some(Self {
                url: from_string?.endpoint.clone(),
                is_emulator: false,
                origin: Origin::Variable(CONNECTION_STRING),
            })
        });
        given = given.or_else(|| {
            let profile = request.profile?.profile;
            let own = profile.endpoint.as_ref()?;
            Some(Self {
                url: own.url.clone(),
                is_emulator: own.is_emulator,
                origin: Origin::Profile(profile.name.clone()),
            })
        });
        match (request.source, given) {
            (Some(source), given) => {
                let (url, _) = parse_endpoint(&source.endpoint, "the state file's endpoint")?;
                // The state has the emulator's address, not that it is the emulator.
                let is_emulator =
                    given.is_some_and(|given| given.is_emulator && same_account(&given.url, &url));
                Ok(Self {
                    url,
                    is_emulator,
                    origin: Origin::State,
                })
            }
            (None, Some(given)) => Ok(given),
            (None, None) => Err(missing(
                "no endpoint given",
                "--endpoint https://NAME.documents.azure.com:443/",
                "AZURE_COSMOS_ENDPOINT or AZURE_COSMOS_CONNECTION_STRING",
            )),
        }
    }

    pub(super) fn value(&self) -> ResolvedValue {
        ResolvedValue::new("endpoint", self.url.as_str(), self.origin.clone())
    }
}

/// A name that has to be resolved.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Database,
    Container,
}

impl Name {
    /// The flag's name, otherwise the variable's, the connection string's, the profile's.
    pub(super) fn resolve(
        self,
        request: &ConnectionRequest<'_>,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
    ) -> Result<ResolvedValue> {
        let (kind, flag, variable) = match self {
            Self::Database => ("database", "--database", "AZURE_COSMOS_DATABASE"),
            Self::Container => ("container", "--container", "AZURE_COSMOS_CONTAINER"),
        };
        let value = |text: &str, origin| {
            check_name(kind, text).map(|name| ResolvedValue::new(kind, name, origin))
        };
        if let Some(source) = request.source {
            return value(self.of(&source.database, &source.container), Origin::State);
        }
        let typed = self.of(&request.args.database, &request.args.container);
        if let Some(text) = typed.as_deref().filter(|text| !text.trim().is_empty()) {
            return value(text, Origin::Flag(flag));
        }
        if let Some(text) = env(variable) {
            return value(&text, Origin::Variable(variable));
        }
        let of_string = from_string.and_then(|s| self.of(s.database.as_deref(), None));
        if let Some(text) = of_string {
            return value(text, Origin::Variable(CONNECTION_STRING));
        }
        let profile = request.profile.map(|chosen| chosen.profile);
        let of_profile = profile.and_then(|p| self.of(&p.database, &p.container).as_deref());
        if let (Some(profile), Some(text)) = (profile, of_profile) {
            return value(text, Origin::Profile(profile.name.clone()));
        }
        let short = &kind[..1];
        Err(missing(
            &format!("no {kind} given"),
            &format!("-{short}/--{kind} NAME"),
            variable,
        ))
    }

    fn of<T>(self, database: T, container: T) -> T {
        match self {
            Self::Database => database,
            Self::Container => container,
        }
    }
}

/// A usage error for something that is missing; its hint names the flag, the variable and the demo.
fn missing(what: &str, flag: &str, variable: &str) -> anyhow::Error {
    let demo = if cfg!(feature = "demo") {
        "; or try --demo, which needs no account"
    } else {
        ""
    };
    usage(
        what,
        format!("use {flag}, set {variable}, or choose a profile with --profile{demo}"),
    )
}
