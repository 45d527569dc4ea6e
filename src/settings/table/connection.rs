//! Which account and container, how to authenticate, and how the service weighs the requests.

use std::path::PathBuf;

use crate::cli::Command;
use crate::cli::choices::{AuthMethod, Priority, Via};
use crate::cli::values;
use crate::settings::setting::{AccountKey, Form, Heading, Setting, settings};
use crate::settings::value::{Value, choice, number, path, path_or_dash, text};

pub(crate) const CONFIG_VARIABLE: &str = "COSMOS_TAIL_CONFIG";
pub(crate) const ENDPOINT_VARIABLE: &str = "AZURE_COSMOS_ENDPOINT";
pub(crate) const DATABASE_VARIABLE: &str = "AZURE_COSMOS_DATABASE";
pub(crate) const CONTAINER_VARIABLE: &str = "AZURE_COSMOS_CONTAINER";
pub(crate) const KEY_VARIABLE: &str = "AZURE_COSMOS_KEY";
pub(crate) const RESOURCE_MANAGER_VARIABLE: &str = "AZURE_RESOURCE_MANAGER_ENDPOINT";
pub(crate) const CONNECTION_STRING_VARIABLE: &str = "AZURE_COSMOS_CONNECTION_STRING";

/// The commands that use no profile and no embedded account: the first makes a profile, the others connect to no
/// account.
const WITHOUT_PROFILE: &[Command] = &[
    Command::ProfilesAdd,
    Command::Verify,
    Command::Profiles,
    Command::Completions,
    #[cfg(feature = "demo")]
    Command::Demo,
    Command::ProfilesUse,
];

/// The commands that connect to no account.
const OFFLINE: &[Command] = WITHOUT_PROFILE.split_at(1).1;

/// The commands that have no use for the names of a database and a container: those, and one that makes its own.
const NAMELESS: &[Command] = &[
    Command::Acceptance,
    Command::Verify,
    Command::Profiles,
    Command::Completions,
    #[cfg(feature = "demo")]
    Command::Demo,
    Command::ProfilesUse,
];

/// The commands that neither create a container nor ask for throughput or definitions.
const WITHOUT_ARM: &[Command] = &[
    Command::Verify,
    Command::Profiles,
    Command::Completions,
    #[cfg(feature = "demo")]
    Command::Demo,
    Command::ProfilesUse,
    Command::ProfilesTest,
    Command::Ranges,
    Command::Leases,
    Command::LeasesList,
    Command::LeasesCheck,
    Command::LeasesRepair,
    Command::LeasesReset,
    Command::LeasesRelease,
    Command::LeasesExport,
    Command::LeasesImport,
    Command::LeasesAdopt,
];

settings! {
    PROFILE: String = Setting::new("profile", text("NAME"))
        .help("Profile of the configuration file, for what is not given otherwise")
        .details(
            "Flags and environment come before it. The file is `cosmos-tail/config.toml` in the configuration directory, or the file that \
             COSMOS_TAIL_CONFIG names; `profiles` lists its profiles. For `resume` a profile provides only \
             the credential and the options of the connection.",
        )
        .variable("COSMOS_TAIL_PROFILE")
        .under(Heading::Connection)
        .unused_by(WITHOUT_PROFILE)
        .brief("Profile of the configuration file");

    CONFIG_FILE: PathBuf = Setting::new("config", path("FILE"))
        .help("The configuration file with the profiles")
        .form(Form::Elsewhere)
        .variable(CONFIG_VARIABLE)
        .under(Heading::Connection)
        .unused_by(&[Command::Verify, Command::Completions]);

    ENDPOINT: String = Setting::new("endpoint", text("URL"))
        .help("Endpoint of the account, or `emulator` for the local emulator")
        .details(
            "For example `https://NAME.documents.azure.com:443/`. `emulator` stands for the well-known address \
             and key of the local emulator. Plain http is accepted for loopback \
             addresses only.",
        )
        .variable(ENDPOINT_VARIABLE)
        .account_key(AccountKey::Endpoint)
        .under(Heading::Connection)
        .in_full_of(&[Command::Resume, Command::Lag])
        .unused_by(OFFLINE)
        .brief("Endpoint of the account, or `emulator`");

    LIMIT_TO_ENDPOINT: bool = Setting::switch("limit-to-endpoint")
        .help("Send all requests to the endpoint, not to the addresses that the account names for its regions")
        .details(
            "For an account behind a mapped port, a tunnel or a gateway, whose own addresses cannot be \
             reached from here. A failure of the endpoint's region is then not bridged by another region.",
        )
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    REGION: Vec<String> = Setting::new("region", Value::new("NAME", values::regions))
        .help("Region to read from, such as \"West Europe\"; several in order, with commas or repeated")
        .details(
            "If it does not answer, the next one is read, and then the other regions of the account. A \
             region may be behind the region that is written to: a run that ends has what the region had. A \
             replay reads the feed of its source there, not its target.",
        )
        .described_default("the first that the account names")
        .form(Form::Values)
        .conflicts(&["limit-to-endpoint"])
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    TOKEN_SCOPE: String = Setting::new("token-scope", Value::new("URL", values::token_scope))
        .help("Scope of the Entra ID token")
        .details(
            "For an account in a cloud of its own, or one that accepts only tokens for itself: \
             `https://NAME.documents.azure.com/.default`.",
        )
        .described_default("that of the endpoint's cloud")
        .variable("AZURE_COSMOS_AAD_SCOPE_OVERRIDE")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    ACCOUNT_MOVED: bool = Setting::switch("account-moved")
        .help("Continue at the endpoint that is given, although the state names another")
        .details(
            "For an account that is reached at another address than before, such as a private endpoint or a \
             tunnel. The container must have the RID that the state knows. The state then names the new \
             address.",
        )
        .of(&[Command::Resume, Command::Tail, Command::Replay])
        .under(Heading::Connection)
        .in_full();

    DATABASE: String = Setting::new("database", text("NAME"))
        .help("Name of the database")
        .short('d')
        .variable(DATABASE_VARIABLE)
        .account_key(AccountKey::Database)
        .under(Heading::Connection)
        .in_full_of(&[Command::Resume, Command::Lag])
        .unused_by(NAMELESS);

    CONTAINER: String = Setting::new("container", text("NAME"))
        .help("Name of the container")
        .form(Form::Values)
        .short('c')
        .variable(CONTAINER_VARIABLE)
        .account_key(AccountKey::Container)
        .under(Heading::Connection)
        .in_full_of(&[Command::Resume, Command::Lag])
        .unused_by(NAMELESS);

    AUTH: AuthMethod = Setting::new("auth", choice("METHOD"))
        .help("How to authenticate")
        .details(
            "`auto` uses an account key if one is given (AZURE_COSMOS_KEY, --key-file, \
             AZURE_COSMOS_CONNECTION_STRING or a profile), otherwise an Entra ID credential; -v prints which.",
        )
        .default("auto")
        .account_key(AccountKey::Auth)
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    KEY_FILE: PathBuf = Setting::new("key-file", path_or_dash("PATH"))
        .help("File that contains the account key")
        .details(
            "`-` reads the key from standard input. A key is never taken from the command line, where every user \
             of the machine could read it.",
        )
        .account_key(AccountKey::KeyFile)
        .under(Heading::Connection)
        .unused_by(OFFLINE);

    KEY_COMMAND: String = Setting::new("key-command", text("COMMAND"))
        .help("Command whose standard output is the account key")
        .form(Form::Elsewhere)
        .account_key(AccountKey::KeyCommand)
        .under(Heading::Connection)
        .unused_by(OFFLINE);

    KEY: String = Setting::new("key", text("KEY"))
        .help("The account key itself")
        .form(Form::Elsewhere)
        .variable(KEY_VARIABLE)
        .account_key(AccountKey::Key)
        .under(Heading::Connection)
        .unused_by(OFFLINE);

    CONNECTION_STRING: String = Setting::new("connection-string", text("TEXT"))
        .help("Endpoint and account key in one, and perhaps the database")
        .form(Form::Elsewhere)
        .variable(CONNECTION_STRING_VARIABLE)
        .under(Heading::Connection)
        .unused_by(OFFLINE);

    VIA: Via = Setting::new("via", choice("WHAT"))
        .help("What creates containers, and says their definitions and throughput")
        .details(
            "Entra ID's roles for data cover neither the creation of containers nor their scripts and throughput; with \
             `arm`, Azure Resource Manager does all of it, by the identity's other roles, such as `Cosmos DB Operator`.",
        )
        .described_default("account")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(WITHOUT_ARM);

    SUBSCRIPTION: String = Setting::new("subscription", Value::new("ID", values::subscription))
        .help("With --via arm: the subscription of the account")
        .described_default("looked up by the account's name")
        .variable("AZURE_SUBSCRIPTION_ID")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(WITHOUT_ARM);

    RESOURCE_GROUP: String = Setting::new("resource-group", Value::new("NAME", values::resource_group))
        .help("With --via arm: the resource group of the account")
        .described_default("looked up by the account's name")
        .variable("AZURE_RESOURCE_GROUP")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(WITHOUT_ARM);

    ACCOUNT_NAME: String = Setting::new("account-name", Value::new("NAME", values::account_name))
        .help("With --via arm: the name of the account, for an endpoint that does not say it")
        .described_default("the first word of the endpoint's host")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(WITHOUT_ARM);

    PRIORITY: Priority = Setting::new("priority", choice("LEVEL"))
        .help("Priority of all requests, in accounts with priority-based execution")
        .details(
            "When requests exceed the throughput of a container, those of low priority are throttled first.",
        )
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    THROUGHPUT_BUCKET: u32 = Setting::new("throughput-bucket", number("N", values::whole::<1, 5>))
        .help("Throughput bucket that all requests use, 1 to 5, in containers that have buckets")
        .profile_option()
        .under(Heading::Connection)
        .in_full()
        .unused_by(OFFLINE);

    #[cfg(feature = "demo")]
    DEMO: bool = Setting::switch("demo")
        .help(
            "Use an account embedded in this process: database `shop`, container `orders`; `replay` writes \
             to `orders_copy`",
        )
        .under(Heading::Connection)
        .unused_by(WITHOUT_PROFILE)
        .brief("Use an account embedded in this process");
}
