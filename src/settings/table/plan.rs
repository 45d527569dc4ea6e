//! What a plan is, and the share of it that an export reads.

use super::export::REPAIR_DETAILS;
use crate::cli::Command;
use crate::cli::choices::PlanUntil;
use crate::cli::location::Location;
use crate::cli::shards::{ShardChoice, shard};
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::value::{Value, choice, location, place};

settings! {
    PLAN_OUTPUT: Location = Setting::new("output", location("FILE"))
        .help(
            "Where to write the plan: plan.json, an object such as s3://BUCKET/plan.json, or `-` for standard output; what \
             exists is never replaced",
        )
        .short('o')
        .required()
        .of(&[Command::Plan])
        .brief("Where to write the plan, such as plan.json, or `-`");

    KEEP: bool = Setting::switch("keep")
        .help("Keep the file if it is a plan of this container already, so that a job can be repeated")
        .of(&[Command::Plan])
        .brief("Keep the plan that is there already");

    AFTER: Location = Setting::new("after", location("DIR|PLAN"))
        .help("Plan what came since: from where the shards of an earlier plan, which wrote to DIR, really ended")
        .details(
            "Everything else is as in the earlier plan, so that both have the same columns. All of its shards must be \
             complete. A plan that was made with `--until exact` can be named itself, or `-` for standard input: its shards \
             end where it says, whoever reads them.",
        )
        .conflicts(&[
            "from",
            "mode",
            "query",
            "query-file",
            "parameter",
            "masked",
            "format",
            "compression",
            "delimiter",
            "null",
            "csv-safe",
            "csv-bom",
            "schema",
            "columns",
            "sample",
            "detect-timestamps",
            "strict-types",
            "system-fields",
        ])
        .of(&[Command::Plan])
        .brief("Plan what came since the shards that wrote to DIR");

    PLAN_UNTIL: PlanUntil = Setting::new("until", choice("WHERE"))
        .help("How far to read each range")
        .details(
            "Each range has its end pinned in the plan. With `head`, a shard reads on until nothing newer exists: a \
             document that is rewritten before it is read has moved beyond the pin.",
        )
        .described_default("head; with --mode all: pin; after a plan: exact")
        .of(&[Command::Plan])
        .in_full();

    EXPORT_PLAN: Location = Setting::new("plan", location("FILE"))
        .help("Read a share of this plan, as `cosmos-tail plan` writes it, and keep its state in the output of all shares")
        .details(
            "`-` is standard input. A share that was interrupted continues when the same command runs again; one that is complete ends at once. \
             The plan says what is read and in which format, so these flags can be left out.",
        )
        .requires("shard")
        .conflicts(&["follow", "until", "force", "state", "partition-key", "group"])
        .of(&[Command::Export])
        .brief("Read a share of a plan: --plan plan.json --shard 0/4");

    SHARD: ShardChoice = Setting::new("shard", Value::new("I/N", shard))
        .help("Which share of the plan: 0/4 to 3/4 of four; auto/4 takes the number from the job that runs it")
        .details(
            "`auto` reads JOB_COMPLETION_INDEX (Kubernetes), SLURM_ARRAY_TASK_ID less SLURM_ARRAY_TASK_MIN, or \
             AWS_BATCH_JOB_ARRAY_INDEX. All shares of an output have the same N.",
        )
        .requires("plan")
        .of(&[Command::Export])
        .in_full();

    SHARD_REPAIR: bool = Setting::switch("repair")
        .help("With --plan or --group: discard open files that do not match their state, and read their ranges again")
        .details(REPAIR_DETAILS)
        .of(&[Command::Export])
        .in_full();

    REPLAY_PLAN: Location = Setting::new("plan", location("FILE"))
        .help("Replay a share of this plan, as `cosmos-tail plan` writes it, instead of files")
        .details(
            "`-` is standard input. The plan names the container that is read, which is in the account of the target unless \
             --source-profile names another. --state DIR has the positions of all shares. A share that was interrupted \
             continues when the same command runs again; one that is complete ends at once. With --dead-letter FILE each \
             share has a file of its own, whose name has its number too.",
        )
        .requires("shard")
        .conflicts(&[
            "from-container", "from", "mode", "snapshot", "follow", "stdout", "input", "delimiter", "types", "only",
            "exclude",
        ])
        .of(&[Command::Replay])
        .under(Heading::FromContainer)
        .brief("Replay a share of a plan: --plan plan.json --shard 0/4")
        .in_full_of(&[Command::Replay]);

    REPLAY_SHARD: ShardChoice = Setting::new("shard", Value::new("I/N", shard))
        .help("Which share of the plan: 0/4 to 3/4 of four; auto/4 takes the number from the job that runs it")
        .details(
            "`auto` reads JOB_COMPLETION_INDEX (Kubernetes), SLURM_ARRAY_TASK_ID less SLURM_ARRAY_TASK_MIN, or \
             AWS_BATCH_JOB_ARRAY_INDEX. All shares of a target have the same N.",
        )
        .requires("plan")
        .of(&[Command::Replay])
        .under(Heading::FromContainer)
        .in_full();

    VERIFY_PLACE: Location = Setting::new("place", place("PLACE"))
        .help("What the shards of the plan wrote to: a directory, or a place such as s3://BUCKET/orders/")
        .details(
            "All shards are checked together: every range of the plan was read to its end, by one shard, and every file \
             is there. If nothing is wrong, a summary is written that marks the whole as complete.",
        )
        .form(Form::Argument)
        .of(&[Command::Verify]);

    QUICK: bool = Setting::switch("quick")
        .help("Do not read the files: compare manifests, states, names and lengths only")
        .of(&[Command::Verify]);
}
