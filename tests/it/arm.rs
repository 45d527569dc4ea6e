//! What goes through Azure Resource Manager with `--via arm`, against a scripted one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::{Value, json};

use crate::command::{CONTAINER, DATABASE, Ended, against, cosmos_tail, export, fail, succeed};
use crate::gateway::{
    ARM_ACCOUNT, ARM_GROUP, ARM_SUBSCRIPTION, ARM_TOKEN, Action, ArmAnswer, ArmRequest, ArmServer,
    Fault, Gateway, GatewayOptions, RequestKind, account_id,
};
use crate::orders::filled_with;

const DATA_TOKEN: &str = "canary-of-the-data";

/// An account of 60 documents without keys, its control plane, and an identity that has a token for each.
struct Cloud {
    gateway: Arc<Gateway>,
    arm: ArmServer,
    directory: tempfile::TempDir,
}

impl Cloud {
    fn new() -> Self {
        let options = GatewayOptions {
            tls: true,
            verify_signature: false,
            ..GatewayOptions::default()
        };
        let (gateway, _) = filled_with(options, 2, 60);
        // What the roles for data do not cover.
        for kind in [RequestKind::ContainerCreate, RequestKind::Offers] {
            gateway.push_fault(Fault::on(kind, Action::status(403, 5302)).always());
        }
        let arm = ArmServer::start();
        arm.know_database(DATABASE);
        let directory = tempfile::tempdir().unwrap();
        let cloud = Self {
            gateway: Arc::new(gateway),
            arm,
            directory,
        };
        cloud.write_cli();
        std::fs::write(cloud.certificate(), cloud.arm.certificate_pem()).unwrap();
        let gateway = Arc::clone(&cloud.gateway);
        cloud.arm.on_created(move |database, name, definition| {
            let key: PartitionKeyDefinition =
                serde_json::from_value(definition["partitionKey"].clone()).unwrap();
            let container = gateway.create_container(database, name, key, 1);
            let mut members = definition.clone();
            let named = members.as_object_mut().unwrap();
            named.remove("id");
            named.remove("partitionKey");
            container.define(members);
        });
        cloud
    }

    fn certificate(&self) -> std::path::PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// An Azure CLI with a token for each of the two, by the scope that it is asked for.
    fn write_cli(&self) {
        let az = self.directory.path().join("az");
        let log = self.directory.path().join("scopes");
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> '{}'\ncase \"$*\" in *management*) token={ARM_TOKEN};; *) \
             token={DATA_TOKEN};; esac\necho '{{\"accessToken\":\"'$token'\",\"expires_on\":4102444800,\
             \"expiresOn\":\"2100-01-01 00:00:00.000000\",\"tokenType\":\"Bearer\"}}'\n",
            log.display()
        );
        std::fs::write(&az, script).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command with the identity, which goes through the control plane.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_arm(arguments);
        command.args(["--via", "arm", "--account-name", ARM_ACCOUNT]);
        command
    }

    fn without_arm(&self, arguments: &[&str]) -> Command {
        let mut command = against(&self.gateway);
        self.prepare(&mut command);
        command.args(arguments).args(["--auth", "cli"]);
        command
    }

    fn prepare(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.directory.path().display());
        command
            .env_remove("AZURE_COSMOS_KEY")
            .env("PATH", path)
            .env("SSL_CERT_FILE", self.certificate())
            .env("AZURE_RESOURCE_MANAGER_ENDPOINT", self.arm.endpoint());
    }

    /// Nothing that no correct client sends, and no token in what was printed.
    #[track_caller]
    fn assert_clean(&self, ended: &Ended) {
        let violations = [self.arm.violations(), self.gateway.violations()].concat();
        assert!(violations.is_empty(), "{violations:?}");
        for text in [&ended.stdout, &ended.stderr] {
            assert!(
                !text.contains(ARM_TOKEN) && !text.contains(DATA_TOKEN),
                "{text}"
            );
        }
    }

    fn paths(&self, method: &str) -> Vec<String> {
        let requests = self.arm.requests().into_iter();
        let of_method = requests.filter(|request| request.method == method);
        of_method.map(|request| request.path).collect()
    }
}

#[test]
fn a_container_that_the_account_knows_a_moment_later_is_waited_for() {
    let cloud = Cloud::new();
    let source = documents(cloud.directory.path());
    let unknown = Fault::on(RequestKind::Container, Action::status(404, 0));
    cloud.gateway.push_fault(unknown.times(2));
    let mut replay = cloud.command(&["replay"]);
    replay.arg(source);
    let ended = succeed(replay.args(["-c", "new", "--create", "--partition-key", "/pk"]));
    cloud.assert_clean(&ended);
    let new = cloud.gateway.container(DATABASE, "new").unwrap();
    assert_eq!(new.latest().len(), 2);
}

/// JSON lines of some documents.
fn documents(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("documents.jsonl");
    std::fs::write(
        &path,
        "{\"id\":\"1\",\"pk\":\"a\"}\n{\"id\":\"2\",\"pk\":\"b\"}\n",
    )
    .unwrap();
    path
}

#[test]
fn a_container_is_created_by_the_definition_of_an_export() {
    let cloud = Cloud::new();
    let source = cloud.gateway.container(DATABASE, CONTAINER).unwrap();
    let policies = json!({
        "defaultTtl": 3600,
        "indexingPolicy": {"indexingMode": "consistent", "includedPaths": [{"path": "/pk/?"}], "excludedPaths": [{"path": "/*"}]},
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/number"]}]},
    });
    source.define(policies.clone());
    let out = cloud.directory.path().join("out");
    succeed(cloud.without_arm(&["export"]).arg("-o").arg(&out));
    let mut replay = cloud.command(&["replay"]);
    let ended = succeed(replay.arg(&out).args(["-c", "copy", "--create"]));
    cloud.assert_clean(&ended);
    let made = cloud.arm.definition(DATABASE, "copy").unwrap();
    for (name, policy) in policies.as_object().unwrap() {
        assert_eq!(&made[name], policy, "{name}");
    }
    assert_eq!(made["partitionKey"]["paths"], json!(["/pk"]));
    assert_eq!(cloud.paths("PUT").len(), 1);
    let copy = cloud.gateway.container(DATABASE, "copy").unwrap();
    assert_eq!(copy.latest().len(), 60);
    assert_eq!(cloud.gateway.requests(RequestKind::ContainerCreate), 0);
    // The account was looked up by its name, in one subscription after the other.
    let lists = cloud.paths("GET").into_iter();
    assert_eq!(lists.filter(|path| path.ends_with("/resources")).count(), 2);
    let scopes = std::fs::read_to_string(cloud.directory.path().join("scopes")).unwrap();
    assert!(
        scopes.contains("https://management.azure.com/.default"),
        "{scopes}"
    );
    // It exists now, and stays as it is.
    let mut again = cloud.command(&["replay"]);
    let ended = succeed(again.arg(&out).args(["-c", "copy", "--create"]));
    cloud.assert_clean(&ended);
    assert_eq!(cloud.paths("PUT").len(), 1);
}

#[test]
fn a_plain_container_has_the_throughput_that_was_typed() {
    let cloud = Cloud::new();
    let source = documents(cloud.directory.path());
    let place = [
        "--subscription",
        ARM_SUBSCRIPTION,
        "--resource-group",
        ARM_GROUP,
    ];
    let mut replay = cloud.command(&["replay"]);
    replay.arg(source).args(place).args([
        "-c",
        "plain",
        "--create",
        "--partition-key",
        "/pk",
        "--throughput",
        "4000",
    ]);
    let ended = succeed(&mut replay);
    cloud.assert_clean(&ended);
    let requests = cloud.arm.requests();
    let put = requests
        .iter()
        .find(|request| request.method == "PUT")
        .unwrap();
    let body: Value = serde_json::from_str(&put.body).unwrap();
    assert_eq!(body["properties"]["options"], json!({"throughput": 4000}));
    let key = json!({"paths": ["/pk"], "kind": "Hash", "version": 2});
    assert_eq!(
        body["properties"]["resource"],
        json!({"id": "plain", "partitionKey": key})
    );
    // Nothing had to be looked up.
    assert!(
        requests
            .iter()
            .all(|request| request.path.starts_with(&account_id())
                || request.path.contains("/operationsStatus/"))
    );
}

#[test]
fn a_refused_creation_names_the_way() {
    let cloud = Cloud::new();
    let source = documents(cloud.directory.path());
    let mut replay = cloud.without_arm(&["replay"]);
    replay.arg(source).args([
        "-c",
        "new",
        "--create",
        "--partition-key",
        "/pk",
        "--max-retries",
        "0",
    ]);
    let ended = fail(&mut replay, 1);
    assert!(ended.stderr.contains("with --via arm"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("Cosmos DB Operator"),
        "{}",
        ended.stderr
    );
    assert!(cloud.arm.requests().is_empty());
}

/// What a replay that creates a container prints if the control plane answers so.
fn refused(answer: impl FnMut(&ArmRequest) -> Option<ArmAnswer> + Send + 'static) -> Ended {
    let cloud = Cloud::new();
    cloud.arm.script(answer);
    let source = documents(cloud.directory.path());
    let mut replay = cloud.command(&["replay"]);
    replay.arg(source).args([
        "-c",
        "new",
        "--create",
        "--partition-key",
        "/pk",
        "--max-retries",
        "2",
    ]);
    let ended = crate::command::run(&mut replay);
    cloud.assert_clean(&ended);
    assert!(cloud.gateway.write_log().is_empty());
    ended
}

#[test]
fn what_is_refused_is_explained() {
    let denied = || {
        ArmAnswer::error(
            403,
            "AuthorizationFailed",
            "The client '5f' does not have authorization to perform action 'x/write'.",
        )
    };
    let on = |method: &'static str, answer: fn() -> ArmAnswer| {
        move |request: &ArmRequest| (request.method == method).then(answer)
    };
    let ended = refused(move |request| (request.method == "PUT").then(denied));
    for part in [
        "does not have authorization to perform action 'x/write'",
        "`Cosmos DB Operator`",
        "containers/write",
        &account_id(),
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    for (answer, code, parts) in [
        (
            Box::new(on("PUT", || {
                ArmAnswer::error(404, "NotFound", "Owner resource does not exist")
            })) as Box<dyn FnMut(&ArmRequest) -> Option<ArmAnswer> + Send>,
            1,
            &["404 (NotFound)", "create the database `shop` first"][..],
        ),
        (
            Box::new(on("GET", || {
                ArmAnswer::error(401, "InvalidAuthenticationToken", "expired")
            })),
            1,
            &["401", "does not accept the token"],
        ),
        (
            Box::new(|request: &ArmRequest| {
                request.path.contains("operationsStatus").then(|| {
                    ArmAnswer::json(json!({"status": "Failed", "error": {
                        "code": "BadRequest", "message": "The indexing policy is not valid"}}))
                })
            }),
            1,
            &["The indexing policy is not valid"],
        ),
        (
            Box::new(|request: &ArmRequest| {
                request
                    .path
                    .ends_with("/resources")
                    .then(|| ArmAnswer::json(json!({"value": []})))
            }),
            2,
            &[
                "cannot find the account `shop-account` in the 2 subscriptions",
                "--account-name",
            ],
        ),
        (
            Box::new(on("GET", || {
                ArmAnswer {
                    status: 302,
                    ..ArmAnswer::json(json!({}))
                }
                .with("location", "https://example.com/")
            })),
            1,
            &["answers 302"],
        ),
        (
            Box::new(on("GET", || ArmAnswer::json(json!({"values": 1})))),
            1,
            &["not one of Azure Resource Manager"],
        ),
    ] {
        let ended = refused(answer);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    }
}

#[test]
fn no_token_goes_to_an_address_that_an_answer_names() {
    let other = ArmServer::start();
    let elsewhere = other.endpoint();
    let list = format!("{elsewhere}subscriptions?api-version=2022-12-01&page=2");
    let ended = refused(move |request| {
        (request.path == "/subscriptions")
            .then(|| ArmAnswer::json(json!({"value": [], "nextLink": list})))
    });
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no token was sent there"),
        "{}",
        ended.stderr
    );
    let status = format!("{elsewhere}subscriptions/x/status");
    let ended = refused(move |request| {
        (request.method == "PUT").then(|| {
            ArmAnswer {
                status: 202,
                ..ArmAnswer::json(json!({}))
            }
            .with("azure-asyncoperation", status.clone())
            .with("retry-after", "0")
        })
    });
    assert!(
        ended.stderr.contains("no token was sent there"),
        "{}",
        ended.stderr
    );
    assert!(other.requests().is_empty());
}

#[test]
fn throttling_and_outages_are_waited_for() {
    let cloud = Cloud::new();
    let mut number = 0;
    let mut puts = 0;
    cloud.arm.script(move |request| {
        if request.method == "PUT" {
            puts += 1;
            let busy = "There is already an operation in progress";
            return (puts == 1).then(|| {
                ArmAnswer::error(412, "PreconditionFailed", busy).with("retry-after", "0")
            });
        }
        number += 1;
        match number {
            1 => {
                Some(ArmAnswer::error(429, "TooManyRequests", "slow down").with("retry-after", "0"))
            }
            3 => Some(ArmAnswer::error(503, "ServiceUnavailable", "")),
            6 => Some(ArmAnswer::error(500, "InternalServerError", "")),
            _ => None,
        }
    });
    let source = documents(cloud.directory.path());
    let mut replay = cloud.command(&["replay"]);
    let ended =
        succeed(
            replay
                .arg(source)
                .args(["-c", "new", "--create", "--partition-key", "/pk"]),
        );
    cloud.assert_clean(&ended);
    assert_eq!(
        cloud
            .gateway
            .container(DATABASE, "new")
            .unwrap()
            .latest()
            .len(),
        2
    );
}

/// The request to create it fails, and by the next attempt somebody else has made it, with a definition of their own.
#[test]
fn what_another_makes_between_two_attempts_is_not_replaced() {
    let cloud = Cloud::new();
    let new = cloud.gateway.create_container(DATABASE, "new", "/pk", 1);
    let mut puts = 0;
    cloud.arm.script(move |request| {
        if request.method == "PUT" {
            puts += 1;
            return Some(ArmAnswer::error(503, "ServiceUnavailable", "").with("retry-after", "0"));
        }
        let is_new = request.path.ends_with("/containers/new");
        (puts > 0 && is_new).then(|| ArmAnswer::json(json!({"properties": {}})))
    });
    let source = documents(cloud.directory.path());
    let mut replay = cloud.command(&["replay"]);
    replay.arg(source);
    succeed(replay.args(["-c", "new", "--create", "--partition-key", "/pk"]));
    assert_eq!(cloud.paths("PUT").len(), 1);
    assert_eq!(new.latest().len(), 2);
}

#[test]
fn an_operation_that_may_not_be_looked_at_is_seen_by_what_it_makes() {
    let cloud = Cloud::new();
    let gateway = Arc::clone(&cloud.gateway);
    let mut looks = 0;
    cloud.arm.script(move |request| {
        if request.path.contains("operationsStatus") {
            return Some(ArmAnswer::error(
                403,
                "AuthorizationFailed",
                "not on the resource group",
            ));
        }
        if request.method == "GET" && request.path.ends_with("/containers/new") {
            looks += 1;
            if looks == 2 {
                gateway.create_container(DATABASE, "new", "/pk", 1);
                return Some(ArmAnswer::json(json!({})));
            }
        }
        None
    });
    let source = documents(cloud.directory.path());
    let mut replay = cloud.command(&["replay"]);
    let ended =
        succeed(
            replay
                .arg(source)
                .args(["-c", "new", "--create", "--partition-key", "/pk"]),
        );
    cloud.assert_clean(&ended);
}

#[test]
fn the_throughput_is_read_for_a_share_of_it_and_for_the_definition() {
    let cloud = Cloud::new();
    let own = format!("sqlDatabases/{DATABASE}/containers/{CONTAINER}");
    cloud.arm.set_throughput(
        &own,
        json!({"throughput": 100, "autoscaleSettings": {"maxThroughput": 2000}}),
    );
    let out = cloud.directory.path().join("out");
    let mut exported = cloud.command(&["export", "--max-ru", "20%", "-v"]);
    let ended = succeed(exported.arg("-o").arg(&out));
    cloud.assert_clean(&ended);
    assert!(ended.stderr.contains("400 RU/s"), "{}", ended.stderr);
    let file = crate::command::state_directory(&out).join("container.json");
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let throughput = json!({"mode": "autoscale", "ru_per_second": 2000, "shared": false});
    assert_eq!(file["throughput"], throughput);
    // Of the database, and none at all.
    let shared = Cloud::new();
    shared.arm.set_throughput(
        &format!("sqlDatabases/{DATABASE}"),
        json!({"throughput": 800}),
    );
    let out = shared.directory.path().join("out");
    let mut exported = shared.command(&["export", "--max-ru", "50%", "-v"]);
    let ended = succeed(exported.arg("-o").arg(&out));
    assert!(ended.stderr.contains("400 RU/s"), "{}", ended.stderr);
    let serverless = Cloud::new();
    serverless.arm.set_serverless();
    let out = serverless.directory.path().join("out");
    let ended = fail(
        serverless
            .command(&["export", "--max-ru", "50%"])
            .arg("-o")
            .arg(&out),
        2,
    );
    assert!(ended.stderr.contains("is serverless"), "{}", ended.stderr);
    // Without it the message names the way.
    let ended = fail(
        serverless
            .without_arm(&["export", "--max-ru", "50%"])
            .arg("-o")
            .arg(&out),
        2,
    );
    assert!(ended.stderr.contains("--via arm"), "{}", ended.stderr);
}

#[test]
fn scripts_and_keys_go_through_the_control_plane() {
    let cloud = Cloud::new();
    // The roles for data cover none of these.
    for kind in [RequestKind::Companions, RequestKind::CompanionCreate] {
        let fault = Fault::on(kind, Action::status(403, 5302));
        cloud.gateway.push_fault(fault.always());
    }
    let source = cloud.gateway.container(DATABASE, CONTAINER).unwrap();
    source.define(
        json!({"clientEncryptionPolicy": {"policyFormatVersion": 2, "includedPaths": [
            {"path": "/card", "clientEncryptionKeyId": "k1"},
        ]}}),
    );
    let of_database = format!("sqlDatabases/{DATABASE}");
    let of_container = format!("{of_database}/containers/{CONTAINER}");
    let all = [
        (
            "storedProcedures",
            json!({"id": "a b", "body": "function () {}", "_rid": "x"}),
        ),
        (
            "triggers",
            json!({"id": "t", "body": "", "triggerType": "Pre", "triggerOperation": "All"}),
        ),
        ("userDefinedFunctions", json!({"id": "u", "body": ""})),
    ];
    for (kind, one) in &all {
        cloud
            .arm
            .add_companion(&format!("{of_container}/{kind}"), one.clone());
    }
    let key = json!({"id": "k1", "wrappedDataEncryptionKey": "AAAA"});
    cloud
        .arm
        .add_companion(&format!("{of_database}/clientEncryptionKeys"), key.clone());
    let out = cloud.directory.path().join("out");
    let ended = succeed(cloud.command(&["export"]).arg("-o").arg(&out));
    cloud.assert_clean(&ended);
    assert!(!ended.stderr.contains("readable"), "{}", ended.stderr);
    let file = crate::command::state_directory(&out).join("container.json");
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for (kind, one) in &all {
        assert_eq!(file["companions"][kind], json!([one]));
    }
    // It was looked up once, with one token, whatever was asked for.
    let lists = cloud.paths("GET").into_iter();
    assert_eq!(lists.filter(|path| path.ends_with("/resources")).count(), 2);

    cloud.arm.know_database("elsewhere");
    cloud.gateway.create_database("elsewhere");
    let replay = || {
        let mut replay = cloud.command(&["replay"]);
        replay.env("AZURE_COSMOS_DATABASE", "elsewhere");
        replay.arg(&out).args(["-c", "copy", "--create"]);
        replay
    };
    let ended = succeed(&mut replay());
    cloud.assert_clean(&ended);
    for (kind, one) in all {
        let mut one = one;
        one.as_object_mut().unwrap().remove("_rid");
        let list = format!("sqlDatabases/elsewhere/containers/copy/{kind}");
        assert_eq!(cloud.arm.companions(&list), [one]);
    }
    assert_eq!(
        cloud
            .arm
            .companions("sqlDatabases/elsewhere/clientEncryptionKeys"),
        [key]
    );
    let made = cloud.paths("PUT");
    assert_eq!(made.len(), 5);
    assert!(made[0].ends_with("/clientEncryptionKeys/k1"), "{made:?}");
    let ended = succeed(&mut replay());
    cloud.assert_clean(&ended);
    assert_eq!(cloud.paths("PUT").len(), 5);

    // Without it, they are named.
    let without = cloud.directory.path().join("without");
    let ended = succeed(cloud.without_arm(&["export"]).arg("-o").arg(&without));
    let part = ", throughput, stored procedures, triggers, user-defined functions and client encryption keys not \
                readable with this credential";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}

#[test]
fn the_list_is_that_of_the_control_plane() {
    let cloud = Cloud::new();
    let key = |path: &str| json!({"paths": [path], "kind": "Hash", "version": 2});
    cloud.arm.define(
        DATABASE,
        "orders",
        json!({"id": "orders", "partitionKey": key("/pk")}),
    );
    cloud.arm.define(
        DATABASE,
        "a b",
        json!({"id": "a b", "partitionKey": key("/x")}),
    );
    cloud.arm.know_database("empty");
    cloud.arm.set_throughput(
        "sqlDatabases/shop/containers/orders",
        json!({"throughput": 400}),
    );
    cloud
        .arm
        .set_throughput("sqlDatabases/shop", json!({"throughput": 1000}));
    let ended = succeed(&mut cloud.command(&["ls", "--format", "json"]));
    cloud.assert_clean(&ended);
    let rows: Value = serde_json::from_str(&ended.stdout).unwrap();
    let shared = json!({"mode": "manual", "ru_per_second": 1000, "shared": true});
    let own = json!({"mode": "manual", "ru_per_second": 400, "shared": false});
    let none = json!({"mode": "none", "ru_per_second": null, "shared": false});
    assert_eq!(
        rows,
        json!([
            {"database": "empty", "container": null, "partition_key": [], "ranges": null, "throughput": none},
            {"database": "shop", "container": "a b", "partition_key": ["/x"], "ranges": null, "throughput": shared},
            {"database": "shop", "container": "orders", "partition_key": ["/pk"], "ranges": null, "throughput": own},
        ])
    );
    assert_eq!(cloud.gateway.requests(RequestKind::Account), 0);
    let ended = succeed(&mut cloud.command(&["ls", "-d", "shop", "-c", "orders"]));
    assert!(
        ended.stdout.contains("400 RU/s") && !ended.stdout.contains("a b"),
        "{}",
        ended.stdout
    );
    for (arguments, part) in [
        (["ls", "-d", "nowhere", "-q"], "no database `nowhere`"),
        (["ls", "-c", "none", "-q"], "no container `none`"),
    ] {
        let ended = fail(&mut cloud.command(&arguments), 1);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: there are"), "{}", ended.stderr);
    }
}

#[test]
fn definitions_are_those_of_the_control_plane() {
    let cloud = Cloud::new();
    let key = json!({"paths": ["/pk"], "kind": "Hash", "version": 2});
    let definition =
        json!({"id": "orders", "partitionKey": key, "defaultTtl": 60, "_rid": "x", "_ts": 1});
    cloud.arm.define(DATABASE, "orders", definition);
    cloud
        .arm
        .set_throughput("sqlDatabases/shop", json!({"throughput": 1000}));
    let mut command = cloud.command(&["definitions", "--format", "json"]);
    let ended = succeed(command.env_remove("AZURE_COSMOS_CONTAINER"));
    cloud.assert_clean(&ended);
    let template: Value = serde_json::from_str(&ended.stdout).unwrap();
    let [database, container] = &template["resources"].as_array().unwrap()[..] else {
        panic!("{}", ended.stdout);
    };
    assert_eq!(
        database["properties"]["options"],
        json!({"throughput": 1000})
    );
    assert_eq!(
        container["properties"],
        json!({"resource": {"id": "orders", "partitionKey": key, "defaultTtl": 60}})
    );
    assert_eq!(cloud.gateway.requests(RequestKind::Account), 0);
    let ended = fail(&mut cloud.command(&["definitions", "-c", "none"]), 1);
    assert!(
        ended.stderr.contains("no container `none`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn keys_and_addresses_that_would_not_do_are_refused_before_any_request() {
    let cloud = Cloud::new();
    let with_key = |arguments: &[&str]| {
        let mut command = against(&cloud.gateway);
        command.args(arguments);
        command
    };
    let ended = fail(&mut with_key(&["ls", "--via", "arm"]), 2);
    assert!(
        ended.stderr.contains("needs an Entra ID credential"),
        "{}",
        ended.stderr
    );
    let ended = fail(&mut cloud.without_arm(&["ls", "--via", "arm"]), 2);
    assert!(
        ended.stderr.contains("give it with --account-name"),
        "{}",
        ended.stderr
    );
    for odd in [
        "http://management.azure.com/",
        "https://u:p@x/",
        "management",
    ] {
        let mut command = cloud.command(&["ls"]);
        let ended = fail(command.env("AZURE_RESOURCE_MANAGER_ENDPOINT", odd), 2);
        assert!(
            ended
                .stderr
                .contains("AZURE_RESOURCE_MANAGER_ENDPOINT is not"),
            "{}",
            ended.stderr
        );
    }
    for (arguments, part) in [
        (
            ["--subscription", "mine"],
            "expected the id of a subscription",
        ),
        (
            ["--resource-group", "a/b"],
            "expected the name of a resource group",
        ),
        (["--account-name", "a'b"], "expected the name of an account"),
    ] {
        let mut command = cosmos_tail();
        let ended = fail(command.args(["ls", "--via", "arm"]).args(arguments), 2);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    assert!(cloud.arm.requests().is_empty());
    // By default nothing of it is asked.
    let out = cloud.directory.path().join("out");
    succeed(&mut export(&cloud.gateway, &out));
    assert!(cloud.arm.requests().is_empty());
}
