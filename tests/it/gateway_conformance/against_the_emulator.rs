//! One scenario against the gateway and against Microsoft's in-memory emulator: the driver's caller must
//! observe the same.

use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos_driver::in_memory_emulator::{
    ConsistencyLevel, ContainerConfig, EmulatorStore, InMemoryEmulatorHttpClient,
    VirtualAccountConfig, VirtualRegion,
};
use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey;
use azure_data_cosmos_driver::models::{
    AccountReference, ChangeFeedStartFrom, CosmosOperation, FeedRange, ItemReference,
};
use azure_data_cosmos_driver::options::{DriverOptions, OperationOptions};
use serde_json::{Value, json};

use super::driver_reader::{Page, Reader, ids, sorted};
use crate::gateway::{Container, Gateway, GatewayOptions, KEY};

/// Cuts the one partition in the middle of the hashes.
const MIDDLE: &str = "20000000000000000000000000000000";

enum Backend {
    Gateway {
        gateway: Gateway,
        container: Container,
    },
    Emulator(Arc<EmulatorStore>),
}

impl Backend {
    async fn gateway() -> (Self, Reader) {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = gateway.create_container("db", "coll", "/pk", 1);
        let reader = Reader::open(&gateway).await;
        (Self::Gateway { gateway, container }, reader)
    }

    async fn emulator() -> (Self, Reader) {
        let endpoint = "https://eastus.emulator.local";
        let url: url::Url = endpoint.parse().expect("it is a URL");
        let config = VirtualAccountConfig::new(vec![VirtualRegion::new("East US", url.clone())])
            .expect("one region is an account")
            .with_consistency(ConsistencyLevel::Session);
        let emulator = Arc::new(InMemoryEmulatorHttpClient::new(config));
        let store = emulator.store();
        store.create_database("db");
        let one_partition = ContainerConfig::new()
            .with_partition_count(1)
            .build()
            .expect("one partition is allowed");
        store.create_container_with_config("db", "coll", "/pk".into(), one_partition);
        let runtime = emulator
            .runtime_builder()
            .build()
            .await
            .expect("the runtime starts");
        let account = AccountReference::with_account_key(url, KEY.to_owned());
        let driver = runtime
            .create_driver(DriverOptions::builder(account).build())
            .await
            .expect("the driver connects");
        let container = driver
            .resolve_container("db", "coll", OperationOptions::default())
            .await
            .expect("the container resolves");
        (Self::Emulator(store), Reader { driver, container })
    }

    async fn upsert(&self, reader: &Reader, document: Value) {
        match self {
            Self::Gateway { container, .. } => {
                container.upsert(document);
            }
            Self::Emulator(_) => {
                let text = |name: &str| document[name].as_str().expect("a string").to_owned();
                let item =
                    ItemReference::from_name(&reader.container, text("pk").into(), text("id"));
                let body = document.to_string().into_bytes();
                reader
                    .driver
                    .execute_operation(
                        CosmosOperation::upsert_item(item).with_body(body),
                        OperationOptions::default(),
                    )
                    .await
                    .expect("the item is written");
            }
        }
    }

    async fn split_the_only_partition(&self) {
        match self {
            Self::Gateway { container, .. } => {
                container.split_at("0", &[MIDDLE]);
            }
            Self::Emulator(store) => {
                let cut = EffectivePartitionKey::try_from(MIDDLE).expect("it is an EPK");
                store
                    .split_partition_and_wait("db", "coll", 0, cut, Duration::ZERO)
                    .await
                    .expect("the partition splits");
            }
        }
    }

    async fn merge_the_two_children(&self) {
        match self {
            Self::Gateway { container, .. } => {
                container.merge("1", "2");
            }
            Self::Emulator(store) => {
                store
                    .merge_partitions_and_wait("db", "coll", 1, 2, Duration::ZERO)
                    .await
                    .expect("the partitions merge");
            }
        }
    }

    fn assert_clean(&self) {
        if let Self::Gateway { gateway, .. } = self {
            assert_eq!(gateway.violations(), Vec::<String>::new());
        }
    }
}

/// What the scenario observes of one page.
type Observed = (u16, bool, Vec<String>);

fn observed(page: Page) -> Observed {
    (page.status, page.has_etag, ids(&page.documents))
}

#[derive(Debug, PartialEq, Eq)]
struct Story {
    pinned_at_now: Vec<Observed>,
    from_now: Vec<Observed>,
    after_an_update: Vec<Observed>,
    from_the_beginning: Vec<Observed>,
    after_the_split: Vec<String>,
    the_rest_for_a_plan_made_before_the_split: Vec<String>,
    the_whole_after_the_merge: Vec<String>,
}

async fn pages(
    reader: &Reader,
    plan: &mut azure_data_cosmos_driver::OperationPlan,
    count: usize,
) -> Vec<Observed> {
    let mut pages = Vec::with_capacity(count);
    for _ in 0..count {
        pages.push(observed(reader.page(plan).await));
    }
    pages
}

async fn play(backend: &Backend, reader: &Reader) -> Story {
    let document =
        |number: usize| json!({"id": format!("{number:02}"), "pk": format!("p{number}")});
    backend.upsert(reader, document(99)).await;
    let scope = FeedRange::full();
    let mut plan = reader
        .latest_version(scope.clone(), ChangeFeedStartFrom::Now, None)
        .await;
    let pinned_at_now = pages(reader, &mut plan, 2).await;
    for number in 0..7 {
        backend.upsert(reader, document(number)).await;
    }
    let from_now = pages(reader, &mut plan, 5).await;
    backend.upsert(reader, document(2)).await;
    let after_an_update = pages(reader, &mut plan, 2).await;

    let mut whole = reader.read_from_beginning().await;
    let from_the_beginning = pages(reader, &mut whole, 5).await;

    let mut halfway = reader.read_from_beginning().await;
    let first = reader.page(&mut halfway).await;
    assert_eq!(first.documents.len(), 3);
    let token = plan.to_continuation_token().expect("a token is taken");
    backend.split_the_only_partition().await;
    for number in 10..30 {
        backend.upsert(reader, document(number)).await;
    }
    let mut resumed = reader.resume(scope.clone(), &token).await;
    let after_the_split = sorted(ids(&reader.drain(&mut resumed).await));
    let rest = sorted(ids(&reader.drain(&mut halfway).await));

    backend.merge_the_two_children().await;
    for number in 40..50 {
        backend.upsert(reader, document(number)).await;
    }
    // From the beginning: the emulator renumbers all items when it merges, which makes its own older tokens
    // meaningless.
    let mut whole = reader.read_from_beginning().await;
    let the_whole_after_the_merge = sorted(ids(&reader.drain(&mut whole).await));
    Story {
        pinned_at_now,
        from_now,
        after_an_update,
        from_the_beginning,
        after_the_split,
        the_rest_for_a_plan_made_before_the_split: rest,
        the_whole_after_the_merge,
    }
}

fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| format!("{number:02}"))
        .collect()
}

#[tokio::test]
async fn the_gateway_and_the_emulator_give_the_same_answers() {
    let (gateway, reader) = Backend::gateway().await;
    let ours = play(&gateway, &reader).await;
    gateway.assert_clean();
    let (emulator, reader) = Backend::emulator().await;
    let theirs = play(&emulator, &reader).await;
    assert_eq!(ours, theirs);

    let page = |numbers: &[usize]| (200, true, names(numbers.iter().copied()));
    let nothing = (304, true, Vec::new());
    assert_eq!(ours.pinned_at_now, vec![nothing.clone(); 2]);
    assert_eq!(
        ours.from_now,
        [
            page(&[0, 1, 2]),
            page(&[3, 4, 5]),
            page(&[6]),
            nothing.clone(),
            nothing.clone()
        ]
    );
    assert_eq!(ours.after_an_update, [page(&[2]), nothing.clone()]);
    assert_eq!(
        ours.from_the_beginning,
        [
            page(&[99, 0, 1]),
            page(&[3, 4, 5]),
            page(&[6, 2]),
            nothing.clone(),
            nothing
        ]
    );
    assert_eq!(ours.after_the_split, names(10..30));
    assert_eq!(
        ours.the_rest_for_a_plan_made_before_the_split,
        names([2, 3, 4, 5, 6].into_iter().chain(10..30))
    );
    assert_eq!(
        ours.the_whole_after_the_merge,
        names((0..7).chain(10..30).chain(40..50).chain([99]))
    );
}
