//! Which account and which container: flag, environment, connection string, profile, in this order.

use anyhow::Result;
use url::Url;

use super::connection_string::ConnectionString;
use super::request::ConnectionRequest;
use crate::error::usage;
use crate::settings::endpoint::{check_name, parse_endpoint, same_account};
use crate::settings::environment::Environment;
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::table::{
    self, CONNECTION_STRING_VARIABLE, CONTAINER_VARIABLE, DATABASE_VARIABLE, ENDPOINT_VARIABLE,
};

/// The account.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) is_emulator: bool,
    /// Whether flags, environment or profile name it, rather than only a state.
    pub(super) is_named: bool,
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
            .map(|text| (text.to_owned(), Origin::Flag(table::ENDPOINT.row.name)));
        let variable = || {
            let text = env(ENDPOINT_VARIABLE)?;
            Some((text, Origin::Variable(ENDPOINT_VARIABLE)))
        };
        let mut given = flag
            .or_else(variable)
            .map(|(text, origin)| {
                let (url, is_emulator) = parse_endpoint(text.trim(), "the endpoint")?;
                Ok::<_, anyhow::Error>(Self {
                    url,
                    is_emulator,
                    is_named: true,
                    origin,
                })
            })
            .transpose()?;
        given = given.or_else(|| {
            Some(Self {
                url: from_string?.endpoint.clone(),
                is_emulator: false,
                is_named: true,
                origin: Origin::Variable(CONNECTION_STRING_VARIABLE),
            })
        });
        given = given.or_else(|| {
            let profile = request.profile?.profile;
            let own = profile.endpoint.as_ref()?;
            Some(Self {
                url: own.url.clone(),
                is_emulator: own.is_emulator,
                is_named: true,
                origin: Origin::Profile(profile.name.clone()),
            })
        });
        match (request.source, given) {
            (Some(source), given) => {
                let (url, _) = parse_endpoint(&source.endpoint, "the state file's endpoint")?;
                if request.args.account_moved
                    && let Some(given) = given
                {
                    return Ok(given);
                }
                if let Some(given) = given.as_ref().filter(|g| !same_account(&g.url, &url)) {
                    return Err(contradiction(
                        "account",
                        "--endpoint",
                        url.as_str(),
                        given.url.as_str(),
                        &given.origin,
                    ));
                }
                Ok(Self {
                    url,
                    // The state has the address of the emulator, but not that it is one.
                    is_emulator: given.as_ref().is_some_and(|given| given.is_emulator),
                    is_named: given.is_some(),
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
        ResolvedValue::new(
            table::ENDPOINT.row.name,
            self.url.as_str(),
            self.origin.clone(),
        )
    }
}

/// A name to resolve.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Database,
    Container,
}

impl Name {
    /// The flag's name, otherwise the variable's, the connection string's, the profile's.
    ///
    /// # Errors
    ///
    /// If none of them names it.
    pub(super) fn resolve(
        self,
        request: &ConnectionRequest<'_>,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
    ) -> Result<ResolvedValue> {
        if let Some(found) = self.find(request, env, from_string)? {
            return Ok(found);
        }
        let (kind, variable) = match self {
            Self::Database => (table::DATABASE.row.name, DATABASE_VARIABLE),
            Self::Container => (table::CONTAINER.row.name, CONTAINER_VARIABLE),
        };
        let short = &kind[..1];
        Err(missing(
            &format!("no {kind} given"),
            &format!("-{short}/--{kind} NAME"),
            variable,
        ))
    }

    /// As [`Name::resolve`], if any of them names it.
    pub(super) fn find(
        self,
        request: &ConnectionRequest<'_>,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
    ) -> Result<Option<ResolvedValue>> {
        let (row, variable) = match self {
            Self::Database => (&table::DATABASE.row, DATABASE_VARIABLE),
            Self::Container => (&table::CONTAINER.row, CONTAINER_VARIABLE),
        };
        let kind = row.name;
        let value = |text: &str, origin| {
            check_name(kind, text).map(|name| ResolvedValue::new(kind, name, origin))
        };
        let typed = self.of(&request.args.database, &request.args.container);
        let of_string = from_string.and_then(|s| self.of(s.database.as_deref(), None));
        let profile = request.profile.map(|chosen| chosen.profile);
        let of_profile = profile.and_then(|p| self.of(&p.database, &p.container).as_deref());
        let given = if let Some(text) = typed.as_deref().filter(|text| !text.trim().is_empty()) {
            Some(value(text, Origin::Flag(kind))?)
        } else if let Some(text) = env(variable) {
            Some(value(&text, Origin::Variable(variable))?)
        } else if let Some(text) = of_string {
            Some(value(text, Origin::Variable(CONNECTION_STRING_VARIABLE))?)
        } else if let (Some(profile), Some(text)) = (profile, of_profile) {
            Some(value(text, Origin::Profile(profile.name.clone()))?)
        } else {
            None
        };
        if let Some(source) = request.source {
            let own = value(self.of(&source.database, &source.container), Origin::State)?;
            // A profile that was not named was chosen for the account alone.
            let named = given.filter(|given| {
                let is_profile = matches!(given.origin, Origin::Profile(_));
                !is_profile || request.profile.is_some_and(|chosen| chosen.is_named)
            });
            return match named.filter(|given| given.value != own.value) {
                Some(given) => Err(contradiction(
                    kind,
                    &row.flag(),
                    &own.value,
                    &given.value,
                    &given.origin,
                )),
                None => Ok(Some(own)),
            };
        }
        Ok(given)
    }

    /// Whether the flag names it.
    pub(super) fn is_typed(self, request: &ConnectionRequest<'_>) -> bool {
        let typed = self.of(&request.args.database, &request.args.container);
        typed.as_deref().is_some_and(|text| !text.trim().is_empty())
    }

    fn of<T>(self, database: T, container: T) -> T {
        match self {
            Self::Database => database,
            Self::Container => container,
        }
    }
}

/// The state of an export names another account, database or container than flags, environment or profile.
/// Neither is used: a state can come from anywhere, and the other setting may be a forgotten one.
pub(super) fn contradiction(
    kind: &str,
    flag: &str,
    own: &str,
    given: &str,
    origin: &Origin,
) -> anyhow::Error {
    let way = match origin {
        Origin::Flag(_) => format!("leave {origin} out"),
        Origin::Variable(name) => format!("unset {name}, or give {flag} {own}"),
        _ => format!("use another profile, or give {flag} {own}"),
    };
    let moved = match kind {
        "account" => "; if the account has this address now, add --account-moved",
        _ => "",
    };
    usage(
        format!("the state belongs to the {kind} `{own}`, but {origin} names `{given}`"),
        format!("if this is the right state, {way}{moved}"),
    )
}

/// A usage error for a missing value; its hint names the flag, the variable and the demo.
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
