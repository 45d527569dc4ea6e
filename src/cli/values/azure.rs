//! Names that Azure has for its things.

use super::Parsed;

/// Parses the names of regions, separated by commas, such as `West Europe,eastus`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn regions(text: &str) -> Parsed<Vec<String>> {
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.any(char::is_alphanumeric)
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '(' | ')'))
    };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().all(|name| is_name(name)) {
        Ok(names)
    } else {
        Err("expected names of regions, such as `West Europe`, separated by commas".to_owned())
    }
}

/// Parses the scope of a token: a URL, which ends in `/.default` unless it names another permission.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn token_scope(text: &str) -> Parsed<String> {
    const EXPECTED: &str = "expected a URL such as https://cosmos.azure.com/.default";
    let text = text.trim();
    let url = url::Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if url.scheme() != "https" || !url.has_host() || has_user || url.query().is_some() {
        return Err(EXPECTED.to_owned());
    }
    Ok(match url.path() {
        // The resource alone, as the Azure CLI names it.
        "/" => format!("{}/.default", text.trim_end_matches('/')),
        _ => text.to_owned(),
    })
}

/// Takes the id of a subscription of Azure.
///
/// # Errors
///
/// If it is none.
pub fn subscription(text: &str) -> Parsed<String> {
    let is_id = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let expected =
        "expected the id of a subscription, such as 00000000-0000-0000-0000-000000000000";
    is_id
        .then(|| text.to_owned())
        .ok_or_else(|| expected.to_owned())
}

/// Takes the name of a resource group of Azure.
///
/// # Errors
///
/// If Azure takes no such name.
pub fn resource_group(text: &str) -> Parsed<String> {
    let is_name = (1..=90).contains(&text.chars().count())
        && !text.ends_with('.')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "_-.()".contains(c));
    let expected = "expected the name of a resource group: letters, digits and _ - . ( )";
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| expected.to_owned())
}

/// Takes the name of an account.
///
/// # Errors
///
/// If Azure takes no such name.
pub fn account_name(text: &str) -> Parsed<String> {
    let is_name = (3..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let expected = "expected the name of an account: letters, digits and hyphens";
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| expected.to_owned())
}
