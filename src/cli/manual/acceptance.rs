//! The manual of `acceptance`.

use super::Manual;

pub(super) const ACCEPTANCE: Manual = Manual {
    examples: &[
        (
            "what would it cost?",
            "cosmos-tail acceptance --profile test --scratch-database ct_acceptance",
        ),
        (
            "test an account, with a report for an issue",
            "cosmos-tail acceptance --profile test --scratch-database ct_acceptance --yes --report report.json",
        ),
        (
            "with little of its throughput",
            "cosmos-tail acceptance --profile test --scratch-database ct_acceptance --yes --max-ru 300",
        ),
        (
            "after a crash",
            "cosmos-tail acceptance --profile test --scratch-database ct_acceptance --clean-up",
        ),
        (
            "on the embedded account",
            "cosmos-tail --demo acceptance --scratch-database ct_acceptance --yes",
        ),
    ],
    notes: &[],
    exit_codes: &[
        (
            0,
            "no step failed, and some exports passed; the account may have refused others",
        ),
        (
            1,
            "a step failed, nothing was tested, or the test could not begin or clean up",
        ),
        (
            2,
            "usage error: the database exists, or --yes is missing; nothing was created",
        ),
        (
            130,
            "interrupted by Ctrl-C; what the test had made was deleted",
        ),
        (
            143,
            "terminated by SIGTERM; what the test had made was deleted",
        ),
    ],
};
