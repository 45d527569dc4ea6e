//! Exports to a store of objects, and what goes wrong there.

use super::Pages;
use crate::command::{Ended, against, cosmos_tail, run, spawn, wait};
use crate::orders::fill;
use crate::store::{Call, CallKind, Trouble};
use crate::store_scene::StoreScene;

/// What a run showed, without what differs from run to run.
fn steady(mut ended: Ended) -> Ended {
    for text in [&mut ended.stdout, &mut ended.stderr] {
        if let Some(host) = cosmos_tail::process::host_name() {
            *text = text.replace(&format!(" on {host},"), " on HOST,");
        }
        let claims = text.split(|c: char| !c.is_ascii_hexdigit());
        let mut claims: Vec<String> = claims
            .filter(|word| word.len() == 32)
            .map(str::to_owned)
            .collect();
        claims.dedup();
        for claim in claims {
            *text = text.replace(&claim, "CLAIM");
        }
        *text = without_process(text);
    }
    super::Stage::alone().steady(ended)
}

fn without_process(text: &str) -> String {
    let Some((before, after)) = text.split_once(": process ") else {
        return text.to_owned();
    };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}: process PID{after}")
}

/// A scene whose exports are as short as their pages: no options but those that are shown.
fn scene() -> StoreScene {
    StoreScene::with(1, 40, &[])
}

/// Runs what is typed, in which `$PLACE` is the address of the export.
fn typed(scene: &StoreScene, typed: &str) -> Ended {
    let typed = typed.replace("$PLACE", StoreScene::address());
    let words = super::stage::words(&typed);
    let mut command = if words[1] == "verify" {
        cosmos_tail()
    } else {
        against(&scene.gateway)
    };
    run(scene.reach(&mut command).args(&words[1..]))
}

fn show(scene: &StoreScene, pages: &mut Pages, name: &str, about: &str, command: &str) {
    let ended = steady(typed(scene, command));
    pages.add(
        name,
        about,
        &command.replace("$PLACE", StoreScene::address()),
        &ended,
    );
    scene.store.clear();
}

const EXPORT: &str = "cosmos-tail export -d shop -c orders -o $PLACE";
const RESUME: &str = "cosmos-tail resume $PLACE";
const VERIFY: &str = "cosmos-tail verify $PLACE";

fn on(
    kinds: &'static [CallKind],
    trouble: Trouble,
) -> impl FnMut(usize, &Call) -> Option<Trouble> + Send + 'static {
    move |_, call| kinds.contains(&call.kind).then_some(trouble)
}

const FORBIDDEN: Trouble = Trouble::Refused(403, "AuthorizationPermissionMismatch");

#[test]
fn moments_of_object_stores() {
    let mut all = Pages::new("objects");
    let pages = &mut all;
    let scene = scene();
    show(
        &scene,
        pages,
        "export",
        "An export to Blob Storage.",
        EXPORT,
    );
    show(
        &scene,
        pages,
        "verified",
        "It is checked in its place.",
        VERIFY,
    );
    show(
        &scene,
        pages,
        "exists",
        "There is an export already.",
        EXPORT,
    );
    fill(&scene.container, 40..50);
    show(&scene, pages, "resumed", "The next night.", RESUME);
    changed(&scene, pages);
    refused(pages);
    taken_over(pages);
    expired(pages);
    profiles_of_aws(pages);
    all.finish();
}

/// The files of AWS, as people have them.
fn profiles_of_aws(pages: &mut Pages) {
    let (gateway, _) = crate::orders::filled(1, 1);
    let stage = super::Stage::at(&gateway);
    stage.write(
        "aws.ini",
        "[default]\nregion = eu-west-1\n[profile night]\nsso_session = acme\n",
    );
    let typed = "AWS_CONFIG_FILE=aws.ini AWS_SHARED_CREDENTIALS_FILE=none AWS_PROFILE=NAME \
        cosmos-tail export -d shop -c orders -o s3://lake/orders/";
    let about = "The environment names a profile of AWS that is in no file.";
    stage.show(
        pages,
        "no-profile-of-aws",
        about,
        &typed.replace("NAME", "day"),
    );
    let about = "The profile of AWS leads to its credential by a way of its own.";
    stage.show(
        pages,
        "sso-profile-of-aws",
        about,
        &typed.replace("NAME", "night"),
    );
}

/// What somebody else did to finished objects.
fn changed(scene: &StoreScene, pages: &mut Pages) {
    let data: Vec<String> = scene
        .objects()
        .into_keys()
        .filter(|name| !name.starts_with('_'))
        .collect();
    let (first, second) = (StoreScene::name(&data[0]), StoreScene::name(&data[1]));
    let text = scene.store.objects().remove(&first).unwrap();
    scene.store.replace(&first, Some(b"{}\n"));
    scene.store.replace(&second, None);
    let about = "Somebody has changed one object and deleted another one.";
    show(scene, pages, "changed-and-deleted", about, VERIFY);
    scene.store.replace(&first, Some(&text));
    let batch = StoreScene::name("_cosmos-tail/manifest/");
    let lists = scene
        .store
        .objects()
        .into_keys()
        .find(|name| name.starts_with(&batch));
    scene.store.replace(&lists.unwrap(), None);
    let about = "Somebody has deleted an object that lists others.";
    show(scene, pages, "manifest-deleted", about, VERIFY);
}

/// What the store refuses.
fn refused(pages: &mut Pages) {
    use CallKind::{Complete, Get, Head, List, Part, Put};
    const ALL: &[CallKind] = &[Get, Head, List, Put, Part, Complete];

    let scene = scene();
    scene.store.script(on(&[List], FORBIDDEN));
    show(
        &scene,
        pages,
        "may-not-list",
        "The identity may not list.",
        EXPORT,
    );
    scene.store.script(on(&[Put, Part, Complete], FORBIDDEN));
    show(
        &scene,
        pages,
        "may-not-write",
        "The identity may not write.",
        EXPORT,
    );
    let unknown = Trouble::Refused(403, "AuthenticationFailed");
    scene.store.script(on(ALL, unknown));
    show(
        &scene,
        pages,
        "not-authenticated",
        "The key is wrong.",
        EXPORT,
    );
    let skewed = "AuthenticationFailed: Server failed to authenticate the request: Request date header too old";
    scene.store.script(on(ALL, Trouble::Refused(403, skewed)));
    show(
        &scene,
        pages,
        "clock-is-wrong",
        "The clock of this machine is wrong.",
        EXPORT,
    );
    let late = "AuthenticationFailed: Signature not valid in the specified time frame";
    scene.store.script(on(ALL, Trouble::Refused(403, late)));
    show(
        &scene,
        pages,
        "signature-expired",
        "The shared access signature has expired.",
        EXPORT,
    );
    scene
        .store
        .replace(&StoreScene::name("notes.csv"), Some(b"a,b\n"));
    show(
        &scene,
        pages,
        "something-else",
        "Something else is there.",
        EXPORT,
    );
    scene.store.replace(&StoreScene::name("notes.csv"), None);
    scene
        .store
        .script(move |number, _| (number > 7).then_some(unknown));
    let about = "The credential expires in the middle: what is committed stays.";
    show(&scene, pages, "expired-in-the-middle", about, EXPORT);
    scene
        .store
        .script(on(ALL, Trouble::Refused(503, "ServerBusy")));
    show(&scene, pages, "busy", "The store is busy for long.", RESUME);
    scene.store.script(on(&[Get], FORBIDDEN));
    show(
        &scene,
        pages,
        "may-not-read",
        "The identity may not read.",
        VERIFY,
    );
    show(
        &scene,
        pages,
        "went-on",
        "With a fresh credential it continues.",
        RESUME,
    );
}

/// A process that was paused while another one took over.
fn taken_over(pages: &mut Pages) {
    let scene = scene();
    // The first part: the state is there.
    scene
        .store
        .script(|_, call| (call.kind == CallKind::Part).then_some(Trouble::Pause));
    let mut command = against(&scene.gateway);
    let words = [
        "export",
        "-d",
        "shop",
        "-c",
        "orders",
        "-o",
        StoreScene::address(),
    ];
    let mut paused = spawn(scene.reach(&mut command).args(words));
    scene.store.set_victim(&paused);
    assert!(scene.store.wait_until_paused(&mut paused));
    scene.store.clear();
    let ended = typed(&scene, RESUME);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    crate::command::signal(&paused, nix::sys::signal::Signal::SIGCONT);
    let ended = steady(wait(paused));
    let about = "The process was paused, and another one has resumed the export.";
    let shown = EXPORT.replace("$PLACE", StoreScene::address());
    pages.add("taken-over", about, &shown, &ended);
}

/// Azure has removed the parts of an upload that a state has sealed.
fn expired(pages: &mut Pages) {
    let scene = scene();
    scene
        .store
        .script(|_, call| (call.kind == CallKind::Complete).then_some(Trouble::KillBefore));
    let mut command = against(&scene.gateway);
    let words = [
        "export",
        "-d",
        "shop",
        "-c",
        "orders",
        "-o",
        StoreScene::address(),
    ];
    let killed = spawn(scene.reach(&mut command).args(words));
    scene.store.set_victim(&killed);
    assert_eq!(wait(killed).code, None);
    scene.store.clear();
    scene.store.forget_uploads();
    let about = "The process died, and was resumed when Azure had removed its upload.";
    show(&scene, pages, "upload-expired", about, RESUME);
}
