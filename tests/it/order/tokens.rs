//! Paths in token streams, which the parser of Rust does not look into: the arguments of macros and of
//! attributes.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;

/// A path in a token stream.
#[derive(Debug)]
pub(super) struct TokenPath {
    pub segments: Vec<String>,
    /// It begins with `::`, so its first segment is a crate.
    pub is_global: bool,
    /// It ends with `::*`.
    pub is_glob: bool,
    pub span: Span,
}

/// Every path among these tokens: identifiers that are joined by `::`, and single ones.
pub(super) fn paths(tokens: TokenStream) -> Vec<TokenPath> {
    let mut found = Vec::new();
    collect(tokens, &mut found);
    found
}

/// The paths in the string literals among these tokens, as in `#[serde(with = "crate::a::b")]`. A string
/// counts if the whole of it is a path, a type or a bound: a sentence is none.
pub(super) fn paths_in_strings(tokens: TokenStream) -> Vec<TokenPath> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(paths_in_strings(group.stream())),
            TokenTree::Literal(literal) => {
                if let Ok(string) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.extend(paths_in_string(&string.value(), literal.span()));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    found
}

/// The paths in the value of a string literal.
pub(super) fn paths_in_string(value: &str, span: Span) -> Vec<TokenPath> {
    let is_code = syn::parse_str::<syn::Type>(value).is_ok()
        || syn::parse_str::<syn::WherePredicate>(value).is_ok();
    let tokens = if is_code {
        value.parse()
    } else {
        Ok(TokenStream::new())
    };
    let mut found = paths(tokens.unwrap());
    for path in &mut found {
        path.span = span;
    }
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<TokenPath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(_) if is_name(&tokens, at) => {
                at = follow(&tokens, at, &[], false, found);
                continue;
            }
            _ if is_separator(&tokens, at) && is_ident(&tokens, at + 2) => {
                // After `>` it continues a type, as in `Vec::<u8>::new`.
                let continues = at > 0 && is_punct(&tokens, at - 1, '>');
                let mut global = Vec::new();
                at = follow(&tokens, at + 2, &[], true, &mut global);
                if !continues {
                    found.append(&mut global);
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads the path whose next identifier is at `at`, with these segments before it; returns where it ends.
/// A group, as in `a::{b, c}`, is one path for each of its elements.
fn follow(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    is_global: bool,
    found: &mut Vec<TokenPath>,
) -> usize {
    let mut segments = before.to_vec();
    let mut is_glob = false;
    let span = tokens[at].span();
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        let name = ident.unraw().to_string();
        if name != "self" || segments.is_empty() {
            segments.push(name);
        }
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(_)) => at += 2,
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                is_glob = true;
                at += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let elements: Vec<TokenTree> = group.stream().into_iter().collect();
                for element in elements.split(is_comma) {
                    match element.first() {
                        Some(TokenTree::Ident(_)) => {
                            follow(element, 0, &segments, is_global, found);
                        }
                        Some(star) => found.push(TokenPath {
                            segments: segments.clone(),
                            is_global,
                            is_glob: true,
                            span: star.span(),
                        }),
                        None => {}
                    }
                }
                return at + 3;
            }
            _ => break,
        }
    }
    found.push(TokenPath {
        segments,
        is_global,
        is_glob,
        span,
    });
    at
}

/// The identifier at `at` names something: it is no field or method, no lifetime and no variable of a
/// macro, but may be its `$crate`.
fn is_name(tokens: &[TokenTree], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else {
        return true;
    };
    let is_range = before > 0 && is_punct(tokens, before - 1, '.');
    let is_member = is_punct(tokens, before, '.') && !is_range;
    let is_variable = is_punct(tokens, before, '$') && tokens[at].to_string() != "crate";
    !is_member && !is_variable && !is_punct(tokens, before, '\'')
}

/// `::` begins at `at`.
fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let is_joint = matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.spacing() == Spacing::Joint);
    is_joint && is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')
}

fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_ident(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(_)))
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}
