//! Profiles: added, chosen, tested.

use crate::cli::Command;
use crate::settings::setting::{Form, Setting, settings};
use crate::settings::value::text;

settings! {
    NEW_PROFILE: String = Setting::new("name", text("NAME"))
        .help("Name of the profile")
        .form(Form::Argument)
        .conflicts(&["profile"])
        .required()
        .of(&[Command::ProfilesAdd, Command::ProfilesUse]);

    TESTED_PROFILE: String = Setting::new("tested", text("NAME"))
        .help("Profile to test, as with --profile")
        .form(Form::Argument)
        .conflicts(&["profile"])
        .of(&[Command::ProfilesTest]);

    STORE_KEY: bool = Setting::switch("store-key")
        .help("Store the key that the environment or standard input gives in a file beside the configuration")
        .details(
            "The key is that of AZURE_COSMOS_KEY or AZURE_COSMOS_CONNECTION_STRING, or with `--key-file -` that of \
             standard input. The file is `NAME.key`, which only its owner can read, and the profile names it as \
             its `key-file`.",
        )
        .of(&[Command::ProfilesAdd]);

    FORCE_PROFILE: bool = Setting::switch("force")
        .help("Replace the profile if it exists")
        .of(&[Command::ProfilesAdd]);
}
