//! Options that decide what is written, which no state keeps: all instances of a group have the same ones.

use super::given::Given;
use super::setting::Row;
use super::table;
use crate::state::group_place::Shaping;

impl Given {
    /// Those that were given, with a text that differs whenever their values do.
    pub(crate) fn shaping(&self) -> Shaping {
        let rows: [&Row; 6] = [
            &table::COLOR.row,
            &table::EXTRA.row,
            &table::FIELDS.row,
            &table::JQ.row,
            &table::RAW_OUTPUT.row,
            &table::TAIL_WIDTH.row,
        ];
        let mut shaping = Shaping::new();
        for row in rows {
            let Some((text, _)) = self.text(row) else {
                continue;
            };
            let shown = match row.name {
                "jq" => checksum(&text),
                "fields" => {
                    let fields = text.split(',').map(str::trim);
                    fields.collect::<Vec<&str>>().join(",")
                }
                // It is as without it.
                "extra" if text == "keep" => continue,
                "raw-output" if text == "false" => continue,
                _ => text,
            };
            shaping.insert(row.name.to_owned(), shown);
        }
        shaping
    }
}

/// A checksum, which differs where programs do.
fn checksum(program: &str) -> String {
    format!(
        "({} bytes, crc32c {:08x})",
        program.len(),
        crc32c::crc32c(program.as_bytes())
    )
}
