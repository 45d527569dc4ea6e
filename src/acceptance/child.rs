//! The commands of this program, as processes of their own.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cosmos::options::{ConnectOptions, CredentialOptions, EntraIdOptions, RequestPriority};
use crate::cosmos::witness;

/// How often a process that runs is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A process that runs longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// This program, with what each of its processes gets.
#[derive(Debug)]
pub(super) struct Program {
    binary: PathBuf,
    directory: PathBuf,
    witness: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    connection: Vec<OsString>,
    max_ru: Option<u64>,
    started: AtomicU32,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: PathBuf,
    stderr: String,
}

impl Ended {
    /// What it reported last, in one line: its error with the hint, if it has one.
    pub(super) fn reason(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim).collect();
        let error = lines.iter().rposition(|line| line.starts_with("error"));
        let from = error.unwrap_or(lines.len().saturating_sub(1));
        let shown = lines[from.min(lines.len())..].join(" ");
        match shown.is_empty() {
            true => format!("exit code {:?} without a message", self.code),
            false => shown,
        }
    }
}

/// A process that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    began: Instant,
}

impl Program {
    /// With the connection of `options`. `directory` is where its processes write what they print.
    pub(super) fn new(
        options: &ConnectOptions,
        directory: &Path,
        witness: &Path,
        max_ru: Option<u64>,
    ) -> Result<Self> {
        let binary = std::env::current_exe().context("cannot find this program's own file")?;
        let mut variables: Vec<(&'static str, OsString)> = Vec::new();
        let mut connection: Vec<OsString> = Vec::new();
        let mut auth = |method: &str| connection.extend(["--auth".into(), method.into()]);
        let endpoint = options.endpoint.as_str();
        variables.push(("AZURE_COSMOS_ENDPOINT", endpoint.into()));
        match &options.credential {
            CredentialOptions::Key(key) => {
                auth("key");
                variables.push(("AZURE_COSMOS_KEY", key.expose().into()));
            }
            CredentialOptions::EntraId(identity) => auth(match identity {
                EntraIdOptions::AzureCli { .. } => "cli",
                EntraIdOptions::ManagedIdentity { .. } => "managed-identity",
                EntraIdOptions::WorkloadIdentity { .. } => "workload-identity",
                EntraIdOptions::ClientSecret { .. } => "environment",
            }),
        }
        if options.accept_self_signed {
            // Only a connection string says so.
            let text =
                format!("AccountEndpoint={endpoint};DisableServerCertificateValidation=true");
            variables.push(("AZURE_COSMOS_CONNECTION_STRING", text.into()));
        }
        if options.routing.limit_to_endpoint {
            connection.push("--limit-to-endpoint".into());
        }
        for region in &options.routing.regions {
            connection.extend(["--region".into(), region.into()]);
        }
        if let CredentialOptions::EntraId(_) = options.credential {
            connection.extend(["--token-scope".into(), (&options.token.scope).into()]);
        }
        if let Some(priority) = options.throughput.priority {
            let level = match priority {
                RequestPriority::High => "high",
                RequestPriority::Low => "low",
            };
            connection.extend(["--priority".into(), level.into()]);
        }
        if let Some(bucket) = options.throughput.bucket {
            connection.extend(["--throughput-bucket".into(), bucket.to_string().into()]);
        }
        // No profile of the user: the connection is known.
        let config = directory.join("no-profiles.toml");
        File::create(&config).context("cannot write to the directory")?;
        variables.push(("COSMOS_TAIL_CONFIG", config.into()));
        variables.push((witness::VARIABLE, witness.into()));
        Ok(Self {
            binary,
            directory: directory.to_owned(),
            witness: witness.to_owned(),
            variables,
            connection,
            max_ru,
            started: AtomicU32::new(0),
        })
    }

    /// Where the processes write what they see of answers.
    pub(super) fn witness(&self) -> &Path {
        &self.witness
    }

    /// A path in the directory for the files of steps.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts a command.
    pub(super) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Running> {
        const CONNECTING: [&str; 8] = [
            "export", "resume", "tail", "replay", "compare", "lag", "schema", "plan",
        ];
        const BUDGETED: [&str; 5] = ["export", "resume", "tail", "replay", "compare"];
        let is = |names: &[&str]| {
            let command = arguments.first().map(AsRef::as_ref);
            names.iter().any(|name| command == Some(OsStr::new(name)))
        };
        let prints_only = arguments
            .iter()
            .any(|argument| argument.as_ref() == "--stdout");
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] =
            ["stdout", "stderr"].map(|stream| self.directory.join(format!("{number:03}.{stream}")));
        let mut command = Command::new(&self.binary);
        for name in [
            "AZURE_COSMOS_KEY",
            "AZURE_COSMOS_CONNECTION_STRING",
            "AZURE_COSMOS_DATABASE",
            "AZURE_COSMOS_CONTAINER",
            "COSMOS_TAIL_PROFILE",
            "COSMOS_TAIL_LOG_FORMAT",
            "COSMOS_TAIL_METRICS_LISTEN",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments);
        if is(&CONNECTING) && !prints_only {
            command.args(&self.connection);
        }
        if let Some(max_ru) = self.max_ru.filter(|_| is(&BUDGETED) && !prints_only) {
            command.arg("--max-ru").arg(max_ru.to_string());
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .context("cannot start this program")?;
        Ok(Running {
            child,
            stdout,
            stderr,
            began: Instant::now(),
        })
    }

    /// Runs a command to its end.
    pub(super) async fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Ended> {
        self.start(arguments)?.ended().await
    }
}

impl Running {
    /// Where its standard output goes.
    pub(super) fn stdout(&self) -> &Path {
        &self.stdout
    }

    /// Whether it has not ended.
    pub(super) fn is_running(&mut self) -> Result<bool> {
        self.ensure_moves()?;
        Ok(self.status()?.is_none())
    }

    fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for a process")
    }

    /// What it has said on standard error so far.
    fn said(&self) -> String {
        let bytes = std::fs::read(&self.stderr).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until `condition` holds, or the process ends. Returns whether the condition held first.
    pub(super) async fn until(&mut self, mut condition: impl FnMut(&str) -> bool) -> Result<bool> {
        loop {
            if condition(&self.said()) {
                return Ok(true);
            }
            if self.status()?.is_some() {
                return Ok(false);
            }
            self.look().await?;
        }
    }

    /// Fails if it has run for too long.
    fn ensure_moves(&self) -> Result<()> {
        if self.began.elapsed() > PATIENCE {
            bail!("a process did not end within {} s", PATIENCE.as_secs());
        }
        Ok(())
    }

    async fn look(&self) -> Result<()> {
        self.ensure_moves()?;
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Kills it, as a crash does. Returns whether it was still running.
    pub(super) async fn kill(mut self) -> Result<bool> {
        let was_running = self.status()?.is_none();
        if was_running {
            self.child.kill().context("cannot kill a process")?;
        }
        while self.status()?.is_none() {
            self.look().await?;
        }
        Ok(was_running)
    }

    /// Waits until it ends.
    pub(super) async fn ended(mut self) -> Result<Ended> {
        loop {
            if let Some(status) = self.status()? {
                return Ok(Ended {
                    code: status.code(),
                    stderr: self.said(),
                    stdout: std::mem::take(&mut self.stdout),
                });
            }
            self.look().await?;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, in most cases.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
