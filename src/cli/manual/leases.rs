//! The manuals of the commands on leases.

use super::form::{Manual, PLAIN_EXIT_CODES};

pub(super) const ALL: Manual = Manual {
    examples: &[
        (
            "the leases of all groups",
            "cosmos-tail leases list --leases shop/leases",
        ),
        (
            "find what is wrong with them",
            "cosmos-tail leases check --leases shop/leases",
        ),
        (
            "read the last hour again, once the processor is stopped",
            "cosmos-tail leases reset --leases shop/l --group orders --to 1h",
        ),
        (
            "how far a group is behind",
            "cosmos-tail lag --group orders --leases shop/leases",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const LIST: Manual = Manual {
    examples: &[
        (
            "the leases of all groups",
            "cosmos-tail leases list --leases shop/leases",
        ),
        (
            "of one group, again every five seconds",
            "cosmos-tail leases list --leases shop/leases --group orders --watch 5s",
        ),
        (
            "for scripts",
            "cosmos-tail leases list --leases shop/leases --format json",
        ),
    ],
    notes: &[
        "A lease is held, expired (its owner no longer renews it), ownerless, stuck (held, while a change waits for \
         longer than --stuck-after), orphaned (what it is for does not exist any more), duplicate (another lease is \
         for the same range), missing (there is none for the range, which nobody reads) or foreign (a document that is \
         no lease of the group).",
        "BEHIND is how many transactions there were in the partition since the position, and WAITING how long ago the \
         oldest change after it was made. `≤` marks an upper bound: of a part of a partition, and of a lease without a \
         position, which starts where its processor's options say.",
    ],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const CHECK: Manual = Manual {
    examples: &[
        (
            "all groups",
            "cosmos-tail leases check --leases shop/leases",
        ),
        (
            "in a probe: fail for leases that nobody has, too",
            "cosmos-tail leases check --leases shop/leases --strict",
        ),
        (
            "for scripts",
            "cosmos-tail leases check --leases shop/leases --format json",
        ),
    ],
    notes: &[],
    exit_codes: &[
        (0, "no faults"),
        (1, "faults found; standard output lists them"),
        (2, "usage error: the command line cannot be carried out"),
        (130, "interrupted by Ctrl-C"),
        (143, "terminated by SIGTERM"),
    ],
};

pub(super) const REPAIR: Manual = Manual {
    examples: &[
        (
            "see what would be done",
            "cosmos-tail leases repair --leases shop/l --group orders --dry-run",
        ),
        (
            "what is created begins now, and not at the beginning",
            "cosmos-tail leases repair --leases shop/l --group orders --to now",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const RESET: Manual = Manual {
    examples: &[
        (
            "read the last hour again",
            "cosmos-tail leases reset --leases shop/l --group orders --to 1h",
        ),
        (
            "see what would be done",
            "cosmos-tail leases reset --leases s/l --group o --to now --dry-run",
        ),
        (
            "one lease, to an LSN",
            "cosmos-tail leases reset --leases s/l --group o --range 3 --to 1234",
        ),
    ],
    notes: &[
        "Every write has the ETag of what was read as its condition. With --force, a lease that an instance has is \
         taken from it: the instance stops reading the range when it notices.",
    ],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const RELEASE: Manual = Manual {
    examples: &[
        (
            "all leases of a group",
            "cosmos-tail leases release --leases shop/leases --group orders",
        ),
        (
            "one lease, from an instance that hangs",
            "cosmos-tail leases release --leases s/l --group o --range 3 --force",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const EXPORT: Manual = Manual {
    examples: &[(
        "to a file",
        "cosmos-tail leases export --leases s/l --group o > leases.json",
    )],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const IMPORT: Manual = Manual {
    examples: &[
        (
            "as leases of .NET",
            "cosmos-tail leases import l.json --leases s/l --group o -d s -c c",
        ),
        (
            "as leases of Java",
            "cosmos-tail leases import l.json --leases s/l --group o --lease-format java",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

pub(super) const ADOPT: Manual = Manual {
    examples: &[
        (
            "a processor goes on where a tail has stopped",
            "cosmos-tail leases adopt --from-state t.json --leases s/l --group o",
        ),
        (
            "a tail goes on where a processor has stopped",
            "cosmos-tail leases adopt --to-state t.json --leases s/l --group o",
        ),
        (
            "a processor of Java goes on where one of .NET has stopped",
            "cosmos-tail leases adopt --lease-format java --leases s/l --group o",
        ),
    ],
    notes: &[
        "Leases are converted in place. Meanwhile the group has a lock and no marker, so that an instance that starts \
         waits. If this is interrupted, the same command goes on from there.",
    ],
    exit_codes: PLAIN_EXIT_CODES,
};
