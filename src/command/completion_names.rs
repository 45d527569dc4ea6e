//! Completion scripts that know names: those of profiles, databases and containers.
//!
//! clap generates scripts that offer files where a name is expected. Here these places ask `cosmos-tail` itself
//! (`command::complete`). clap's own engine for this is not stable yet, and would run the program for every word;
//! the scripts run it for names only. bash, zsh and fish ask; PowerShell and elvish get what clap generates.

use clap_complete::Shell;

/// The flags whose value is a name, and the kind of the name.
const FLAGS: [(&str, &str); 8] = [
    ("--profile", "profile"),
    ("--source-profile", "profile"),
    ("-d", "database"),
    ("--database", "database"),
    ("-c", "container"),
    ("--container", "container"),
    ("--from-container", "address"),
    ("--leases", "address"),
];

/// The commands whose argument is the name of a profile.
const PROFILE_ARGUMENTS: [&str; 2] = ["use", "test"];

/// A script of clap's, which asks for names.
pub(super) fn with_names(shell: Shell, script: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(script) {
        Ok(text) => text,
        Err(other) => return other.into_bytes(),
    };
    match shell {
        Shell::Bash => bash(&text),
        Shell::Zsh => zsh(&text),
        Shell::Fish => fish(&text),
        _ => text,
    }
    .into_bytes()
}

const BASH_NAMES: &str = r#"# Completes the name of a profile, database or container.
_cosmos__tail_names() {
    local name
    COMPREPLY=()
    compopt +o default +o bashdefault 2>/dev/null
    while IFS= read -r name; do
        if [[ "${name}" == "${cur}"* ]]; then
            COMPREPLY+=("$(printf %q "${name}")")
        fi
    done < <("${COMP_WORDS[0]}" __complete "$1" "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null </dev/null)
}

"#;

const BASH_PREVIOUS: &str = "    prev=\"$3\"\n";

/// bash takes the `=` between a flag and its value for a word of its own.
const BASH_PREVIOUS_FLAG: &str = r#"    prev="$3"
    if [[ "${prev}" == "=" ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

fn bash(script: &str) -> String {
    // clap names the cases of a program whose name has a hyphen in two ways, so that none would match.
    let script = script.replace("cosmos__subcmd__tail", "cosmos__tail");
    let script = script.replacen(BASH_PREVIOUS, BASH_PREVIOUS_FLAG, 1);
    let mut text = BASH_NAMES.to_owned();
    let mut kind = None;
    let mut takes_profile = false;
    for line in script.lines() {
        let label = line.trim().strip_suffix(')').unwrap_or_default();
        if label.starts_with("cosmos__tail") {
            let is_of =
                |name: &&str| label == format!("cosmos__tail__subcmd__profiles__subcmd__{name}");
            takes_profile = PROFILE_ARGUMENTS.iter().any(is_of);
        }
        let of_label = FLAGS.iter().find(|(flag, _)| *flag == label);
        if of_label.is_some() {
            kind = of_label.map(|(_, kind)| *kind);
        } else if takes_profile && label == "*" {
            kind = Some("profile");
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let line = match kind {
            Some(kind_of_value) if line.trim().starts_with("COMPREPLY=(") => {
                kind = None;
                let call = format!("{indent}_cosmos__tail_names {kind_of_value}");
                if takes_profile && line.trim() == "COMPREPLY=()" {
                    format!("{call}\n{indent}return 0")
                } else {
                    call
                }
            }
            _ if takes_profile => line.replace(" || ${COMP_CWORD} -eq 3", ""),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

const ZSH_NAMES: &str = r#"# Completes the name of a profile, database or container.
(( $+functions[_cosmos-tail_names] )) ||
_cosmos-tail_names() {
    local -a before names
    before=("${(@Q)_cosmos_tail_words[1,_cosmos_tail_current-1]}")
    # The options for compadd come before the kind.
    names=("${(@f)$("${before[1]}" __complete "${argv[-1]}" "${(@)before[2,-1]}" 2>/dev/null </dev/null)}")
    names=(${names:#})
    compadd "${(@)argv[1,-2]}" -a names
}

"#;

fn zsh(script: &str) -> String {
    const BEGINNING: &str = "_cosmos-tail() {\n";
    let mut text = String::new();
    for line in script.lines() {
        let of_flag = FLAGS.iter().find(|(flag, _)| {
            // In front of it can be the flags that it excludes, and that it can be repeated.
            ["'", "*"].iter().any(|before| {
                line.contains(&format!("{before}{flag}=["))
                    || line.contains(&format!("{before}{flag}+["))
            })
        });
        let kind = of_flag.map(|(_, kind)| *kind).or_else(|| {
            let is_argument = line.starts_with("':name -- ") || line.contains("':tested -- ");
            let is_optional = line.starts_with("'::tested -- ") || line.contains(")::tested -- ");
            (is_argument || is_optional).then_some("profile")
        });
        match kind {
            Some(kind) => {
                let asks = format!(":_cosmos-tail_names {kind}'");
                text.push_str(&line.replace(":_default'", &asks));
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    // The words of a nested command are without those before it.
    let remembered = format!(
        "{ZSH_NAMES}{BEGINNING}    local -a _cosmos_tail_words\n    _cosmos_tail_words=(\"${{words[@]}}\")\n    \
         local _cosmos_tail_current=$CURRENT\n"
    );
    text.replacen(BEGINNING, &remembered, 1)
}

const FISH_NAMES: &str = r#"# Completes the name of a profile, database or container.
function __cosmos_tail_names
	set -l words (commandline -opc)
	$words[1] __complete $argv[1] $words[2..-1] 2>/dev/null </dev/null
end

"#;

const FISH_COMMAND: &str =
    "    argparse -s (__fish_cosmos_tail_global_optspecs) -- $cmd 2>/dev/null
    or return
";

/// The last word can be a flag whose value is being typed.
const FISH_COMMAND_OR_VALUE: &str =
    "    if not argparse -s (__fish_cosmos_tail_global_optspecs) -- $cmd 2>/dev/null
        set -e cmd[-1]
        argparse -s (__fish_cosmos_tail_global_optspecs) -- $cmd 2>/dev/null
        or return
    end
";

fn fish(script: &str) -> String {
    let mut text = FISH_NAMES.to_owned();
    let script = script.replacen(FISH_COMMAND, FISH_COMMAND_OR_VALUE, 1);
    for line in script.lines() {
        let of_flag = FLAGS.iter().find(|(flag, _)| {
            let long = flag.strip_prefix("--");
            long.is_some_and(|long| line.contains(&format!(" -l {long} ")))
        });
        text.push_str(line);
        if let Some((_, kind)) = of_flag {
            text.push_str(&format!(" -f -a '(__cosmos_tail_names {kind})'"));
        }
        text.push('\n');
    }
    for command in PROFILE_ARGUMENTS {
        text.push_str(&format!(
            "complete -c cosmos-tail -n \"__fish_cosmos_tail_using_subcommand profiles; and \
             __fish_seen_subcommand_from {command}\" -f -a '(__cosmos_tail_names profile)'\n"
        ));
    }
    text
}
