//! Converts JSON text to values of the interpreter and back. Its own reader and writer recurse without a
//! limit, refuse lone surrogates, and accept and write more than JSON.

use jaq_json::{Map, Num, Val};
use serde_json::value::RawValue;

use super::super::tokens::{Token, decode_string, tokens, write_string};

/// Levels of arrays and objects that a document, a text given to `fromjson` and an output may
/// have. The interpreter recurses, so a bound keeps a document from overflowing the stack.
pub const MAX_DEPTH: usize = 512;

/// An integer with more digits is kept as text only, since its conversion takes the square of its length.
const MAX_INTEGER_DIGITS: usize = 1_000;

/// An open object or array while reading.
enum Open {
    Array(Vec<Val>),
    /// The members so far, and the name of the next value.
    Object(Map, Option<Val>),
}

/// The value of valid JSON text.
pub(super) fn read(json: &[u8]) -> Result<Val, String> {
    let mut open: Vec<Open> = Vec::new();
    for token in tokens(json) {
        let value = match token {
            Token::Open(byte) => {
                if open.len() == MAX_DEPTH {
                    return Err(format!(
                        "JSON nested deeper than {MAX_DEPTH} levels is not supported"
                    ));
                }
                open.push(match byte {
                    b'[' => Open::Array(Vec::new()),
                    _ => Open::Object(Map::default(), None),
                });
                continue;
            }
            Token::Name(text) => {
                if let Some(Open::Object(_, name)) = open.last_mut() {
                    *name = Some(string(text));
                }
                continue;
            }
            Token::Comma | Token::Colon => continue,
            Token::Close(_) => match open.pop() {
                Some(Open::Array(values)) => values.into_iter().collect(),
                Some(Open::Object(members, _)) => Val::obj(members),
                None => break,
            },
            Token::String(text) => string(text),
            Token::Number(text) => Val::Num(number(&String::from_utf8_lossy(text))),
            Token::Literal(text) => match text {
                b"true" => Val::Bool(true),
                b"false" => Val::Bool(false),
                _ => Val::Null,
            },
        };
        match open.last_mut() {
            Some(Open::Array(values)) => values.push(value),
            Some(Open::Object(members, name)) => {
                if let Some(name) = name.take() {
                    members.insert(name, value);
                }
            }
            None => return Ok(value),
        }
    }
    Err("the text is not JSON".to_owned())
}

/// The value of text that may not be JSON.
pub(super) fn read_checked(text: &[u8]) -> Result<Val, String> {
    match serde_json::from_slice::<&RawValue>(text) {
        Ok(json) => read(json.get().as_bytes()),
        Err(_) => Err("the text is not JSON".to_owned()),
    }
}

fn string(json: &[u8]) -> Val {
    Val::utf8_str(decode_string(json).into_owned())
}

fn number(text: &str) -> Num {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // An integer cannot represent minus zero, which has to be written unchanged.
    let is_integer = digits.bytes().all(|b| b.is_ascii_digit()) && text != "-0";
    let short = is_integer && digits.len() <= MAX_INTEGER_DIGITS;
    let exact = short.then(|| Num::from_str_radix(text, 10)).flatten();
    exact.unwrap_or_else(|| Num::Dec(text.to_owned().into()))
}

/// Appends a value as JSON on one line.
///
/// # Errors
///
/// If JSON cannot represent the value, or it is nested too deep.
pub(super) fn write(value: &Val, out: &mut Vec<u8>) -> Result<(), String> {
    write_at(value, 0, out)
}

fn write_at(value: &Val, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth == MAX_DEPTH && matches!(value, Val::Arr(_) | Val::Obj(_)) {
        return Err(format!(
            "the output is nested deeper than {MAX_DEPTH} levels"
        ));
    }
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(number) => write_number(number, out),
        Val::TStr(text) => write_string(text, out),
        Val::BStr(_) => return Err("the output has bytes, which JSON cannot represent".to_owned()),
        Val::Arr(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_at(value, depth + 1, out)?;
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let Val::TStr(name) = name else {
                    return Err("the output has a member whose name is not a string".to_owned());
                };
                write_string(name, out);
                out.push(b':');
                write_at(value, depth + 1, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_number(number: &Num, out: &mut Vec<u8>) {
    let double = match number {
        Num::Float(double) => *double,
        // The language accepts numbers that JSON does not, such as `007.5`.
        Num::Dec(text) if serde_json::from_str::<&RawValue>(text).is_err() => {
            text.parse().unwrap_or(f64::NAN)
        }
        exact => return out.extend_from_slice(exact.to_string().as_bytes()),
    };
    if double.is_nan() {
        return out.extend_from_slice(b"null");
    }
    let finite = double.clamp(f64::MIN, f64::MAX);
    out.extend_from_slice(Num::Float(finite).to_string().as_bytes());
}
