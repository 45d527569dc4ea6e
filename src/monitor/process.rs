//! What the operating system knows of this process, under the names that Prometheus' own clients use.
//!
//! From `/proc` on Linux. Elsewhere these figures are left out.

use super::exposition::Exposition;

/// Writes the families of the process.
#[cfg(not(target_os = "linux"))]
pub(super) fn write(_: &mut Exposition) {}

/// Writes the families of the process; none if `/proc` is not there.
#[cfg(target_os = "linux")]
pub(super) fn write(exposition: &mut Exposition) {
    use super::exposition::Kind::{Counter, Gauge};
    let mut family = |name, kind, help, value: Option<f64>| {
        if let Some(value) = value {
            exposition.family_of("process_", name, kind, help);
            exposition.sample(&[], value);
        }
    };
    let stat = linux::Stat::of_this_process();
    let stat = stat.as_ref();
    family(
        "cpu_seconds_total",
        Counter,
        "CPU time, in user and system mode.",
        stat.map(|stat| stat.cpu_seconds),
    );
    family(
        "resident_memory_bytes",
        Gauge,
        "Memory that is resident.",
        stat.map(|stat| stat.resident_bytes),
    );
    family(
        "virtual_memory_bytes",
        Gauge,
        "Memory that is mapped.",
        stat.map(|stat| stat.virtual_bytes),
    );
    family(
        "start_time_seconds",
        Gauge,
        "When the process started, since 1970.",
        stat.and_then(|stat| Some(stat.started + linux::boot_time()?)),
    );
    family(
        "open_fds",
        Gauge,
        "File descriptors that are open.",
        linux::open_descriptors(),
    );
    family(
        "max_fds",
        Gauge,
        "File descriptors that can be open.",
        linux::max_descriptors(),
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::process::{Resource, getrlimit};

    /// What `/proc/self/stat` says.
    #[derive(Debug, PartialEq)]
    pub(super) struct Stat {
        pub(super) cpu_seconds: f64,
        /// Seconds between the start of the system and that of the process.
        pub(super) started: f64,
        pub(super) virtual_bytes: f64,
        pub(super) resident_bytes: f64,
    }

    impl Stat {
        pub(super) fn of_this_process() -> Option<Self> {
            let text = std::fs::read_to_string("/proc/self/stat").ok()?;
            let ticks = configured(libc::_SC_CLK_TCK)?;
            Self::parse(&text, ticks, configured(libc::_SC_PAGESIZE)?)
        }

        pub(super) fn parse(text: &str, ticks: f64, page: f64) -> Option<Self> {
            // The name of the program, in parentheses, may contain anything.
            let (_, fields) = text.rsplit_once(')')?;
            let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
            // By the numbers of proc(5), of which the first here is 3.
            let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
            Some(Self {
                cpu_seconds: (field(14)? + field(15)?) / ticks,
                started: field(22)? / ticks,
                virtual_bytes: field(23)?,
                resident_bytes: field(24)? * page,
            })
        }
    }

    /// What the system is configured with. The C library knows it in every place that this program runs in; to read it
    /// of the vector that the kernel leaves, as rustix does, fails under valgrind.
    fn configured(name: libc::c_int) -> Option<f64> {
        #[expect(unsafe_code, reason = "a call of the C library")]
        // SAFETY: it takes a number and returns one.
        let value = unsafe { libc::sysconf(name) };
        (value > 0).then_some(value as f64)
    }

    /// When the system started, in seconds since 1970.
    pub(super) fn boot_time() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("btime "));
        line?.trim().parse().ok()
    }

    pub(super) fn open_descriptors() -> Option<f64> {
        // One of them is that of the directory itself.
        let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
        Some(open.saturating_sub(1) as f64)
    }

    pub(super) fn max_descriptors() -> Option<f64> {
        getrlimit(Resource::Nofile)
            .current
            .map(|limit| limit as f64)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_with_parentheses_hides_no_field() {
            let text = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 3 0 6000 8192 7 \
                18446744073709551615 1 1";
            let expected = Stat {
                cpu_seconds: 4.0,
                started: 60.0,
                virtual_bytes: 8192.0,
                resident_bytes: 28_672.0,
            };
            assert_eq!(Stat::parse(text, 100.0, 4096.0), Some(expected));
            assert_eq!(Stat::parse("", 100.0, 4096.0), None);
            assert_eq!(Stat::parse("42 (a) S 1", 100.0, 4096.0), None);
        }

        #[test]
        fn this_process_has_all_of_them() {
            let stat = Stat::of_this_process().unwrap();
            assert!(stat.resident_bytes > 0.0 && stat.virtual_bytes >= stat.resident_bytes);
            assert!(boot_time().unwrap() > 1e9);
            assert!(open_descriptors() <= max_descriptors());
        }
    }
}
