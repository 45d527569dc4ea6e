//! Compiles a program, and explains what is wrong with it.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::{self, Fun, bome, v};
use jaq_core::{Compiler, Error, RunPtr};
use jaq_json::{Val, ValR};
use jaq_std::ValT as _;

use super::values;
use crate::error::{ExitCode, Lines, usage, with_exit_code, with_hint};
use crate::escape::escape_for_terminal;

type Data = JustLut<Val>;

/// Functions and definitions of the standard library that reach beyond the change: to the environment,
/// standard error or the process.
const LEFT_OUT: [&str; 8] = [
    "env",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "fromjson",
];

/// Names that users of jq know and that do not exist here.
const BEYOND_THE_CHANGE: [&str; 12] = [
    "env",
    "$ENV",
    "$__loc__",
    "$__prog_args",
    "input",
    "inputs",
    "input_filename",
    "input_line_number",
    "halt",
    "halt_error",
    "debug",
    "stderr",
];

/// Our functions that replace those of the library.
fn own_functions() -> [Fun<Data>; 1] {
    let from_json: RunPtr<Data> = |cv| bome(from_json(&cv.1));
    [native::run::<Data>(("fromjson", v(0), from_json))]
}

/// The value of a string that contains JSON. The library's own `fromjson` accepts more than JSON, which could
/// not be written again, and recurses without a limit on text from the data.
fn from_json(value: &Val) -> ValR {
    let text = value
        .as_utf8_bytes()
        .ok_or_else(|| Error::typ(value.clone(), "string"))?;
    values::read_checked(text).map_err(|error| Error::str(format!("fromjson: {error}")))
}

/// Compiles `text`, which was given with `flag`.
pub(super) fn compile(flag: &'static str, text: &str) -> anyhow::Result<jaq_core::Filter<Data>> {
    let definitions = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .chain(
            load::parse(include_str!("definitions.jq"), |parser| parser.defs()).unwrap_or_default(),
        )
        .filter(|definition| !LEFT_OUT.contains(&definition.name));
    let functions = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| !LEFT_OUT.contains(name))
        .chain(own_functions());

    let arena = Arena::default();
    let file = File {
        code: text,
        path: (),
    };
    let modules = Loader::new(definitions)
        .load(&arena, file)
        .map_err(|errors| refused(flag, errors))?;
    // Without this check, a program that imports data compiles, but its variables have no values.
    load::import(&modules, |_| Err(String::new())).map_err(|errors| refused(flag, errors))?;
    Compiler::default()
        .with_funs(functions)
        .compile(modules)
        .map_err(|errors| {
            let faults = errors.into_iter().map(|(file, errors)| {
                let (name, undefined) = errors.into_iter().next()?;
                let what = undefined_symbol(name, &undefined);
                Some(Fault::at(&file, name, what))
            });
            first(flag, faults)
        })
}

/// What is wrong with a program, and where in its text.
struct Fault {
    message: String,
    program: String,
    offset: usize,
}

impl Fault {
    /// `part` has to be part of the file's text; otherwise the end is shown.
    fn at(file: &File<&str, ()>, part: &str, message: String) -> Self {
        let offset = (part.as_ptr() as usize).wrapping_sub(file.code.as_ptr() as usize);
        Self {
            message,
            program: file.code.to_owned(),
            offset: file.code.floor_char_boundary(offset),
        }
    }

    fn into_error(self, flag: &str) -> anyhow::Error {
        let (before, after) = self.program.split_at(self.offset);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let before_in_line = &before[line_start..];
        let line_end = after.find('\n').unwrap_or(after.len());
        let shown_before = escape_for_terminal(before_in_line);
        let shown_after = escape_for_terminal(&after[..line_end]);
        let place = match (before.matches('\n').count(), before_in_line.chars().count()) {
            (0, column) => format!("column {}", column + 1),
            (line, column) => format!("line {}, column {}", line + 1, column + 1),
        };
        let indent = " ".repeat(shown_before.chars().count());
        let lines = Lines::new([
            format!("{flag}: {} at {place}", self.message),
            format!("{shown_before}{shown_after}"),
            format!("{indent}^"),
        ]);
        with_hint(
            with_exit_code(lines, ExitCode::Usage),
            "the program is written in the language of jq, such as `{id, total: (.items | length)}`",
        )
    }
}

fn first(flag: &str, faults: impl Iterator<Item = Option<Fault>>) -> anyhow::Error {
    match faults.flatten().next() {
        Some(fault) => fault.into_error(flag),
        None => usage(
            format!("{flag}: the program cannot be compiled"),
            "check its syntax",
        ),
    }
}

fn refused(flag: &str, errors: load::Errors<&str, ()>) -> anyhow::Error {
    let faults = errors.into_iter();
    first(flag, faults.map(|(file, error)| load_fault(&file, error)))
}

fn load_fault(file: &File<&str, ()>, error: load::Error<&str>) -> Option<Fault> {
    Some(match error {
        load::Error::Io(errors) => {
            let (path, _) = errors.into_iter().next()?;
            Fault::at(file, path, "modules and data cannot be imported".to_owned())
        }
        load::Error::Lex(errors) => {
            let (expected, found) = errors.into_iter().next()?;
            let message = match expected {
                // The rest of the program is not a token, so its beginning is the fault.
                load::lex::Expect::Token => "unexpected character".to_owned(),
                expected => format!("expected {}", expected.as_str()),
            };
            Fault::at(file, found, message)
        }
        load::Error::Parse(errors) => {
            let (expected, found) = errors.into_iter().next()?;
            let expected = match expected {
                load::parse::Expect::Just(word) => format!("`{word}`"),
                other => other.as_str().to_owned(),
            };
            let message = match found {
                "" => format!("expected {expected}, found the end"),
                found => format!("expected {expected}, found `{}`", excerpt(found)),
            };
            Fault::at(file, found, message)
        }
    })
}

fn undefined_symbol(name: &str, undefined: &jaq_core::compile::Undefined) -> String {
    use jaq_core::compile::Undefined;
    let what = match undefined {
        Undefined::Filter(0) => "filter".to_owned(),
        Undefined::Filter(1) => "filter with 1 argument".to_owned(),
        Undefined::Filter(arity) => format!("filter with {arity} arguments"),
        other => other.as_str().to_owned(),
    };
    let shown = excerpt(name);
    if BEYOND_THE_CHANGE.contains(&name) {
        format!("`{shown}` is not available: a program has access to the change only,")
    } else {
        format!("there is no {what} `{shown}`")
    }
}

/// The beginning of a part of the program.
fn excerpt(text: &str) -> String {
    let short: String = text.chars().take(20).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", escape_for_terminal(&short))
}
