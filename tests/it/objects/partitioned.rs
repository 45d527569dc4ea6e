//! Tables in partitions, in the stores of others.

use super::{Command, against, assert_same, content, emulators, fill, filled, run, succeed};

#[test]
fn an_export_that_dies_goes_on_in_another_partition_of_each_store() {
    for emulator in emulators() {
        let place = emulator.place();
        let (gateway, container) = filled(2, 300);
        let directory = tempfile::tempdir().unwrap();
        let clock = directory.path().join("clock");
        let at = |moment: time::OffsetDateTime| {
            let offset = moment - time::OffsetDateTime::now_utc();
            std::fs::write(&clock, offset.whole_seconds().to_string()).unwrap();
        };
        let with_clock = |mut command: Command| {
            command.env("COSMOS_TAIL_CLOCK", &clock);
            command
        };
        at(time::macros::datetime!(2031-03-14 22:30 UTC));
        let mut first = with_clock(place.export(&gateway));
        first.args(["--partition-by", "hour"]);
        let fault = "object.complete=6*off->return(kill)";
        let killed = run(first.env("COSMOS_TAIL_FAILPOINTS", fault));
        assert_eq!(killed.code, None, "{}", killed.stderr);
        at(time::macros::datetime!(2031-03-15 00:30 UTC));
        fill(&container, 300..350);
        succeed(&mut with_clock(place.resume(&gateway)));
        place.judge(&container);
        let objects = place.objects().into_iter().map(|(name, _)| name);
        let data: Vec<String> = objects.filter(|name| !name.starts_with('_')).collect();
        let of = |partition: &str| {
            data.iter()
                .filter(|name| name.starts_with(partition))
                .count()
        };
        let (before, after) = (of("dt=2031-03-14/hour=22/"), of("dt=2031-03-15/hour=00/"));
        assert!(
            before > 0 && after > 0 && before + after == data.len(),
            "{data:?}"
        );
        let (target, copy) = filled(2, 0);
        let mut replay = against(&target);
        place.reach(&mut replay).args(["replay", &place.address()]);
        succeed(&mut replay);
        assert_same(&content(&copy), &content(&container));
    }
}
