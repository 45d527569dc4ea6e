//! The connection: everything resolved, validated and put together.

use std::io::Read;

use anyhow::Result;
use url::Url;

use super::connection_string::ConnectionString;
use super::credential::{
    EMULATOR_KEY, Method, ensure_safe_for_a_token, entra_id, no_key_contradiction, token_options,
    well_known_key, without_key,
};
use super::key::account_key;
use super::request::{ConnectionArgs, ConnectionRequest};
use super::target::{Endpoint, Name, contradiction};
use super::{arm, routing, throughput};
use crate::cli::choices::AuthMethod;
use crate::cosmos::endpoint::is_loopback;
use crate::cosmos::options::{
    ConnectOptions, CredentialOptions, NamesFrom, SecretText, TokenOptions,
};
use crate::error::usage;
use crate::feed::ContainerAddress;
use crate::settings::endpoint::{check_name, parse_endpoint, same_account};
use crate::settings::environment::{Environment, process_environment};
use crate::settings::profile::{ChosenProfile, Profile};
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::table::{self, CONNECTION_STRING_VARIABLE};
use crate::signal::Shutdown;

/// A resolved and validated connection.
#[derive(Debug, Clone)]
pub struct ConnectionPlan {
    /// What the connection is made with.
    pub connect: ConnectOptions,
    /// Warnings for the user.
    pub notices: Vec<String>,
    /// Where each value came from.
    pub values: Vec<ResolvedValue>,
}

/// Which names a connection is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// A database and a container.
    Required,
    /// Those that are given anywhere; one that is not is empty.
    IfGiven,
    /// Those that flags give; one that is not is empty. A container is in a database that is given anywhere.
    IfTyped,
    /// A database alone.
    Database,
}

impl Names {
    /// The database and the container.
    fn resolve(
        self,
        request: &ConnectionRequest<'_>,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
    ) -> Result<[Option<ResolvedValue>; 2]> {
        let has_container = Name::Container.is_typed(request);
        let name = |name: Name| match self {
            Self::Required => name.resolve(request, env, from_string).map(Some),
            Self::Database if matches!(name, Name::Container) => Ok(None),
            Self::Database => name.resolve(request, env, from_string).map(Some),
            Self::IfGiven => name.find(request, env, from_string),
            Self::IfTyped if has_container => name.resolve(request, env, from_string).map(Some),
            Self::IfTyped if name.is_typed(request) => name.find(request, env, from_string),
            Self::IfTyped => Ok(None),
        };
        Ok([name(Name::Database)?, name(Name::Container)?])
    }
}

impl ConnectionPlan {
    /// Resolves `request` with the environment and standard input of this process.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn from_process(request: &ConnectionRequest<'_>, names: Names) -> Result<Self> {
        let mut stdin = std::io::stdin().lock();
        Self::resolve_names(request, names, &process_environment, &mut stdin)
    }

    /// A container in the account of `profile`, with its credential, read from `regions` if there are any,
    /// otherwise from those of the profile. Flags and variables for account and key apply to another account
    /// and are ignored.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn of_profile(
        profile: Option<ChosenProfile<'_>>,
        database: &str,
        container: &str,
        regions: &[String],
        environment: Environment<'_>,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let args = ConnectionArgs {
            database: Some(database.to_owned()),
            container: Some(container.to_owned()),
            regions: regions.to_vec(),
            ..ConnectionArgs::default()
        };
        Self::of_profile_alone(&args, profile, environment, shutdown)
    }

    /// As [`ConnectionPlan::of_profile`], without a container: with the names that the profile has.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn account_of_profile(
        profile: Option<ChosenProfile<'_>>,
        environment: Environment<'_>,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        Self::of_profile_alone(&ConnectionArgs::default(), profile, environment, shutdown)
    }

    fn of_profile_alone(
        args: &ConnectionArgs,
        profile: Option<ChosenProfile<'_>>,
        environment: Environment<'_>,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let request = ConnectionRequest {
            args,
            profile,
            source: None,
            shutdown,
        };
        let of_others = |name: &str| !name.starts_with("AZURE_COSMOS_");
        let environment = |name: &str| environment(name).filter(|_| of_others(name));
        let mut stdin = std::io::empty();
        let mut plan = Self::resolve_names(&request, Names::IfGiven, &environment, &mut stdin)?;
        plan.connect.names_from = NamesFrom::FromContainer;
        Ok(plan)
    }

    /// Resolves `request`: a flag wins over the environment, the environment over the profile.
    ///
    /// Runs the profile's key command if the key comes from there; that may take 30 seconds.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if something is missing, malformed or contradictory; a failure
    /// (exit code 1) if the key file cannot be read or the key command fails.
    pub fn resolve(
        request: &ConnectionRequest<'_>,
        environment: Environment<'_>,
        stdin: &mut dyn Read,
    ) -> Result<Self> {
        Self::resolve_names(request, Names::Required, environment, stdin)
    }

    fn resolve_names(
        request: &ConnectionRequest<'_>,
        names: Names,
        environment: Environment<'_>,
        stdin: &mut dyn Read,
    ) -> Result<Self> {
        let ConnectionRequest { args, source, .. } = *request;
        // A variable that is set to nothing counts as not set.
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mut notices = Vec::new();

        let from_string = env(CONNECTION_STRING_VARIABLE)
            .map(|text| ConnectionString::parse(&text))
            .transpose()?;
        let endpoint = Endpoint::resolve(request, &env, from_string.as_ref())?;
        let (is_emulator, is_named) = (endpoint.is_emulator, endpoint.is_named);
        let mut values = vec![endpoint.value()];
        let endpoint = endpoint.url;
        // A connection string for another account contributes nothing, least of all its key.
        let other_account = from_string
            .as_ref()
            .filter(|s| !same_account(&s.endpoint, &endpoint));
        let from_string = from_string.as_ref().filter(|_| other_account.is_none());

        let named = names.resolve(request, &env, from_string)?;
        values.extend(named.iter().flatten().cloned());
        let [database, container] =
            named.map(|name| name.map_or_else(String::new, |name| name.value));

        let profile = profile_of_account(request, &endpoint, &mut notices)?;
        let method = Method::resolve(args, &env, from_string, profile);
        values.push(method.value());
        let mut key_reader = None;
        let credential = match method.auth {
            AuthMethod::Auto | AuthMethod::Key => {
                let found = account_key(request, &env, from_string, profile, stdin, &mut notices)?;
                match found {
                    Some(found) => {
                        values.push(found.value);
                        key_reader = found.reader;
                        CredentialOptions::Key(found.key)
                    }
                    None if is_emulator => {
                        values.push(well_known_key());
                        CredentialOptions::Key(SecretText::new(EMULATOR_KEY))
                    }
                    None => {
                        no_key_contradiction(&endpoint, other_account)?;
                        without_key(method.auth, &endpoint, &env, &mut notices)?
                    }
                }
            }
            named => CredentialOptions::EntraId(entra_id(named, &env)?),
        };
        if matches!(credential, CredentialOptions::EntraId(_)) {
            ensure_safe_for_a_token(&endpoint, is_named)?;
        }
        if source.is_none() {
            notices.extend(overridden(request, &values));
        }

        let throughput = throughput::resolve(request, &mut values);
        let routing = routing::resolve(request, &mut values)?;
        let token = match &credential {
            CredentialOptions::EntraId(_) => token_options(request, &endpoint, &env, &mut values)?,
            CredentialOptions::Key(_) => TokenOptions::default(),
        };

        let via_arm = arm::resolve(request, &endpoint, &credential, &env, &mut values)?;

        let asks_for_self_signed = from_string.is_some_and(|s| s.accept_self_signed);
        if asks_for_self_signed && !is_loopback(&endpoint) {
            notices.push(format!(
                "DisableServerCertificateValidation is ignored: {endpoint} is not on the loopback interface"
            ));
        }
        Ok(Self {
            connect: ConnectOptions {
                accept_self_signed: is_loopback(&endpoint)
                    && endpoint.scheme() == "https"
                    && (is_emulator || asks_for_self_signed),
                endpoint,
                database,
                container,
                names_from: if source.is_some() {
                    NamesFrom::State
                } else {
                    NamesFrom::Settings
                },
                credential,
                key_reader,
                throughput,
                token,
                routing,
                via_arm,
            },
            notices,
            values,
        })
    }

    /// Checks that a state of `source` belongs to the container of this connection. An account that
    /// `has_moved` may have another address.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both sides.
    pub fn ensure_is_of(&self, source: &ContainerAddress, has_moved: bool) -> Result<()> {
        let (url, _) = parse_endpoint(&source.endpoint, "the state file's endpoint")?;
        if !has_moved && !same_account(&url, &self.connect.endpoint) {
            return Err(contradiction(
                "account",
                "--endpoint",
                url.as_str(),
                self.connect.endpoint.as_str(),
                &self.origin_of("endpoint"),
            ));
        }
        self.ensure_names_are_of(source)
    }

    /// Checks that it connects to the account of a plan, which is of `source`.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both accounts.
    pub fn ensure_is_planned(&self, source: &ContainerAddress) -> Result<()> {
        let (url, _) = parse_endpoint(&source.endpoint, "the endpoint in the plan")?;
        if same_account(&url, &self.connect.endpoint) {
            return Ok(());
        }
        Err(usage(
            format!(
                "the plan is of the account `{url}`, but the container would be read in `{}`",
                self.connect.endpoint
            ),
            "name the profile of the account of the plan: --source-profile NAME; if the account has moved, add \
             --account-moved",
        ))
    }

    fn origin_of(&self, name: &str) -> Origin {
        let value = self.values.iter().find(|value| value.name == name);
        value.map_or(Origin::Default, |value| value.origin.clone())
    }

    /// As [`ConnectionPlan::ensure_is_of`], for the names of database and container alone.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both sides.
    pub fn ensure_names_are_of(&self, source: &ContainerAddress) -> Result<()> {
        self.ensure_database_is_of(source)?;
        if source.container != self.connect.container {
            let own = check_name("container", &source.container)?;
            let origin = self.origin_of("container");
            let given = &self.connect.container;
            return Err(contradiction(
                "container",
                "--container",
                &own,
                given,
                &origin,
            ));
        }
        Ok(())
    }

    /// The same, for the name of the database alone.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both sides.
    pub fn ensure_database_is_of(&self, source: &ContainerAddress) -> Result<()> {
        if source.database == self.connect.database {
            return Ok(());
        }
        let own = check_name("database", &source.database)?;
        let origin = self.origin_of("database");
        let given = &self.connect.database;
        Err(contradiction(
            "database",
            "--database",
            &own,
            given,
            &origin,
        ))
    }

    /// The name of the container alone, without resolving anything else: no key is read and no command is
    /// run.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if it is missing or malformed.
    pub fn container_of(
        request: &ConnectionRequest<'_>,
        environment: Environment<'_>,
    ) -> Result<String> {
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        Ok(Name::Container.resolve(request, &env, None)?.value)
    }
}

/// The profile whose credential can be used: one for this account. A profile for another account
/// contributes no key, as a connection string for another account does not.
fn profile_of_account<'a>(
    request: &ConnectionRequest<'a>,
    endpoint: &Url,
    notices: &mut Vec<String>,
) -> Result<Option<&'a Profile>> {
    let Some(chosen) = request.profile else {
        return Ok(None);
    };
    let profile = chosen.profile;
    let Some(own) = &profile.endpoint else {
        return Ok(Some(profile));
    };
    if profile.may_serve(endpoint) {
        return Ok(Some(profile));
    }
    if request.source.is_some() && !request.args.account_moved {
        return Err(usage(
            format!(
                "the export belongs to the account {endpoint}, but the profile `{}` is for {}",
                profile.name, own.url
            ),
            "use a profile of that account with --profile, or none",
        ));
    }
    if chosen.is_named && profile.has_credential() {
        notices.push(format!(
            "the credential of profile `{}` is for {} and is not used for {endpoint}",
            profile.name, own.url
        ));
    }
    Ok(None)
}

/// Warns of each value of a named profile that a variable, perhaps a forgotten one, overrides.
fn overridden(request: &ConnectionRequest<'_>, values: &[ResolvedValue]) -> Vec<String> {
    let Some(chosen) = request.profile.filter(|chosen| chosen.is_named) else {
        return Vec::new();
    };
    let profile = chosen.profile;
    let endpoint = profile.endpoint.as_ref().map(|own| own.url.as_str());
    let of_profile = [
        (&table::ENDPOINT.row, "endpoint", endpoint),
        (
            &table::DATABASE.row,
            "database",
            profile.database.as_deref(),
        ),
        (
            &table::CONTAINER.row,
            "container",
            profile.container.as_deref(),
        ),
        // Only its presence counts.
        (
            &table::AUTH.row,
            "credential",
            profile.has_credential().then_some(""),
        ),
    ];
    let warning = |value: &ResolvedValue| {
        let Origin::Variable(variable) = value.origin else {
            return None;
        };
        let (_, what, own) = of_profile.iter().find(|(row, ..)| row.name == value.name)?;
        ((*own)? != value.value).then(|| {
            format!(
                "{variable} overrides the {what} of profile `{}`; unset it to use the profile's",
                profile.name
            )
        })
    };
    values.iter().filter_map(warning).collect()
}
