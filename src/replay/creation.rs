//! `--create`: the container that is made, with its scripts, by what was typed or by the definition of the source.

use anyhow::{Context, Result};

use crate::cosmos::client::CosmosClient;
use crate::cosmos::companion::{CompanionKind, Unread};
use crate::cosmos::container::{NewContainer, Template};
use crate::durable::shown_path;
use crate::error::{usage, with_further_hint};
use crate::job::Connected;
use crate::report::Report;
use crate::settings::{Creation, ReplayPlan};
use crate::source::SourceDefinition;
use crate::state::container_file::{ContainerFile, shown_key};

const TYPE_KEY: &str =
    "give its partition key, which makes a plain container: --create --partition-key /customerId";

const ONLY_WITH_KEYS: &str =
    "a new container is made only in a database that has keys of these names";

/// The container that `--create` makes if the source is files. None without `--create`, or if the source is a
/// container.
///
/// # Errors
///
/// If the files do not define it, contradict each other, or what defines it cannot be used.
pub(super) fn by_files(
    plan: &ReplayPlan,
    definitions: &[SourceDefinition],
    report: &Report,
) -> Result<Option<NewContainer>> {
    let Some(create) = plan.create.as_ref().filter(|_| plan.feed.is_none()) else {
        return Ok(None);
    };
    if let Some(plain) = create.plain() {
        return Ok(Some(plain));
    }
    let mut found: Option<Template> = None;
    for source in definitions {
        let Some(template) = template(source, report)? else {
            continue;
        };
        if let Some(first) = &found
            && (!first.definition.is_the_same_as(&template.definition)
                || first.companions.contradict(&template.companions))
        {
            return Err(usage(
                format!(
                    "the sources have two definitions of a container: {} and {}",
                    first.origin, template.origin
                ),
                "replay them one after the other, the first with --create; or make a plain container: \
                 --create --partition-key /customerId",
            ));
        }
        found.get_or_insert(template);
    }
    match found {
        Some(template) => Ok(Some(NewContainer::by(template, create.throughput))),
        None => {
            let source = match definitions {
                [] => "standard input".to_owned(),
                [source, ..] => format!("`{}`", shown_path(&source.source)),
            };
            Err(usage(
                format!(
                    "--create does not know what to create: {source} has no definition of a container"
                ),
                TYPE_KEY,
            ))
        }
    }
}

/// The definition of the container of a source, if there is one.
fn template(source: &SourceDefinition, report: &Report) -> Result<Option<Template>> {
    let Some(path) = &source.file else {
        return Ok(None);
    };
    let shown = shown_path(path);
    let Some(file) =
        ContainerFile::read(path).map_err(|error| with_further_hint(error, TYPE_KEY))?
    else {
        return Ok(None);
    };
    if file.is_changed {
        report.notice(&format!(
            "`{shown}` was changed after the export; the container is made as it is there now"
        ));
    }
    let keys = CompanionKind::ClientEncryptionKeys.names();
    let names = file.not_readable.iter().map(String::as_str);
    let (of_keys, scripts): (Vec<&str>, Vec<&str>) = names.partition(|name| *name == keys);
    if !scripts.is_empty() {
        report.loss(&format!(
            "`{shown}` lacks what was not readable for the export, so a new container is made without: {}",
            scripts.join(", ")
        ));
    }
    if !of_keys.is_empty() {
        report.loss(&format!(
            "`{shown}` lacks the {keys}, which were not readable for the export: {ONLY_WITH_KEYS}"
        ));
    }
    let as_written = ContainerFile {
        is_changed: false,
        ..file.clone()
    };
    if let Some(state) = &source.state
        && let Some(contradiction) = as_written.contradiction(state)
    {
        return Err(usage(format!("`{shown}` {contradiction}"), TYPE_KEY));
    }
    Ok(Some(Template {
        definition: file.definition,
        companions: file.companions,
        origin: format!("`{shown}`"),
        throughput: Some(file.throughput),
    }))
}

/// The container that `create` makes for a copy of `source`. What of it cannot be read is reported.
///
/// # Errors
///
/// If the service did not send the definition of the source.
pub async fn by_container(
    create: &Creation,
    source: &Connected,
    report: &Report,
) -> Result<NewContainer> {
    if let Some(plain) = create.plain() {
        return Ok(plain);
    }
    let address = &source.source;
    let name = format!("{}/{}", address.database, address.container);
    let definition = source.client.definition();
    let definition = definition
        .map_err(|error| with_further_hint(error, TYPE_KEY))
        .with_context(|| format!("cannot use the definition of {name}"))?;
    let companions = source.client.companions(&definition).await;
    for (kind, why) in companions.unread {
        let names = kind.names();
        let why = match why {
            // Nobody can have made any.
            Unread::NotSupported => continue,
            Unread::Denied => "they are not readable with this credential".to_owned(),
            Unread::Failed(reason) => format!("they could not be read: {reason}"),
        };
        report.loss(&match kind {
            CompanionKind::ClientEncryptionKeys => {
                format!("the {names} of {name} are not known: {why}: {ONLY_WITH_KEYS}")
            }
            _ => format!("a new container is made without the {names} of {name}: {why}"),
        });
    }
    let template = Template {
        definition,
        companions: companions.known,
        origin: name,
        throughput: None,
    };
    Ok(NewContainer::by(template, create.throughput))
}

/// Makes the scripts that `client` lacks beside the container, which `new` describes.
///
/// # Errors
///
/// If one is refused.
pub async fn make_scripts(
    client: &CosmosClient,
    new: &NewContainer,
    report: &Report,
) -> Result<()> {
    let Some(template) = &new.template else {
        return Ok(());
    };
    let made = client.make_scripts(template).await?;
    if let Some(doubt) = &made.key_doubt {
        report.loss(&format!(
            "the container is used as it is, although its encrypted documents may not be readable: {doubt}"
        ));
    }
    if !made.new.is_empty() {
        report.detail(&format!("created: {}", made.new.join(", ")));
    }
    if !made.kept.is_empty() {
        report.warning(&format!(
            "the target has others of these names, which stay as they are: {}",
            made.kept.join(", ")
        ));
    }
    Ok(())
}

/// What a container that does not exist would be made of, for people.
pub fn describe(new: &NewContainer) -> String {
    let key = shown_key(&new.partition_key);
    let Some(template) = &new.template else {
        return format!("a plain container with the partition key {key}");
    };
    let policies = template.definition.policies().join(", ");
    let policies = if policies.is_empty() {
        String::new()
    } else {
        format!(" ({policies})")
    };
    let companions = template.companions.counted();
    let companions = companions.map_or_else(String::new, |counted| format!("; {counted}"));
    let throughput = match (new.throughput, template.throughput) {
        (Some(typed), _) => format!("{typed} RU/s"),
        (None, Some(source)) if source.ru_per_second.is_some() => format!(
            "the default of the account; the source had {}",
            source.text()
        ),
        (None, _) => "the default of the account".to_owned(),
    };
    format!(
        "by the definition in {}: partition key {key}{policies}{companions}; throughput: {throughput}",
        template.origin
    )
}
