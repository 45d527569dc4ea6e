//! How a comparison ended: what differs, the summary and the exit code.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use time::OffsetDateTime;

use super::comparison::{Comparison, Open, Tally};
use super::examine::{Kind, Pair, SOURCE, TARGET};
use super::follow::{Followed, Outcome, Verdict};
use super::keyed::Address;
use super::listing::{Listing, paths};
use super::repair::{Repair, Repaired};
use super::settle::Settled;
use crate::clock;
use crate::content::canonical::Content;
use crate::content::hashes::Name;
use crate::count::count;
use crate::error::ExitCode;
use crate::escape::shell_word;
use crate::report::{CompareSummary, ComparedSummary, Report, SummaryFormat};
use crate::settings::ComparePlan;

/// How many differences are shown if there is no report.
const SHOWN: usize = 10;

/// The paths that are shown of a document.
const SHOWN_PATHS: usize = 5;

/// How long the documents that differ are read once more for, after both sides were followed: a stop ends soon.
const LAST_LOOK: Duration = Duration::from_secs(60);

/// What was found.
pub(super) struct Ended {
    pub(super) summary: Found,
    /// The first differences, if they are to be shown.
    pub(super) first: Vec<String>,
    /// What a replay repairs the target with, if that was asked for.
    pub(super) repaired: Option<Repaired>,
}

/// The numbers of what was found.
pub(super) struct Found {
    documents: [u64; 2],
    tally: Tally,
    changing: u64,
    /// Differences that are in the report, or shown.
    listed: u64,
    /// Whether there would be more if they could have been read.
    is_cut: bool,
    /// The last verdict, if the sides were followed.
    verdict: Option<Verdict>,
}

/// Carries a comparison out.
pub(super) async fn run(
    comparison: &Comparison,
    plan: &ComparePlan,
    (listing, repair): (Listing, Option<Repair>),
    report: &Report,
) -> Result<Ended> {
    let digests = if plan.bytes {
        // Of these only the counts are needed.
        comparison.digests_by_content().await?
    } else {
        comparison.digests(report).await?
    };
    let documents = [digests[SOURCE].documents, digests[TARGET].documents];
    let differing = if plan.bytes {
        comparison.by_bytes(&digests, report).await?
    } else {
        let unlike = digests[SOURCE].unlike(&digests[TARGET]);
        report.detail(&format!(
            "{} of {} ranges of keys are compared document by document",
            unlike.len(),
            comparison.keyers[SOURCE].buckets()
        ));
        comparison.sort_out(&unlike, &digests, report).await?
    };
    drop(digests);
    let settled = comparison.settle(differing, plan.settle, report).await?;
    conclude(
        comparison,
        plan,
        (listing, repair),
        report,
        documents,
        settled,
        None,
    )
    .await
}

/// Ends a comparison that was followed.
pub(super) async fn conclude_followed(
    comparison: &Comparison,
    plan: &ComparePlan,
    out: (Listing, Option<Repair>),
    report: &Report,
    followed: Followed,
) -> Result<Ended> {
    // Its feeds stay until everything was read.
    let Followed {
        verdict,
        documents,
        settled,
        ..
    } = followed;
    let (changing, has_repair) = (settled.changing, out.1.is_some());
    let patience = Some(LAST_LOOK);
    let ended = conclude(comparison, plan, out, report, documents, settled, patience).await?;
    if verdict.has_unread {
        report.warning(
            "not everything that has changed was read: there may be more differences than were counted and written, so \
             compare again; a larger --memory has space for more",
        );
    }
    if changing > 0 && has_repair {
        report.warning(&format!(
            "the repair lacks {} that may differ, but changed a moment ago: replay it and compare again",
            count(changing, "document")
        ));
    }
    Ok(Ended {
        summary: Found {
            verdict: Some(verdict),
            ..ended.summary
        },
        ..ended
    })
}

/// Lists what stayed different. With `patience`, a side that cannot be read in that time costs the list, and not what is
/// known of the sides.
async fn conclude(
    comparison: &Comparison,
    plan: &ComparePlan,
    (listing, repair): (Listing, Option<Repair>),
    report: &Report,
    documents: [u64; 2],
    settled: Settled,
    patience: Option<Duration>,
) -> Result<Ended> {
    let mut tally = settled.different.beyond;
    for open in &settled.different.open {
        tally.add(open.kind());
    }
    let mut open = settled.different.open;
    open.sort_unstable_by_key(|open| (open.kind(), open.name));
    let max = match &plan.report {
        Some(_) => usize::try_from(plan.max_differences).unwrap_or(usize::MAX),
        None => SHOWN,
    };
    let listed = open.len().min(max);
    let mut out = Out {
        listing,
        repair,
        first: Vec::new(),
        listed: 0,
        gone: Tally::default(),
    };
    let kept = usize::try_from(comparison.memory.kept).unwrap_or(usize::MAX);
    let (to_list, others) = open.split_at(listed);
    // A repair needs the others too.
    let others = if out.repair.is_some() { others } else { &[] };
    let list = async {
        for (open, is_listed) in [(to_list, true), (others, false)] {
            for chunk in open.chunks(kept) {
                list(comparison, plan, chunk, is_listed, &mut out).await?;
            }
        }
        anyhow::Ok(())
    };
    let has_listed = match patience {
        Some(patience) => {
            let late = |_| Err(anyhow!("it took more than {} s", patience.as_secs()));
            tokio::time::timeout(patience, list)
                .await
                .unwrap_or_else(late)
        }
        None => list.await,
    };
    let is_cut = match (has_listed, patience) {
        (Ok(()), _) => false,
        (Err(error), None) => return Err(error),
        (Err(error), Some(_)) => {
            let what = match &out.repair {
                Some(_) => "the report and the repair lack documents",
                None => "not all of them are listed",
            };
            report.warning(&format!(
                "the documents that differ could not be read once more, so {what}: {error:#}"
            ));
            true
        }
    };
    tally.take_out(out.gone);
    out.listing.finish()?;
    let repaired = out.repair.map(Repair::finish).transpose()?;
    if repaired.is_some() && settled.different.beyond.all() > 0 {
        report.warning(&format!(
            "the repair lacks {}, for which there was no space: replay it and compare again, or raise --memory",
            count(settled.different.beyond.all(), "document")
        ));
    }
    Ok(Ended {
        summary: Found {
            documents,
            tally,
            changing: settled.changing,
            listed: out.listed,
            is_cut,
            verdict: None,
        },
        first: out.first,
        repaired,
    })
}

/// Where differences go.
struct Out {
    listing: Listing,
    repair: Option<Repair>,
    first: Vec<String>,
    /// Documents that were listed, and those that do not differ any more.
    listed: u64,
    gone: Tally,
}

/// Reports how to apply a repair.
pub(super) fn report_repair(repaired: &Repaired, report: &Report) {
    for (path, records) in &repaired.files {
        report.notice(&format!(
            "to repair {} of the target: cosmos-tail replay {} -d DATABASE -c CONTAINER",
            count(*records, "document"),
            shell_word(path)
        ));
    }
}

/// Lists documents that differ, with their texts, and counts those that do not any more.
async fn list(
    comparison: &Comparison,
    plan: &ComparePlan,
    chunk: &[Open],
    is_listed: bool,
    out: &mut Out,
) -> Result<()> {
    let content = &comparison.keyers[TARGET].content;
    let mut left: HashMap<Name, Open> = chunk.iter().map(|open| (open.name, *open)).collect();
    // Fewer at once, if there is no space for the texts of both sides.
    let mut most = left.len();
    while !left.is_empty() {
        let asked: Vec<Open> = left.values().take(most).copied().collect();
        let names = asked.iter().map(|open| (open.name, open.bucket)).collect();
        let free = match most {
            1 => usize::MAX,
            _ => comparison.memory.texts,
        };
        let mut kept = comparison.kept(names, free).await?;
        let before = left.len();
        let mut whole: Vec<(Kind, Pair)> = Vec::new();
        for open in asked {
            let pair = kept.pairs.remove(&open.name).unwrap_or_default();
            match Kind::of(pair.contents) {
                None => out.gone.add(open.kind()),
                Some(_) if !pair.is_whole() => continue,
                Some(kind) => whole.push((kind, pair)),
            }
            left.remove(&open.name);
        }
        if left.len() == before {
            most = (most / 2).max(1);
        }
        whole.sort_by(|(a, one), (b, other)| (a, &one.address).cmp(&(b, &other.address)));
        for (kind, pair) in &whole {
            if let Some(repair) = &mut out.repair {
                repair.add(*kind, pair)?;
            }
            if is_listed {
                out.listing.write(*kind, pair, content)?;
                out.listed += 1;
                if plan.report.is_none() {
                    out.first.push(shown(*kind, pair, content));
                }
            }
        }
    }
    Ok(())
}

/// A difference, for a person.
fn shown(kind: Kind, pair: &Pair, content: &Content) -> String {
    let Address { key, id } = pair.address.clone().unwrap_or(Address {
        key: String::new(),
        id: String::new(),
    });
    let paths = match kind {
        Kind::Different => paths(pair, content),
        Kind::Missing | Kind::Extra => Vec::new(),
    };
    let more = match paths.len().saturating_sub(SHOWN_PATHS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let paths = match &paths[..paths.len().min(SHOWN_PATHS)] {
        [] => String::new(),
        shown => format!(": {}{more}", shown.join(", ")),
    };
    format!("  {:<9} {id} of {key}{paths}", kind.name())
}

/// How a comparison ended.
#[derive(Debug)]
pub struct Compared {
    /// The exit code.
    pub code: ExitCode,
    /// The summary, which was printed unless it is a part of another one.
    pub summary: CompareSummary,
}

/// Prints the summary, and returns it with the exit code.
pub(super) fn finish(
    found: Found,
    first: Vec<String>,
    (begun, started): (Instant, OffsetDateTime),
    comparison: &Comparison,
    plan: &ComparePlan,
    report: &Report,
) -> Result<Compared> {
    let Found {
        documents,
        tally,
        changing,
        listed,
        is_cut,
        verdict,
    } = found;
    let is_settled = verdict
        .as_ref()
        .is_none_or(|verdict| verdict.outcome == Outcome::Same);
    let (outcome, code) = match (tally.all(), changing) {
        (0, 0) if is_settled => (Outcome::Same, ExitCode::Done),
        (0, _) => (Outcome::Changing, ExitCode::Changing),
        _ => (Outcome::Different, ExitCode::Different),
    };
    let compared = |side: usize| ComparedSummary {
        name: comparison.sides[side].name.clone(),
        documents: documents[side],
        request_units: comparison.sides[side].request_units(),
    };
    let is_listed = plan.report.is_some();
    for line in first {
        report.notice(&line);
    }
    let unlisted = tally.all().saturating_sub(listed);
    if unlisted > 0 && !is_listed && !is_cut {
        report.notice(&format!(
            "  and {}; --report FILE lists them",
            count(unlisted, "more document")
        ));
    }
    let summary = CompareSummary {
        outcome: outcome.name(),
        as_of: verdict.as_ref().and_then(|verdict| verdict.as_of),
        deletions_as_of: verdict.as_ref().and_then(|verdict| verdict.deletions_as_of),
        missing: tally.missing,
        extra: tally.extra,
        different: tally.different,
        changing,
        incomplete: verdict.as_ref().map(|verdict| verdict.has_unread || is_cut),
        source: compared(SOURCE),
        target: compared(TARGET),
        started,
        ended: clock::now(),
        seconds: begun.elapsed().as_secs_f64(),
        report: plan.report.as_ref().map(ToString::to_string),
    };
    if plan.of_several.is_none() || plan.summary == SummaryFormat::Text {
        report.compare_summary(&summary, plan.summary)?;
    }
    if unlisted > 0 && is_listed && !is_cut {
        let limit = if listed >= plan.max_differences {
            "--max-differences"
        } else {
            "--memory"
        };
        report.warning(&format!(
            "the report has {}; to list {} that {}, raise {limit}",
            count(listed, "document"),
            count(unlisted, "more document"),
            if unlisted == 1 { "differs" } else { "differ" },
        ));
    }
    Ok(Compared { code, summary })
}
