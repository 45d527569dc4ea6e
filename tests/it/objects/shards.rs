//! Shares of a plan in one place.

use super::{
    CALLS, Command, against, assert_latest, cosmos_tail, emulators, filled, run, split_lines,
    succeed,
};

#[test]
fn shares_that_die_have_everything_once_in_each_store() {
    for emulator in emulators() {
        let place = emulator.place();
        let (gateway, container) = filled(3, 300);
        let address = place.address();
        let plan = format!("{}plan.json", address.replace("/exports/", "/plans/"));
        let mut planned = against(&gateway);
        succeed(place.reach(&mut planned).args(["plan", "-o", &plan]));
        for (shard, call) in ["0/3", "1/3", "2/3"].into_iter().zip(CALLS) {
            let command = || -> Command {
                let mut command = against(&gateway);
                place
                    .reach(&mut command)
                    .args(["export", "--plan", &plan, "--shard", shard, "-o", &address])
                    .args(["--page-size", "20", "--rotate-bytes", "4KiB"])
                    .args(["--checkpoint-bytes", "1KiB"]);
                command
            };
            let fault = format!("{call}=2*off->1*return(kill)->off");
            run(command().env("COSMOS_TAIL_FAILPOINTS", &fault));
            succeed(&mut command());
        }
        let objects = place.objects();
        let data = objects.iter().filter(|(name, _)| !name.starts_with('_'));
        let lines: Vec<Vec<u8>> = data.flat_map(|(_, bytes)| split_lines(bytes)).collect();
        assert_latest(&lines, &container);
        for arguments in [&["--quick"][..], &[]] {
            let mut verify = cosmos_tail();
            place.reach(&mut verify).args(["verify", &plan, &address]);
            succeed(verify.args(arguments));
        }
    }
}
