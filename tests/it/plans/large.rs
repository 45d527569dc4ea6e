//! A plan of very many ranges. `COSMOS_TAIL_TEST_RANGES=10000` has as many as a container of hundreds of terabytes.

use std::time::Instant;

use super::Place;
use crate::command::{lines, succeed};
use crate::orders::filled;

#[test]
fn a_plan_of_many_ranges_is_made_dealt_and_verified() {
    let ranges = std::env::var("COSMOS_TAIL_TEST_RANGES");
    let ranges: usize = ranges.map_or(400, |text| text.parse().unwrap());
    let (gateway, _container) = filled(ranges, 200);
    let place = Place::new();
    let began = Instant::now();
    let made = place.make(&gateway, &[]);
    println!("a plan of {ranges} ranges: {:?}", began.elapsed());
    assert!(
        made.stderr.contains("ranges of `orders`"),
        "{}",
        made.stderr
    );
    let began = Instant::now();
    for shard in 0..2 {
        let shard = format!("{shard}/2");
        succeed(place.shard(&gateway, &shard).args(["--concurrency", "64"]));
    }
    println!("read by 2 shards: {:?}", began.elapsed());
    assert_eq!(lines(&place.out()).len(), 200);
    let began = Instant::now();
    let checked = place.verify(&["--quick"]);
    println!("verified: {:?}", began.elapsed());
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}
