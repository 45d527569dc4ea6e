use super::*;

fn watch(most: usize, by_feeds: bool) -> Watch {
    Watch::new(most, 8, Duration::ZERO, by_feeds, true)
}

fn open(name: Name, contents: Contents) -> Open {
    Open {
        name,
        bucket: 1,
        contents,
    }
}

fn looked(name: Name, differing: Vec<Open>) -> Found {
    Found {
        differing,
        asked: vec![name],
        ..Found::default()
    }
}

#[test]
fn a_document_is_watched_until_both_feeds_say_the_same() {
    let mut watch = watch(10, true);
    watch.changed(SOURCE, 7, 1, 5);
    assert_eq!(watch.census().changing, 1);
    watch.changed(TARGET, 7, 1, 4);
    assert_eq!(watch.census().different.different, 1);
    watch.changed(TARGET, 7, 1, 5);
    assert_eq!(watch.census(), Census::default());
    // Back to an earlier value on one side.
    watch.changed(SOURCE, 7, 1, 4);
    assert_eq!(watch.census().changing, 1);
    // Deleted on both.
    watch.changed(SOURCE, 7, 1, 0);
    watch.changed(TARGET, 7, 1, 0);
    assert_eq!(watch.census(), Census::default());
}

#[test]
fn where_two_documents_can_be_one_only_a_reading_says_that_it_is_the_same() {
    let mut watch = watch(10, false);
    watch.changed(SOURCE, 7, 1, 5);
    watch.changed(TARGET, 7, 1, 5);
    assert_eq!(watch.census().changing, 1);
    watch.found(looked(7, Vec::new()), watch.mark(), Instant::now());
    assert_eq!(watch.census(), Census::default());
}

#[test]
fn what_comes_during_a_reading_is_newer_than_what_it_finds() {
    let mut watch = watch(10, true);
    watch.changed(SOURCE, 7, 1, 5);
    let mark = watch.mark();
    watch.changed(SOURCE, 7, 1, 6);
    watch.found(looked(7, Vec::new()), mark, Instant::now());
    assert_eq!(watch.census().changing, 1);
    watch.found(looked(7, vec![open(7, [5, 6])]), mark, Instant::now());
    assert_eq!(watch.census().changing, 1);
    // Deleted on the target, which its feed does not say.
    watch.found(
        looked(7, vec![open(7, [6, 0])]),
        watch.mark(),
        Instant::now(),
    );
    assert_eq!(watch.census().different.missing, 1);
}

#[test]
fn what_there_is_no_space_for_is_read_again() {
    let mut watch = watch(2, true);
    for name in 0..5 {
        watch.changed(SOURCE, name, name as Bucket, 5);
    }
    assert_eq!(watch.census().changing, 2);
    assert!(watch.has_unread());
    // No space yet.
    assert_eq!(watch.take_unread(), [0; 0]);
    watch.changed(TARGET, 0, 0, 5);
    assert_eq!(watch.take_unread(), [2, 3, 4]);
    // Not before it was read.
    assert!(watch.has_unread());
    watch.found(Found::default(), watch.mark(), Instant::now());
    assert!(!watch.has_unread());
    // A change in a range that is to be read again anyway.
    watch.found(
        Found {
            beyond: vec![6],
            ..Found::default()
        },
        watch.mark(),
        Instant::now(),
    );
    watch.changed(SOURCE, 60, 6, 5);
    assert_eq!(watch.census().changing, 1);
    assert_eq!(watch.take_unread(), [6]);
}

#[test]
fn what_is_lost_is_unread_until_everything_was_read() {
    let mut watch = watch(10, true);
    watch.read_all();
    assert!(!watch.has_unread());
    watch.lose();
    watch.read_all();
    assert!(!watch.is_lost() && watch.has_unread());
    // Once more, meanwhile.
    watch.lose();
    watch.found(Found::default(), watch.mark(), Instant::now());
    assert!(watch.is_lost() && watch.has_unread());
}

#[test]
fn where_deletions_are_not_in_the_feeds_one_that_was_found_is_not_forgotten_by_an_older_change() {
    for with_deletions in [false, true] {
        let mut watch = Watch::new(10, 8, Duration::ZERO, true, with_deletions);
        watch.changed(TARGET, 7, 1, 5);
        // The source had it, and has it no more.
        watch.found(
            looked(7, vec![open(7, [0, 5])]),
            watch.mark(),
            Instant::now(),
        );
        watch.changed(SOURCE, 7, 1, 5);
        assert_eq!(watch.census().changing, u64::from(!with_deletions));
        if with_deletions {
            continue;
        }
        watch.changed(SOURCE, 7, 1, 5);
        assert_eq!(watch.due().len(), 1);
        watch.found(
            looked(7, vec![open(7, [0, 5])]),
            watch.mark(),
            Instant::now(),
        );
        assert_eq!(watch.census().different.extra, 1);
    }
}

#[test]
fn a_document_differs_once_it_was_looked_at_after_the_settling_time() {
    let settle = Duration::from_secs(60);
    let mut watch = Watch::new(10, 8, settle, true, true);
    let ago = |seconds| Instant::now() - Duration::from_secs(seconds);
    watch.changed(SOURCE, 7, 1, 5);
    watch.changed(TARGET, 7, 1, 4);
    watch.documents.get_mut(&7).unwrap().since = ago(100);
    assert_eq!(watch.census().changing, 1);
    watch.found(looked(7, vec![open(7, [5, 4])]), watch.mark(), ago(50));
    assert_eq!(watch.census().changing, 1);
    watch.found(looked(7, vec![open(7, [5, 4])]), watch.mark(), ago(30));
    assert_eq!(watch.census().different.different, 1);
    // One of which only one side was known has only now been seen to differ.
    watch.changed(SOURCE, 8, 1, 5);
    watch.documents.get_mut(&8).unwrap().since = ago(100);
    watch.found(looked(8, vec![open(8, [5, 4])]), watch.mark(), ago(30));
    assert_eq!(watch.census().changing, 1);
    // A time without an end.
    let mut watch = Watch::new(10, 8, Duration::MAX, true, true);
    watch.found(looked(7, vec![open(7, [5, 4])]), watch.mark(), ago(30));
    assert_eq!(watch.census().changing, 1);
}
