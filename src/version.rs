//! What this build is.

use std::sync::LazyLock;

/// The version of the SDK's driver that this build contains.
pub const DRIVER: &str = env!("COSMOS_TAIL_BUILD_DRIVER");

/// The version, with the commit if it is known: `0.1.0 (abc1234 2026-11-28)`.
pub fn short() -> &'static str {
    static SHORT: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        match env!("COSMOS_TAIL_BUILD_COMMIT") {
            "" if cfg!(debug_assertions) => format!("{version} (development build)"),
            "" => version.to_owned(),
            commit => format!("{version} ({commit})"),
        }
    });
    &SHORT
}

/// The same, with what else a report of a defect should say.
pub fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let features = [
            ("demo", cfg!(feature = "demo")),
            ("failpoints", cfg!(feature = "failpoints")),
        ];
        let mut features = features.iter().filter(|(_, is_on)| *is_on).peekable();
        let features = match features.peek() {
            Some(_) => features
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", "),
            None => "none".to_owned(),
        };
        format!(
            "{}\nazure_data_cosmos_driver {DRIVER}\nfeatures: {features}\ntarget: {}",
            short(),
            env!("COSMOS_TAIL_BUILD_TARGET"),
        )
    });
    &LONG
}
