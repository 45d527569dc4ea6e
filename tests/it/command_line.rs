//! What can be typed: words of other tools, short flags, times, and the ways to name an export; and what answers in
//! JSON where a script asked for it.

use std::path::Path;

use serde_json::Value;

use crate::command::{
    Ended, against, cosmos_tail, export, fail, files, resume, run, state_directory, succeed, verify,
};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::{fill, filled};

/// The tip of a command line that is refused, and nothing if there is none.
#[track_caller]
fn tip(arguments: &[&str]) -> Option<String> {
    let ended = fail(cosmos_tail().args(arguments), 2);
    let mut tips = ended
        .stderr
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "));
    let tip = tips.next().map(str::to_owned);
    assert_eq!(tips.next(), None, "{arguments:?}: {}", ended.stderr);
    tip
}

#[test]
fn a_command_of_another_tool_is_answered_with_ours() {
    for (words, ours) in [
        (
            &["watch", "consume", "cat", "follow", "logs", "stream"][..],
            "'tail'",
        ),
        (&["get", "dump", "backup", "download", "fetch"], "'export'"),
        (&["import", "restore", "load", "put", "apply"], "'replay'"),
        (
            &["copy", "sync", "mirror"],
            "'cosmos-tail replay --from-container",
        ),
        (&["init", "login", "config"], "'profiles'"),
        (&["validate", "check"], "'verify'"),
        (&["continue"], "'resume'"),
        (&["version"], "'cosmos-tail --version'"),
        // A few letters off, or the beginning.
        (&["exprot", "exp", "EXPORT"], "'export'"),
        (&["tial", "tali"], "'tail'"),
        (&["completion"], "'completions'"),
    ] {
        for word in words {
            let tip = tip(&[word]).unwrap_or_default();
            assert!(tip.contains(ours), "{word}: {tip}");
        }
    }
    for (words, ours) in [
        (&["list", "ls", "show"][..], "'cosmos-tail profiles'"),
        (&["remove", "rm", "delete"], "delete its table"),
        (&["create", "new", "set", "adds"], "'add'"),
        (&["switch", "default", "usee"], "'use'"),
        (&["doctor", "check", "tets"], "'test'"),
        (&["frobnicate"], "the commands are add, use, test"),
    ] {
        for word in words {
            let tip = tip(&["profiles", word]).unwrap_or_default();
            assert!(tip.contains(ours), "profiles {word}: {tip}");
        }
    }
    let tip_of_ls = tip(&["ls", "shop"]).unwrap_or_default();
    assert!(tip_of_ls.contains("'-d DATABASE'"), "{tip_of_ls}");
    for word in ["list", "show"] {
        let tip = tip(&[word]).unwrap_or_default();
        assert!(
            tip.contains("'ls'") || tip.contains("'ranges'"),
            "{word}: {tip}"
        );
    }
    for word in ["frobnicate", "x", "delete", "brew", "upgrade", "-"] {
        let tip = tip(&[word]).unwrap_or_default();
        assert!(tip.starts_with("the commands are "), "{word}: {tip}");
        assert!(!tip.contains("help"), "{word}: {tip}");
    }
}

#[test]
fn a_flag_of_another_tool_is_answered_with_ours() {
    for (arguments, ours) in [
        (&["tail", "--limit", "3"][..], "'--max'"),
        (&["tail", "--limit=3"], "'--max'"),
        (&["tail", "--count", "3"], "'--max'"),
        (&["tail", "--since", "10m"], "'--from'"),
        (&["export", "--since", "10m"], "'--from'"),
        (&["replay", "--from-time", "10m"], "'--from'"),
        (&["tail", "--from-beginning"], "'--from beginning'"),
        (&["tail", "--container-name", "x"], "'--container'"),
        (&["tail", "-t", "x"], "'--container'"),
        (&["ranges", "--db", "x"], "'--database'"),
        (&["export", "--out", "x"], "'--output'"),
        (&["export", "--output-dir", "x"], "'--output'"),
        (&["replay", "--output", "x"], "--stdout"),
        (&["replay", "-o", "x"], "--stdout"),
        (&["ranges", "--output", "x"], "'> FILE'"),
        (&["verify", "--state", "x"], "'cosmos-tail verify PATH'"),
        (&["tail", "--filter", "x"], "'--jq'"),
        (&["replay", "--filter", "x"], "'--transform'"),
        (&["tail", "--deletes"], "'--mode all'"),
        (&["export", "--parallel", "4"], "'--concurrency'"),
        (&["export", "--json"], "'--summary json'"),
        (&["ranges", "--json"], "'--format json'"),
        (&["ranges", "--key", "abc"], "AZURE_COSMOS_KEY"),
        (&["ranges", "--conatiner", "x"], "'--container'"),
        (&["export", "--outptu", "x"], "'--output'"),
        (&["export", "out"], "'cosmos-tail export -o PATH'"),
        (&["tail", "help"], "'cosmos-tail help tail'"),
    ] {
        let tip = tip(arguments).unwrap_or_default();
        assert!(tip.contains(ours), "{arguments:?}: {tip}");
    }
    for arguments in [
        &["replay", "x", "--frobnicate"][..],
        &["verify", "x", "--frobnicate"],
        &["completions", "bash", "--json"],
        &["demo", "--deletes"],
        &["verify", "x", "--limit", "3"],
        &["verify", "x", "y"],
    ] {
        assert_eq!(tip(arguments), None, "{arguments:?}");
    }
}

#[test]
fn a_tip_about_a_flag_names_one_that_the_command_has() {
    let mut definition = cosmos_tail::settings::command();
    definition.build();
    let words = [
        "--limit",
        "--since",
        "--end",
        "--out",
        "--output",
        "--state",
        "--topic",
        "--db",
        "--url",
        "--parallel",
        "--filter",
        "--raw",
        "--json",
        "--pk",
        "--deletes",
        "--yes",
        "--gzip",
        "--type",
        "--batch",
        "--silent",
        "--no-color",
        "--context",
        "--checkpoint",
        "--watch",
        "--exit",
        "--max-count",
        "--from-beginning",
    ];
    let own = |command: &&clap::Command| command.get_name() != "help";
    for command in definition.get_subcommands().filter(own) {
        let has = |flag: &str| {
            command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(flag))
        };
        for word in words.iter().filter(|word| !has(&word[2..])) {
            let ended = fail(cosmos_tail().args([command.get_name(), word]), 2);
            let Some(tip) = ended
                .stderr
                .lines()
                .find_map(|line| line.trim().strip_prefix("tip: "))
            else {
                continue;
            };
            let named = tip
                .split(['\'', ' ', ',', ';'])
                .filter_map(|word| word.strip_prefix("--"));
            for flag in named {
                assert!(has(flag), "{} {word}: {tip}", command.get_name());
            }
        }
    }
}

#[test]
fn help_is_a_command_too() {
    let long = succeed(cosmos_tail().args(["tail", "--help"])).stdout;
    assert_eq!(succeed(cosmos_tail().args(["help", "tail"])).stdout, long);
    let long = succeed(cosmos_tail().arg("--help")).stdout;
    assert_eq!(succeed(cosmos_tail().arg("help")).stdout, long);
    let ended = fail(cosmos_tail().args(["help", "nothing"]), 2);
    assert!(
        ended
            .stderr
            .starts_with("error: unrecognized subcommand 'nothing'"),
        "{}",
        ended.stderr
    );
    assert!(
        tip(&["help", "nothing"])
            .unwrap()
            .starts_with("the commands are ranges, ")
    );
    assert!(tip(&["help", "exprot"]).unwrap().contains("'export'"));
    assert!(tip(&["help", "watch"]).unwrap().contains("'tail'"));
}

#[test]
fn the_flags_of_every_command_are_accepted_before_it_and_by_those_without_use_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let (gateway, _) = filled(1, 3);
    succeed(&mut export(&gateway, &directory.path().join("out")));
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    for arguments in [
        &["--profile", "none", "verify", out][..],
        &[
            "verify",
            out,
            "--endpoint",
            "https://a.example/",
            "-d",
            "x",
            "-c",
            "y",
        ],
        &["-d", "x", "completions", "bash", "-v"],
        &["completions", "bash", "-q"],
    ] {
        succeed(cosmos_tail().args(arguments));
    }
    let mut command = against(&gateway);
    command.env_remove("AZURE_COSMOS_DATABASE");
    succeed(command.args(["-d", "shop", "--auth", "key", "ranges"]));
}

/// A letter each for what people type after `tail` and `kubectl logs`.
#[test]
fn short_flags_mean_what_they_mean_elsewhere() {
    let (gateway, container) = filled(1, 5);
    let shown = |arguments: &[&str]| {
        let mut command = against(&gateway);
        succeed(
            command
                .args(["tail", "--from", "beginning"])
                .args(arguments),
        )
        .stdout
    };
    assert_eq!(shown(&["-n", "2"]).lines().count(), 2);
    assert_eq!(shown(&["-fn3"]).lines().count(), 3);
    assert_eq!(shown(&["-f", "--max", "4"]).lines().count(), 4);
    fail(
        against(&gateway).args(["tail", "-f", "--until-caught-up"]),
        2,
    );
    // Each long form is the short one.
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    fill(&container, 5..6);
    let ended = fail(resume(&gateway, &out).args(["-f", "--no-follow"]), 2);
    assert!(
        ended
            .stderr
            .contains("'--follow' cannot be used with '--no-follow'"),
        "{}",
        ended.stderr
    );
}

#[test]
fn strings_of_a_program_are_printed_raw_on_request() {
    let (gateway, container) = filled(1, 0);
    container.upsert(serde_json::json!({"id": "a\tb\nc\u{1b}[2J é", "pk": "p", "n": 1}));
    let shown = |arguments: &[&str]| {
        let mut command = against(&gateway);
        command.args(["tail", "--from", "beginning", "--until-caught-up"]);
        succeed(command.args(arguments)).stdout
    };
    assert_eq!(shown(&["--jq", ".id", "-r"]), "a\tb\nc\u{1b}[2J é\n");
    assert_eq!(
        shown(&["--raw-output", "--jq", ".n, .pk, null, [.pk]"]),
        "1\np\nnull\n[\"p\"]\n"
    );
    // On what is shown as on a terminal, a character that could control it stays escaped.
    let escaped = shown(&["-r", "--jq", ".id", "--color", "always"]);
    assert!(!escaped.contains('\u{1b}'), "{escaped:?}");
    assert!(escaped.starts_with("a\tb\nc"), "{escaped:?}");
    let ended = fail(against(&gateway).args(["tail", "-r"]), 2);
    assert!(ended.stderr.contains("--jq <PROGRAM>"), "{}", ended.stderr);
    let ended = fail(against(&gateway).args(["tail", "--jq", "-r", ".id"]), 2);
    let said = "a value is required for '--jq', but the flag '-r' follows";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn every_start_takes_a_date_or_an_age_and_says_what_it_means() {
    let (gateway, _) = filled(1, 3);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (dated, aged) = (path("dated"), path("aged"));
    for (arguments, said) in [
        (
            &["export", "-o", &dated, "--from", "2020-01-02"][..],
            "from 2020-01-02T00:00:00Z (--from)",
        ),
        (
            &["schema", "--from", "2020-01-02 03:04"],
            "from 2020-01-02T03:04:00Z (--from)",
        ),
        (
            &[
                "tail",
                "--until-caught-up",
                "--from",
                "2020-01-02T03:04+01:00",
            ],
            "from 2020-01-02T02:04:00Z (--from)",
        ),
        (
            &[
                "replay",
                &dated,
                "--stdout",
                "--since",
                "2020-01-02",
                "--until",
                "2030-01-01",
            ],
            "until 2030-01-01T00:00:00Z (--until)",
        ),
        (&["export", "-o", &aged, "--from", "10m"], "from 2"),
    ] {
        let ended = succeed(against(&gateway).args(arguments).arg("-v"));
        assert!(
            ended.stderr.lines().any(|line| line.starts_with(said)),
            "{said}: {}",
            ended.stderr
        );
    }
    let state: Value = serde_json::from_slice(
        &std::fs::read(state_directory(Path::new(&dated)).join("state.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(
        state["state"]["options"]["from"]["point-in-time"],
        "2020-01-02T00:00:00Z"
    );
    // The same time in another form is the same option.
    let mut again = against(&gateway);
    succeed(again.args(["resume", &dated, "--from", "2020-01-02T00:00"]));
    fail(
        against(&gateway).args(["resume", &dated, "--from", "2020-01-03"]),
        2,
    );
}

#[cfg(feature = "demo")]
#[test]
fn an_embedded_account_can_be_read_from_a_time() {
    let lines = |arguments: &[&str]| {
        let ended = succeed(cosmos_tail().arg("--demo").args(arguments));
        ended.stdout.lines().count()
    };
    // The account is made when the command starts.
    let all = lines(&["export", "-o", "-"]);
    assert_eq!(all, 10_000);
    assert_eq!(lines(&["export", "-o", "-", "--from", "10m"]), all);
    assert_eq!(lines(&["export", "-o", "-", "--from", "2020-01-01"]), all);
    assert_eq!(lines(&["tail", "--from", "10m", "-n", "3"]), 3);
    assert_eq!(lines(&["tail", "--from", "10m", "--until-caught-up"]), all);
}

#[test]
fn a_resume_is_told_the_directory_the_file_or_the_state() {
    let (gateway, container) = filled(2, 20);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (out, file, state) = (at("out"), at("one.jsonl"), at("elsewhere.json"));
    succeed(&mut export(&gateway, &out));
    succeed(&mut export(&gateway, &file));
    succeed(export(&gateway, &at("apart")).arg("--state").arg(&state));
    let again = |arguments: &[&std::path::Path]| {
        let mut command = against(&gateway);
        command.arg("resume").args(arguments);
        command
    };
    let resumed = |command: &mut std::process::Command, from: usize| {
        fill(&container, from..from + 1);
        let ended = succeed(command);
        assert!(
            ended.stderr.contains("exported 1 document"),
            "{}",
            ended.stderr
        );
    };
    resumed(&mut again(&[&out]), 20);
    // The others read that document too.
    succeed(&mut again(&[&file]));
    succeed(&mut again(&[&state]));
    resumed(&mut again(&[&file]), 21);
    succeed(&mut again(&[&state]));
    resumed(&mut again(&[&state]), 22);
    let flag = std::path::Path::new("--state");
    succeed(&mut again(&[&out, flag, &out.join("state.json")]));
    succeed(&mut again(&[flag, &file]));
    let ended = fail(&mut again(&[&at("apart"), flag, &state]), 2);
    assert!(
        ended.stderr.contains("but --state names"),
        "{}",
        ended.stderr
    );
    let ended = fail(&mut again(&[&out, flag, &state]), 2);
    assert!(ended.stderr.contains("name two states"), "{}", ended.stderr);
    let ended = fail(&mut again(&[&at("apart")]), 2);
    assert!(
        ended.stderr.contains("has no state of an export"),
        "{}",
        ended.stderr
    );
    fail(&mut again(&[&at("nothing")]), 2);
    fail(&mut again(&[]), 2);
    for path in [&out, &file] {
        assert_eq!(verify(path, &["--strict"]).code, Some(0));
    }
}

/// Each line of standard error as JSON.
#[track_caller]
fn objects(ended: &Ended) -> Vec<Value> {
    let lines = ended.stderr.lines();
    lines
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr))
        })
        .collect()
}

#[test]
fn a_failure_is_json_where_the_summary_is() {
    let (gateway, _) = filled(2, 20);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (out, missing) = (path("out"), path("missing"));
    succeed(&mut export(&gateway, out.as_ref()));
    let key =
        "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
    for (arguments, said) in [
        (&["export", "-o", &out][..], "--force"),
        (&["export"], "--output <PATH>"),
        (&["export", "-o", &missing, "--frobnicate"], "--frobnicate"),
        (
            &["export", "-o", &missing, "--from", "yesterday"],
            "yesterday",
        ),
        (&["export", "-o", &missing, "-c", "nothing"], "nothing"),
        (&["export", "-o", &missing, "--\u{1b}[2J"], "--"),
        (&["resume", &missing], "missing"),
        (&["replay", &missing], "missing"),
        (&["replay", &missing, "--since", "never"], "never"),
        (&["exprot"], "exprot"),
        (&["replay", &out, "--key", key], "--key"),
        (&["replay", &out, key], ""),
    ] {
        let mut command = against(&gateway);
        let ended = run(command.args(arguments).args(["--summary", "json"]));
        assert!(
            matches!(ended.code, Some(1 | 2)),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains(key) && !ended.stderr.contains('\u{1b}'),
            "{}",
            ended.stderr
        );
        let objects = objects(&ended);
        let failure = objects.last().unwrap();
        assert_eq!(failure["exit_code"], ended.code.unwrap(), "{failure}");
        let error = failure["error"].as_str().unwrap();
        assert!(
            !error.is_empty() && !error.starts_with("error"),
            "{failure}"
        );
        assert!(failure["causes"].is_array(), "{failure}");
        assert!(failure.to_string().contains(said), "{said}: {failure}");
    }
    // The flag in one word, and not a value behind `--`.
    let ended = fail(against(&gateway).args(["export", "--summary=json"]), 2);
    assert_eq!(objects(&ended).len(), 1);
    let ended = fail(
        against(&gateway).args(["export", "--", "--summary=json"]),
        2,
    );
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
}

#[test]
fn a_run_that_fails_has_a_summary_and_an_error() {
    let (gateway, _) = filled(2, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let fault = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
        .partition("0")
        .always();
    gateway.push_fault(fault);
    let mut command = export(&gateway, &out);
    let ended = fail(command.args(["--summary", "json", "--max-retries", "0"]), 3);
    let objects = objects(&ended);
    let summary = objects
        .iter()
        .find(|object| object["outcome"] == "incomplete");
    assert!(summary.is_some(), "{}", ended.stderr);
    let failure = objects.last().unwrap();
    assert_eq!(failure["exit_code"], 3);
    assert!(
        !failure["causes"].as_array().unwrap().is_empty(),
        "{failure}"
    );
    assert!(
        failure["hint"]
            .as_str()
            .unwrap()
            .contains("cosmos-tail resume"),
        "{failure}"
    );
}

#[test]
fn a_manifest_says_which_run_made_which_files() {
    let (gateway, container) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let summary = |command: &mut std::process::Command| {
        let ended = succeed(command.args(["--summary", "json", "--quiet"]));
        let [summary] = &objects(&ended)[..] else {
            panic!("{}", ended.stderr)
        };
        summary.clone()
    };
    let listed = |summary: &Value| -> Vec<Value> {
        let text = std::fs::read_to_string(summary["manifest"].as_str().unwrap()).unwrap();
        let entries = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries
            .filter(|entry| entry["run"] == summary["run"])
            .collect()
    };
    let mut command = export(&gateway, &out);
    let first = summary(command.args(["--page-size", "50", "--rotate-bytes", "20KiB"]));
    fill(&container, 300..400);
    let second = summary(&mut resume(&gateway, &out));
    assert_ne!(first["run"], second["run"]);
    let mut names = 0;
    for summary in [&first, &second] {
        let listed = listed(summary);
        assert_eq!(summary["files"], listed.len());
        assert!(!listed.is_empty());
        names += listed.len();
        // RFC 3339 in UTC is in the order of time.
        let time = |value: &Value| value.as_str().unwrap()[..19].to_owned();
        for entry in &listed {
            let when = time(&entry["listed"]);
            assert!(
                (time(&summary["started"])..=time(&summary["ended"])).contains(&when),
                "{entry}"
            );
        }
    }
    assert_eq!(names, files(&out, "jsonl").len());
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    // A run without a file to list.
    let mut command = against(&gateway);
    command.args(["export", "-o", "-", "--summary", "json", "--quiet"]);
    let ended = succeed(&mut command);
    assert_eq!(objects(&ended)[0]["manifest"], Value::Null);
}

#[test]
fn the_version_names_the_driver_that_is_locked() {
    let short = succeed(cosmos_tail().arg("-V")).stdout;
    let package = env!("CARGO_PKG_VERSION");
    assert!(
        short.starts_with(&format!("cosmos-tail {package}")),
        "{short}"
    );
    assert_eq!(short.lines().count(), 1);
    let long = succeed(cosmos_tail().arg("--version")).stdout;
    assert_eq!(long.lines().next(), short.lines().next());
    let lock = include_str!("../../Cargo.lock");
    let (_, driver) = lock
        .split_once("name = \"azure_data_cosmos_driver\"\nversion = \"")
        .unwrap();
    let (driver, _) = driver.split_once('"').unwrap();
    assert!(
        long.contains(&format!("\nazure_data_cosmos_driver {driver}\n")),
        "{long}"
    );
    assert!(long.contains("\nfeatures: "), "{long}");
}
