//! Whether containers are created, and throughput is read, through Azure Resource Manager.

use anyhow::Result;
use url::Url;

use super::request::ConnectionRequest;
use crate::cli::choices::Via;
use crate::cosmos::arm::address_of;
use crate::cosmos::endpoint::{has_more_than_host, has_user};
use crate::cosmos::options::{ArmOptions, CredentialOptions};
use crate::error::usage;
use crate::settings::endpoint::{is_of_azure, national_cloud};
use crate::settings::environment::Environment;
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::setting::Setting;
use crate::settings::table::{
    ACCOUNT_NAME, RESOURCE_GROUP, RESOURCE_MANAGER_VARIABLE, SUBSCRIPTION, VIA,
};

/// Where the control plane of the account at `endpoint` is; none if it is not asked. What is given is added to `values`.
///
/// # Errors
///
/// A usage error if the credential is an account key, or the name of the account is not known.
pub(super) fn resolve(
    request: &ConnectionRequest<'_>,
    endpoint: &Url,
    credential: &CredentialOptions,
    env: Environment<'_>,
    values: &mut Vec<ResolvedValue>,
) -> Result<Option<ArmOptions>> {
    let typed = request.args;
    let via = found(request, &VIA, typed.via, env, values)?;
    if via != Some(Via::Arm) {
        return Ok(None);
    }
    if let CredentialOptions::Key(_) = credential {
        return Err(usage(
            "--via arm needs an Entra ID credential, and an account key is used",
            "Azure Resource Manager accepts no account key: leave the key out, or name a method such as --auth cli",
        ));
    }
    let subscription = found(
        request,
        &SUBSCRIPTION,
        typed.subscription.clone(),
        env,
        values,
    )?;
    let resource_group = found(
        request,
        &RESOURCE_GROUP,
        typed.resource_group.clone(),
        env,
        values,
    )?;
    let account = found(
        request,
        &ACCOUNT_NAME,
        typed.account_name.clone(),
        env,
        values,
    )?;
    let in_endpoint = name_in(endpoint);
    if let (Some(account), Some(host)) = (&account, &in_endpoint)
        && !is_of_account(host, account)
    {
        return Err(usage(
            format!(
                "--via arm: {endpoint} is the endpoint of the account `{host}`, and --account-name says `{account}`"
            ),
            "containers would be created in one account and filled in another: leave --account-name out, or give the endpoint \
             of that account; the name can also come from a profile",
        ));
    }
    let account = match account.or(in_endpoint) {
        Some(account) => account,
        None => {
            return Err(usage(
                format!("--via arm: {endpoint} does not say the name of the account"),
                "give it with --account-name",
            ));
        }
    };
    let (address, scope) = address_of(national_cloud(endpoint));
    let address = match env(RESOURCE_MANAGER_VARIABLE) {
        Some(other) => parse_address(&other)?,
        None => Url::parse(address)?,
    };
    Ok(Some(ArmOptions {
        endpoint: address,
        scope: scope.to_owned(),
        account,
        subscription,
        resource_group,
    }))
}

/// The flag, otherwise the variable, otherwise the option of the profile.
fn found<T: Clone + Send + Sync + 'static>(
    request: &ConnectionRequest<'_>,
    setting: &Setting<T>,
    typed: Option<T>,
    env: Environment<'_>,
    values: &mut Vec<ResolvedValue>,
) -> Result<Option<T>> {
    let row = &setting.row;
    let of_variable = || {
        let variable = row.variable?;
        Some((env(variable)?, Origin::Variable(variable)))
    };
    let of_profile = || {
        let profile = request.profile?.profile;
        let text = profile.options.text(row.name)?;
        Some((text.to_owned(), Origin::Profile(profile.name.clone())))
    };
    let (value, origin) = match typed {
        Some(value) => (value, Origin::Flag(row.name)),
        None => {
            let Some((text, origin)) = of_variable().or_else(of_profile) else {
                return Ok(None);
            };
            let value = setting.value.parse(&text).map_err(|reason| {
                usage(
                    format!("{origin} has a wrong value: {reason}"),
                    format!("give it a value that {} takes, or remove it", row.flag()),
                )
            })?;
            (value, origin)
        }
    };
    let shown = setting.value.show(&value).unwrap_or_default();
    values.push(ResolvedValue::new(row.name, shown, origin));
    Ok(Some(value))
}

/// The name of the account in its endpoint.
fn name_in(endpoint: &Url) -> Option<String> {
    let host = endpoint.host_str().filter(|_| is_of_azure(endpoint))?;
    host.split('.').next().map(str::to_owned)
}

/// Whether the first word of a host is of this account: its name, or that with a region behind it, as in
/// `shop-westeurope`.
fn is_of_account(host: &str, account: &str) -> bool {
    let (host, account) = (host.to_ascii_lowercase(), account.to_ascii_lowercase());
    host.strip_prefix(&account)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The address of another control plane, such as that of a private cloud. A token is sent there, so nothing but https
/// is accepted.
fn parse_address(text: &str) -> Result<Url> {
    let url = Url::parse(text.trim()).ok();
    url.filter(|url| {
        url.scheme() == "https" && url.has_host() && !has_user(url) && !has_more_than_host(url)
    })
    .ok_or_else(|| {
        usage(
            format!("{RESOURCE_MANAGER_VARIABLE} is not the address of an Azure Resource Manager"),
            "it has https and nothing after the host, as in https://management.azure.com/: an Entra ID token is sent \
             there",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_account_is_the_first_word_of_its_host() {
        for (endpoint, name) in [
            ("https://shop.documents.azure.com/", Some("shop")),
            (
                "https://shop.privatelink.documents.azure.com/",
                Some("shop"),
            ),
            ("https://shop.documents.azure.cn/", Some("shop")),
            ("https://localhost:8081/", None),
            ("https://shop.example.com/", None),
        ] {
            let endpoint = Url::parse(endpoint).unwrap();
            assert_eq!(name_in(&endpoint).as_deref(), name, "{endpoint}");
        }
    }

    #[test]
    fn a_host_is_of_its_account_and_of_no_other() {
        for (host, account, is_it) in [
            ("shop", "shop", true),
            ("shop", "Shop", true),
            ("shop-westeurope", "shop", true),
            ("shop2", "shop", false),
            ("other", "shop", false),
        ] {
            assert_eq!(is_of_account(host, account), is_it, "{host} {account}");
        }
    }

    #[test]
    fn a_token_goes_to_no_address_in_plain_text() {
        assert!(parse_address("https://management.example/").is_ok());
        assert!(parse_address(" https://127.0.0.1:8443 ").is_ok());
        for odd in [
            "",
            "management.azure.com",
            "http://management.azure.com/",
            "http://127.0.0.1/",
            "https://u:p@management.azure.com/",
            "https://management.azure.com/x",
            "https://management.azure.com/?x",
        ] {
            assert!(parse_address(odd).is_err(), "{odd}");
        }
    }
}
