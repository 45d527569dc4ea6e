//! The clauses of a query, in the emulator's form of the text.
//!
//! The emulator parses and evaluates queries; here a query is only taken apart where another one is made of
//! it: one over a part of a large container, or one for each partition.

/// A query, taken apart at the keywords of its clauses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// What follows `SELECT`.
    select: &'a str,
    /// What follows `FROM`; empty if there is no such clause.
    from: &'a str,
    /// The clause `WHERE` with its keyword; may be empty.
    filter: &'a str,
    /// What follows: `GROUP BY`, `ORDER BY`, `OFFSET … LIMIT`.
    rest: &'a str,
}

/// A word, a literal, or a character of a query.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    start: usize,
    /// How many brackets are open before it.
    depth: usize,
    /// Whether it is the name of a member, after a dot.
    is_member: bool,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }

    /// Whether it is a keyword outside of all brackets.
    fn is(&self, keyword: &str) -> bool {
        self.depth == 0 && self.is_nested(keyword)
    }

    fn is_nested(&self, keyword: &str) -> bool {
        !self.is_member && self.text.eq_ignore_ascii_case(keyword)
    }
}

fn is_word_start(character: char) -> bool {
    character.is_alphabetic() || "_$@".contains(character)
}

/// Takes a text apart. Spaces and comments are left out.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut start, mut depth, mut after_dot) = (0, 0_usize, false);
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let length = if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        } else if rest.starts_with("--") {
            start += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            start += comment.find("*/").map_or(rest.len(), |end| end + 4);
            continue;
        } else if first == '\'' || first == '"' {
            // A quotation mark within it is doubled, and begins another one of these, as far as this goes.
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else if is_word_start(first) {
            let is_in_word = |character: char| is_word_start(character) || character.is_numeric();
            rest.find(|character| !is_in_word(character))
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        if ")]}".contains(first) {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token {
            text: &rest[..length],
            start,
            depth,
            is_member: after_dot,
        });
        if "([{".contains(first) {
            depth += 1;
        }
        after_dot = first == '.';
        start += length;
    }
    tokens
}

/// The functions over all rows of a query.
const AGGREGATES: [&str; 5] = ["COUNT", "SUM", "AVG", "MIN", "MAX"];

impl<'a> Query<'a> {
    /// Takes a query apart; `None` if it does not have these clauses.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let tokens = tokens(text);
        let first = tokens.first().filter(|token| token.is("SELECT"))?;
        let keyword = |keywords: &[&str]| {
            tokens
                .iter()
                .find(|token| keywords.iter().any(|keyword| token.is(keyword)))
        };
        let after = ["GROUP", "ORDER", "OFFSET"];
        let rest = keyword(&after).map_or(text.len(), |token| token.start);
        let filter = keyword(&["WHERE"]).map_or(rest, |token| token.start);
        let from = keyword(&["FROM"]);
        let select = from.map_or(filter, |token| token.start);
        let from_end = from.map_or(filter, Token::end);
        Some(Self {
            select: text.get(first.end()..select)?,
            from: text.get(from_end..filter)?,
            filter: text.get(filter..rest)?,
            rest: &text[rest..],
        })
    }

    /// Whether its rows are those of one part of the documents after the other.
    pub(super) fn is_streaming(&self) -> bool {
        let select = tokens(self.select);
        let is_aggregate = |token: &Token<'_>| AGGREGATES.iter().any(|name| token.is_nested(name));
        let is_of_all = |token: &&Token<'_>| ["DISTINCT", "TOP"].iter().any(|word| token.is(word));
        self.rest.trim().is_empty()
            && select.first().filter(is_of_all).is_none()
            && !select.iter().any(is_aggregate)
    }

    /// The function and its argument, if the query selects `VALUE` of one, and nothing else.
    fn aggregate(&self) -> Option<(&'a str, &'a str)> {
        let select = tokens(self.select);
        let [value, name, open, .., close] = select.as_slice() else {
            return None;
        };
        let is_one = value.is("VALUE")
            && AGGREGATES.iter().any(|aggregate| name.is(aggregate))
            && open.text == "("
            && close.text == ")"
            && close.depth == 0
            && select[3..select.len() - 1]
                .iter()
                .all(|token| token.depth > 0);
        is_one.then(|| (name.text, self.select[open.end()..close.start].trim()))
    }

    /// Whether it has a filter.
    pub(super) fn has_filter(&self) -> bool {
        !self.filter.trim().is_empty()
    }

    /// Whether its rows are sorted, each of which comes from a document.
    pub(super) fn is_sorted(&self) -> bool {
        let first = tokens(self.rest);
        first.first().is_some_and(|token| token.is("ORDER"))
    }

    /// The argument of `COUNT`, if it only counts rows.
    fn counted(&self) -> Option<&'a str> {
        let (name, argument) = self.aggregate().filter(|_| self.rest.trim().is_empty())?;
        name.eq_ignore_ascii_case("COUNT").then_some(argument)
    }

    /// Whether it only counts rows, so that the results of several parts add up.
    pub(super) fn is_count(&self) -> bool {
        self.counted().is_some()
    }

    /// Whether it counts all documents.
    pub(super) fn counts_all(&self) -> bool {
        let is_plain = !tokens(self.from)
            .iter()
            .any(|token| token.is("JOIN") || token.is("IN"));
        let counted = self.counted();
        is_plain && !self.has_filter() && counted.is_some_and(|of| of.parse::<u32>().is_ok())
    }

    /// The aggregate in the form that [`Self::for_each_partition`] has, without the array and object around it;
    /// `None` if the query does not have this form.
    pub(super) fn of_item(&self) -> Option<String> {
        let select = tokens(self.select);
        let texts: Vec<&str> = select.iter().map(|token| token.text).collect();
        let ([value, "[", "{", "'item'", ":", inner @ .., "}", "]"], true) =
            (texts.as_slice(), self.rest.trim().is_empty())
        else {
            return None;
        };
        let is_aggregate = |token: &Token<'_>| AGGREGATES.iter().any(|name| token.is_nested(name));
        if !value.eq_ignore_ascii_case("VALUE") || !select.iter().any(is_aggregate) {
            return None;
        }
        let inner = &select[5..5 + inner.len()];
        let text = |part: &[Token<'_>]| Some(&self.select[part.first()?.start..part.last()?.end()]);
        let selected = match inner {
            [open, members @ .., close] if open.text == "{" && close.depth == open.depth => {
                let is_comma =
                    |token: &Token<'_>| token.text == "," && token.depth == open.depth + 1;
                let members = members.split(is_comma).map(|member| match member {
                    [name, colon, expression @ ..] if colon.text == ":" => {
                        let expression = text(expression)?;
                        Some(format!("{expression} AS {}", name.text.trim_matches('\'')))
                    }
                    _ => None,
                });
                members.collect::<Option<Vec<_>>>()?.join(", ")
            }
            _ => format!("VALUE {}", text(inner)?),
        };
        let from = self.clause_from();
        Some(format!("SELECT {selected} {from}{}", self.filter))
    }

    /// The clause `FROM` with its keyword.
    fn clause_from(&self) -> String {
        if self.from.is_empty() {
            String::new()
        } else {
            format!("FROM{}", self.from)
        }
    }

    /// The query for each partition if the whole one is an aggregate, in the form that clients add up.
    pub(super) fn for_each_partition(&self) -> Option<String> {
        let (name, argument) = self.aggregate().filter(|_| self.rest.trim().is_empty())?;
        let item = if name.eq_ignore_ascii_case("AVG") {
            format!("{{'sum': SUM({argument}), 'count': COUNT({argument})}}")
        } else {
            format!("{name}({argument})")
        };
        let from = self.clause_from();
        Some(format!(
            "SELECT VALUE [{{'item': {item}}}] {from}{}",
            self.filter
        ))
    }

    /// What follows `FROM` if the documents are the elements of the array `items` of others; `None` if the query is
    /// over something else than documents.
    fn over_items(&self) -> Option<String> {
        let from = tokens(self.from);
        let word = |index: usize| from.get(index).filter(|token| token.is_word());
        let root = word(0)?;
        if word(1).is_some_and(|token| token.is("IN")) {
            // One item of an array in each document: a join with the document itself.
            let document = word(2)?;
            let joined = self.from.trim();
            return Some(format!("{} IN root.items JOIN {joined}", document.text));
        }
        let (alias, last) = match (word(1), word(2)) {
            (Some(keyword), Some(alias)) if keyword.is("AS") => (alias, 2),
            (Some(keyword), _) if keyword.is("JOIN") => (root, 0),
            (Some(alias), _) => (alias, 1),
            (None, _) => (root, 0),
        };
        let joins = match from.get(last + 1) {
            None => "",
            Some(next) if next.is("JOIN") => &self.from[next.start..],
            Some(_) => return None,
        };
        Some(format!("{} IN root.items {joins}", alias.text))
    }

    /// The query as one over the elements of the array `items` of documents; `None` if it has no such form.
    pub(super) fn of_items(&self) -> Option<String> {
        let from = self.over_items()?;
        let (filter, rest) = (self.filter, self.rest);
        let select = self.select;
        Some(format!("SELECT{select} FROM {from} {filter} {rest}"))
    }

    /// The query for the documents that its filter lets pass, over the elements of the array `items`. `None` if
    /// the filter is not one of documents alone.
    pub(super) fn filtered_items(&self) -> Option<String> {
        let from = self.over_items()?;
        let has_join = tokens(&from).iter().any(|token| token.is("JOIN"));
        (!has_join).then(|| format!("SELECT * FROM {from} {}", self.filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_items(text: &str) -> Option<String> {
        let query = Query::parse(text)?.of_items()?;
        Some(query.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_query_over_documents_becomes_one_over_the_elements_of_an_array() {
        for (text, expected) in [
            ("SELECT * FROM c", "SELECT * FROM c IN root.items"),
            (
                "select top 5 * from root r where r.x = ' FROM '",
                "SELECT top 5 * FROM r IN root.items where r.x = ' FROM '",
            ),
            (
                "SELECT c.id, c[\"from\"], c.where FROM c /* WHERE */ WHERE c.a > (SELECT VALUE 1 FROM x) ORDER BY c.b",
                "SELECT c.id, c[\"from\"], c.where FROM c IN root.items WHERE c.a > (SELECT VALUE 1 FROM x) ORDER BY c.b",
            ),
            (
                "SELECT VALUE t FROM orders AS c JOIN t IN c.tags WHERE t = 1",
                "SELECT VALUE t FROM c IN root.items JOIN t IN c.tags WHERE t = 1",
            ),
            (
                "SELECT VALUE t FROM t IN c.tags",
                "SELECT VALUE t FROM c IN root.items JOIN t IN c.tags",
            ),
            (
                "SELECT c.a * 2 FROM c",
                "SELECT c.a * 2 FROM c IN root.items",
            ),
        ] {
            assert_eq!(of_items(text).as_deref(), Some(expected), "{text}");
        }
        for other in ["SELECT 1", "SELECT * FROM c.address", "UPDATE c", "", "*"] {
            assert_eq!(of_items(other), None, "{other}");
        }
    }

    #[test]
    fn a_query_is_told_by_what_its_rows_come_from() {
        let of = |text| Query::parse(text).unwrap();
        for text in [
            "SELECT * FROM c WHERE c.count = 1",
            "SELECT c.max FROM c JOIN t IN c.tags",
            "SELECT VALUE {'top': c.top} FROM c",
        ] {
            assert!(of(text).is_streaming(), "{text}");
        }
        for text in [
            "SELECT DISTINCT c.a FROM c",
            "SELECT TOP 3 * FROM c",
            "SELECT * FROM c ORDER BY c.a",
            "SELECT * FROM c OFFSET 0 LIMIT 1",
            "SELECT VALUE [{'item': COUNT(1)}] FROM c",
            "SELECT c.a, max(c.b) FROM c GROUP BY c.a",
        ] {
            assert!(!of(text).is_streaming(), "{text}");
        }
        for text in [
            "SELECT VALUE COUNT(1) FROM c",
            "select value count(ABS(c.id)) from c where c.a = 1",
        ] {
            assert!(of(text).is_count(), "{text}");
        }
        for text in [
            "SELECT VALUE COUNT(1) + COUNT(1) FROM c",
            "SELECT VALUE COUNT(1) FROM c GROUP BY c.a",
            "SELECT VALUE MAX(c.a) FROM c",
            "SELECT COUNT(1) FROM c",
        ] {
            assert!(!of(text).is_count(), "{text}");
        }
    }

    #[test]
    fn an_aggregate_becomes_an_item_of_each_partition() {
        for (text, expected) in [
            (
                "SELECT VALUE COUNT(1) FROM c WHERE c.a = ')'",
                Some("SELECT VALUE [{'item': COUNT(1)}] FROM c WHERE c.a = ')'"),
            ),
            (
                "SELECT VALUE AVG(ABS(c.a)) FROM c",
                Some(
                    "SELECT VALUE [{'item': {'sum': SUM(ABS(c.a)), 'count': COUNT(ABS(c.a))}}] FROM c",
                ),
            ),
            ("SELECT VALUE MAX(c.a) + MIN(c.a) FROM c", None),
            ("SELECT VALUE SUM(c.a) FROM c GROUP BY c.b", None),
            ("SELECT VALUE c.count FROM c", None),
        ] {
            let query = Query::parse(text).unwrap();
            let partitioned = query.for_each_partition();
            assert_eq!(partitioned.as_deref(), expected, "{text}");
            let Some(partitioned) = partitioned else {
                continue;
            };
            // And back, in a form that the emulator evaluates.
            let evaluated = Query::parse(&partitioned).unwrap().of_item().unwrap();
            let of_average = "SELECT SUM(ABS(c.a)) AS sum, COUNT(ABS(c.a)) AS count FROM c";
            let is_average = text.contains("AVG");
            assert_eq!(evaluated, if is_average { of_average } else { text });
        }
    }
}
