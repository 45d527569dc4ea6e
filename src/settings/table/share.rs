//! What instances have that share a feed by leases.

use std::time::Duration;

use crate::cli::Command;
use crate::cli::choices::LeaseFormat;
use crate::settings::setting::{Heading, Setting, settings};
use crate::settings::value::{choice, duration, text};

const SHARING: &[Command] = &[Command::Tail, Command::Export, Command::Replay];

/// Those whose short help has no room for them.
const IN_FULL: &[Command] = &[Command::Export, Command::Replay];

settings! {
    SHARED_GROUP: String = Setting::new("group", text("NAME"))
        .help("Share the ranges with all instances of this group, by leases: each change is read by one of them")
        .details(
            "The name of a change feed processor of .NET, the lease prefix of Java, or the LeaseContainerPrefix of \
             Functions is the group of that processor: then its instances share with this one, and take over from \
             each other. A new name makes a new group, whose leases begin at --from. A pipe gets \
             each change at least once: after a crash, or when a range moves to another instance, the changes after the \
             last saved position are printed again. An object store gets it exactly once: the state of each range is there, \
             whoever reads it. An export needs --follow. A replay can apply a change again, but only on the condition \
             of what the target has, so that a late write of an instance that was paused cannot leave an older document. It needs \
             --from-container and --follow, and feeds one target.",
        )
        .requires("leases")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full_of(IN_FULL)
        .brief("Share the ranges with the instances of this group");

    SHARED_LEASES: String = Setting::new("leases", text("DATABASE/CONTAINER"))
        .help("The container of the leases, such as shop/leases; its partition key is /id or /partitionKey")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full_of(IN_FULL)
        .brief("The container of its leases");

    INSTANCE: String = Setting::new("instance", text("NAME"))
        .help("The name of this instance, which no other one of the group has; in lower case")
        .details(
            "With a name that stays the same, a restart takes its leases back at once; otherwise the leases of a \
             process that crashed are taken when they have expired.",
        )
        .described_default("the host and a random number")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full();

    SHARED_LEASE_FORMAT: LeaseFormat = Setting::new("lease-format", choice("FORMAT"))
        .help("Whose leases the group has. KEDA reads those of .NET")
        .default("dotnet")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full();

    ACQUIRE_INTERVAL: Duration = Setting::new("acquire-interval", duration())
        .help("How often to look for leases to take")
        .default("13s")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full();

    RENEW_INTERVAL: Duration = Setting::new("renew-interval", duration())
        .help("How often to renew a lease")
        .default("17s")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full();

    SHARED_EXPIRATION: Duration = Setting::new("expiration-interval", duration())
        .help("After how long a lease that is not renewed is taken by others: the same for all instances of a group")
        .details("An instance stops reading a range three quarters of this time after it last began to renew its lease.")
        .default("60s")
        .requires("group")
        .of(SHARING)
        .under(Heading::Changes)
        .in_full();
}
