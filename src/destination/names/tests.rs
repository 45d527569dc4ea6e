use super::*;

fn directory_names(directory: &Path) -> FileNames {
    FileNames::new(&Output::Directory(".".into()), directory, "orders", "jsonl")
}

#[test]
fn names_sort_and_are_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let names = directory_names(directory.path());
    let paths = [names.part(3, 1), names.open_part(3, 2), names.part(12, 1)];
    for path in &paths {
        fs::write(path, "").unwrap();
    }
    for other in [
        "orders-3-1.jsonl",
        "orders-00003-000001.csv",
        "state.json",
        "x.jsonl",
        "orders.jsonl",
    ] {
        fs::write(directory.path().join(other), "").unwrap();
    }
    let found = names.existing().unwrap();
    assert_eq!(
        found
            .iter()
            .map(|f| (f.series, f.part, f.is_open))
            .collect::<Vec<_>>(),
        [(3, 1, false), (3, 2, true), (12, 1, false)]
    );
    assert!(paths[0] < paths[2]);
}

#[test]
fn an_output_is_recognized_by_its_path() {
    let base = Path::new("base");
    let name = |output: Output| FileNames::new(&output, base, "orders", "jsonl").display();
    assert_eq!(
        name(Output::Directory("out".into())),
        base.join("out").display().to_string()
    );
    assert_eq!(
        name(Output::File("a.jsonl".into())),
        base.join("a.jsonl").display().to_string()
    );
    assert_eq!(name(Output::StandardOutput), "standard output");
}

#[test]
fn a_file_is_called_by_its_format_and_its_compression() {
    use crate::format::Compression;
    use crate::format::Format;
    for (format, compression, extension) in [
        (Format::Jsonl, Compression::None, "jsonl"),
        (Format::Jsonl, Compression::Gzip(6), "jsonl.gz"),
        (Format::Jsonl, Compression::Zstd(3), "jsonl.zst"),
        (Format::Csv, Compression::None, "csv"),
        (Format::Csv, Compression::Gzip(6), "csv.gz"),
        (Format::Csv, Compression::Zstd(3), "csv.zst"),
        (Format::Parquet, Compression::Snappy, "parquet"),
    ] {
        assert_eq!(format.extension(compression), extension);
    }
}

#[test]
fn a_file_that_grows_is_found_by_its_name_alone() {
    let directory = tempfile::tempdir().unwrap();
    let output = Output::Append("a.jsonl".into());
    let names = FileNames::new(&output, directory.path(), "orders", "jsonl");
    for name in ["a.jsonl", "b.jsonl"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let found: Vec<PathBuf> = names
        .existing()
        .unwrap()
        .into_iter()
        .map(|f| f.path)
        .collect();
    assert_eq!(found, [directory.path().join("a.jsonl")]);
    assert_eq!(names.open_part(0, 1), directory.path().join("a.jsonl"));
}

#[test]
fn a_single_file_has_numbered_successors() {
    let directory = tempfile::tempdir().unwrap();
    let names = FileNames::new(
        &Output::File("a.b.jsonl".into()),
        directory.path(),
        "orders",
        "jsonl",
    );
    assert_eq!(names.part(0, 1).file_name().unwrap(), "a.b.jsonl");
    assert_eq!(names.part(0, 2).file_name().unwrap(), "a.b.000002.jsonl");
    let typed = Output::File("A.NDJSON.Gz".into());
    let typed = FileNames::new(&typed, directory.path(), "orders", "jsonl.gz");
    assert_eq!(typed.part(0, 2).file_name().unwrap(), "A.000002.NDJSON.Gz");
    for path in [names.part(0, 1), names.open_part(0, 2)] {
        fs::write(path, "").unwrap();
    }
    let found: Vec<_> = names
        .existing()
        .unwrap()
        .iter()
        .map(|f| (f.part, f.is_open))
        .collect();
    assert_eq!(found, [(1, false), (2, true)]);
}

#[test]
fn a_compressed_single_file_keeps_both_of_its_extensions() {
    let directory = tempfile::tempdir().unwrap();
    let output = Output::File("a.jsonl.gz".into());
    let names = FileNames::new(&output, directory.path(), "orders", "jsonl.gz");
    let second = names.part(0, 2);
    assert_eq!(second.file_name().unwrap(), "a.000002.jsonl.gz");
    fs::write(second, "").unwrap();
    assert_eq!(names.existing().unwrap()[0].part, 2);
}

#[test]
fn a_name_from_the_service_cannot_leave_the_directory() {
    let file_stem = |name| file_stem(name, max_stem("jsonl"));
    assert_eq!(file_stem("../etc/passwd"), "%2E.%2Fetc%2Fpasswd");
    assert_eq!(file_stem("a%b\0c:d"), "a%25b%00c%3Ad");
    assert_eq!(file_stem("größe-1_x.y"), "größe-1_x.y");
    assert_eq!(file_stem("..\\x"), "%2E.%5Cx");
    assert_eq!(file_stem("~x"), "%7Ex");
}

#[test]
fn a_long_name_is_cut_and_stays_its_own() {
    for extension in ["jsonl", "jsonl.zst", "csv.gz", "parquet", "arrow"] {
        // Names that always fitted are not changed.
        let fits = "x".repeat(max_stem(extension));
        assert_eq!(file_stem(&fits, max_stem(extension)), fits);
        let mut stems = std::collections::HashSet::new();
        for name in [
            "x".repeat(255),
            format!("{}y", "x".repeat(254)),
            "é".repeat(255),
            "😀".repeat(255),
            "注".repeat(254),
            " ".repeat(255),
            "%".repeat(255),
            format!("{}😀", "x".repeat(250)),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let output = Output::Directory(".".into());
            let names = FileNames::new(&output, directory.path(), &name, extension);
            for (series, part) in [(0, 1), (u32::MAX, u32::MAX)] {
                let open = names.open_part(series, part);
                assert!(open.file_name().unwrap().len() <= MAX_FILE_NAME, "{open:?}");
                fs::write(&open, "").unwrap();
                fs::write(names.part(series, part), "").unwrap();
            }
            assert_eq!(names.existing().unwrap().len(), 4);
            let first = names.part(0, 1).file_name().unwrap().to_owned();
            assert!(stems.insert(first), "{name}");
        }
    }
    // It is the same in every build.
    assert_eq!(
        file_stem(&"x".repeat(255), max_stem("jsonl")),
        format!("{}~dff658324c99c7bf", "x".repeat(180))
    );
}
