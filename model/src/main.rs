//! Explores the model as far as its arguments say: `cargo run -- --help`.

use std::process::ExitCode;

use cosmos_tail_model::rules::Defect;
use cosmos_tail_model::store::Kind;
use cosmos_tail_model::world::Bounds;

const HELP: &str = "\
Explores the protocol of exports to an object store, and prints the number of states.

usage: cosmos-tail-model [OPTION=VALUE]...

  store=azure|s3   how uploads behave                          [azure]
  processes=N      processes at a time                         [2]
  documents=N      documents of the container                  [2]
  rewrites=N       documents that are rewritten meanwhile      [1]
  crashes=N        processes that die and are started again    [1]
  lost=N           calls whose answers are lost                [1]
  late=N           calls that take effect later, or never      [1]
  faults=N         how many of these three in all              [1]
  takes=N          objects that a consumer takes away          [1]
  expires=N        uploads that the store destroys             [0]
  repairs=N        starts that read again what is gone         [0]
  stops=N          processes that are told to stop             [0]
  unlisted=yes     a consumer takes what is not listed yet, too
  verifies=yes     a verification runs beside the processes
  beside=yes       reading goes on before what is sealed is published
  defect=NAME      one rule is broken
  threads=N        threads of the search                       [2]

Exit code 1: a property does not hold. The shortest way to it is printed.
";

fn main() -> ExitCode {
    let mut bounds = Bounds::small(Kind::Azure);
    let mut threads = 2;
    for argument in std::env::args().skip(1) {
        let Some((option, value)) = argument.split_once('=') else {
            print!("{HELP}");
            return ExitCode::from(u8::from(argument != "--help") * 2);
        };
        let set = set(&mut bounds, &mut threads, option, value);
        if set.is_none() {
            eprintln!("`{argument}` is not possible; see --help");
            return ExitCode::from(2);
        }
    }
    let started = std::time::Instant::now();
    let explored = bounds.explore(threads);
    println!(
        "{} states, at most {} steps deep, in {:.1} s",
        explored.states,
        explored.steps,
        started.elapsed().as_secs_f64(),
    );
    let Some((property, actions)) = explored.violation else {
        println!("nothing is violated");
        return ExitCode::SUCCESS;
    };
    println!("not so: {property}");
    for action in actions {
        println!("  {action:?}");
    }
    ExitCode::FAILURE
}

fn set(bounds: &mut Bounds, threads: &mut usize, option: &str, value: &str) -> Option<()> {
    let number = || value.parse::<u8>().ok();
    match option {
        "store" => {
            bounds.kind = match value {
                "azure" => Kind::Azure,
                "s3" => Kind::S3,
                _ => return None,
            }
        }
        "processes" => bounds.processes = number()?.into(),
        "documents" => bounds.documents = number()?,
        "rewrites" => bounds.rewrites = number()?,
        "crashes" => bounds.crashes = number()?,
        "lost" => bounds.lost_answers = number()?,
        "late" => bounds.late_calls = number()?,
        "faults" => bounds.faults = number()?,
        "takes" => bounds.takes = number()?,
        "expires" => bounds.expires = number()?,
        "repairs" => bounds.repairs = number()?,
        "stops" => bounds.stops = number()?,
        "unlisted" => bounds.takes_unlisted = value == "yes",
        "verifies" => bounds.verifies = value == "yes",
        "beside" => bounds.reads_beside = value == "yes",
        "threads" => *threads = number()?.into(),
        "defect" => {
            let named = Defect::ALL
                .into_iter()
                .find(|one| format!("{one:?}") == value);
            bounds.defect = Some(named?);
        }
        _ => return None,
    }
    Some(())
}
