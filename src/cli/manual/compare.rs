//! The manual of `compare`.

use super::Manual;

pub(super) const COMPARE: Manual = Manual {
    examples: &[
        (
            "is all of an export in the container?",
            "cosmos-tail compare orders/ -d shop -c orders_copy",
        ),
        (
            "is a copied container complete?",
            "cosmos-tail compare --from-container shop/orders -d shop -c orders_copy",
        ),
        (
            "in another account",
            "cosmos-tail compare --from-container shop/orders --source-profile old -d shop -c orders",
        ),
        (
            "while both are written to, until they are the same",
            "cosmos-tail compare --from-container shop/orders -d shop -c orders_copy --follow --until-same",
        ),
        (
            "is all of the export of a database in another one?",
            "cosmos-tail compare backup/ -d copy",
        ),
        (
            "what changed between two exports, with the values",
            "cosmos-tail compare monday/ --with tuesday/ --report - --values",
        ),
        (
            "without a member that each side has its own value of",
            "cosmos-tail compare orders/ -d shop -c orders_copy --ignore /importedAt",
        ),
    ],
    notes: &[],
    exit_codes: &[
        (0, "both sides are the same"),
        (1, "failed"),
        (2, "usage error: the command line cannot be carried out"),
        (5, "the sides differ"),
        (6, "they differ only in documents that are still changing"),
        (130, "interrupted by Ctrl-C"),
        (143, "terminated by SIGTERM"),
    ],
};
