//! Any bytes as JSON to replay, in any arrangement: the records do not depend on where the pieces end, and a resume
//! after each of them reads the rest.
#![no_main]

use std::io::{BufReader, Cursor};

use cosmos_tail::source::{Mark, Record, read_json};
use libfuzzer_sys::fuzz_target;

/// The records after `mark`, and the error at the end.
fn read(bytes: &[u8], size: usize, mark: Mark) -> (Vec<Record>, Option<String>) {
    let rest = Cursor::new(bytes[mark.offset as usize..].to_vec());
    let rest = Box::new(BufReader::with_capacity(size, rest));
    let mut records = Vec::new();
    let end = read_json(rest, "it".to_owned(), mark).and_then(|mut reader| {
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        Ok(())
    });
    (records, end.err().map(|error| error.to_string()))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    let (whole, end) = read(bytes, 1 << 16, Mark::default());
    let (pieces, same_end) = read(bytes, usize::from(size) + 1, Mark::default());
    let texts = |records: &[Record]| -> Vec<_> { records.iter().map(|one| one.json.clone()).collect() };
    assert_eq!(texts(&pieces), texts(&whole));
    assert_eq!(same_end, end);
    for (index, record) in whole.iter().enumerate().take(16) {
        // What was declared before is read again by whoever opens a file.
        let (rest, same_end) = read(bytes, 64, record.end);
        if whole.len() - index - 1 == rest.len() {
            assert_eq!(texts(&rest), texts(&whole[index + 1..]));
            assert_eq!(same_end, end);
        }
    }
});
