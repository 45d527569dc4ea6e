// Runs the official JavaScript client against the account of the environment: databases, containers, items,
// queries, and the change feed of both modes, as a whole, by range and by partition key.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

// The packages are not beside this file, where an import would look for them.
const require = createRequire(process.env.NODE_MODULES + "/");
const {
  CosmosClient, ChangeFeedStartFrom, ChangeFeedMode, ChangeFeedPolicy, ChangeFeedRetentionTimeSpan, StatusCodes,
} = require("@azure/cosmos");

const client = new CosmosClient({
  endpoint: process.env.AZURE_COSMOS_ENDPOINT,
  key: process.env.AZURE_COSMOS_KEY,
});

/** The code of a request that is refused. */
async function code(request) {
  try {
    await request();
  } catch (error) {
    return error.code;
  }
  assert.fail("it was not refused");
}

/** All changes of an iterator until it has nothing new, and its last continuation. */
async function changes(container, options) {
  const iterator = container.items.getChangeFeedIterator({ maxItemCount: 20, ...options });
  const found = [];
  for (;;) {
    const page = await iterator.readNext();
    if (page.statusCode === StatusCodes.NotModified) {
      return { found, continuation: page.continuationToken };
    }
    found.push(...page.result);
  }
}

const ids = (items) => items.map((item) => item.id).sort();

const { database, statusCode } = await client.databases.createIfNotExists({ id: "javascript" });
assert.equal(statusCode, 201);
assert.equal((await client.databases.createIfNotExists({ id: "javascript" })).statusCode, 200);
assert.equal((await database.read()).resource.id, "javascript");
const properties = {
  id: "things", partitionKey: { paths: ["/group"], version: 2 }, throughput: 10_000,
  changeFeedPolicy: new ChangeFeedPolicy(ChangeFeedRetentionTimeSpan.fromMinutes(10)),
};
const { container } = await database.containers.createIfNotExists(properties);
assert.equal((await database.containers.createIfNotExists(properties)).statusCode, 200);
assert.equal((await container.readOffer()).resource.content.offerThroughput, 10_000);
assert.deepEqual(ids((await database.containers.readAll().fetchAll()).resources), ["things"]);
assert.deepEqual((await container.getPartitionKeyDefinition()).resource.paths, ["/group"]);
assert.equal(await code(() => database.container("nothing").items.create({ id: "a" })), 404);

// All versions start from now, which is when each range is read for the first time.
const all = { changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes };
const now = await changes(container, { ...all, changeFeedStartFrom: ChangeFeedStartFrom.Now() });
assert.equal(now.found.length, 0);

const items = container.items;
const expected = new Map();
for (let number = 0; number < 120; number++) {
  const item = { id: `item-${number}`, group: `group-${number % 10}`, number };
  await items.create(item);
  expected.set(item.id, item);
}
assert.equal(await code(() => items.create({ id: "item-0", group: "group-0" })), 409);
for (let number = 0; number < 120; number += 10) {
  const item = { id: `item-${number}`, group: "group-0", number: -number - 1 };
  const reference = container.item(item.id, item.group);
  if (number % 30 === 0) {
    await reference.replace(item);
    expected.set(item.id, item);
  } else if (number % 20 === 0) {
    await items.upsert(item);
    expected.set(item.id, item);
  } else {
    await reference.patch([{ op: "incr", path: "/number", value: 1_000 }]);
    expected.set(item.id, { ...item, number: number + 1_000 });
  }
}
for (let number = 5; number < 120; number += 10) {
  await container.item(`item-${number}`, "group-5").delete();
  expected.delete(`item-${number}`);
}
for (const id of ["with space", "ключ 🦆", "a%b+c&d=e", "quote'\""]) {
  await items.create({ id, group: "odd", number: 0 });
  expected.set(id, { id, group: "odd", number: 0 });
  assert.equal((await container.item(id, "odd").read()).resource.id, id);
}
await items.create({ id: "batch-0", group: "batch", number: 0 });
const batch = await items.batch([
  { operationType: "Create", resourceBody: { id: "batch-1", group: "batch", number: 1 } },
  { operationType: "Upsert", resourceBody: { id: "batch-2", group: "batch", number: 2 } },
  { operationType: "Delete", id: "batch-0" },
  { operationType: "Patch", id: "batch-2", resourceBody: { operations: [{ op: "incr", path: "/number", value: 0 }] } },
], "batch");
assert.equal(batch.code, 200);
for (const number of [1, 2]) {
  expected.set(`batch-${number}`, { id: `batch-${number}`, group: "batch", number });
}
const bulk = await items.executeBulkOperations([...Array(150).keys()].map((number) => ({
  operationType: "Create", partitionKey: `bulk-${number % 7}`,
  resourceBody: { id: `bulk-${number}`, group: `bulk-${number % 7}`, number },
})));
assert.deepEqual([...new Set(bulk.map((result) => result.response?.statusCode))], [201]);
for (let number = 0; number < 150; number++) {
  expected.set(`bulk-${number}`, { id: `bulk-${number}`, group: `bulk-${number % 7}`, number });
}

// The item as it was written.
const written = ({ id, group, number }) => ({ id, group, number });
const byId = (found) => new Map(found.map((item) => [item.id, written(item)]));
const whole = [...expected].sort();

const query = async (text, options) => (await items.query(text, options).fetchAll()).resources;
assert.deepEqual([...byId(await query("SELECT * FROM c"))].sort(), whole);
assert.equal((await query('SELECT * FROM c WHERE c["group"] = "group-3"')).length, 12);
assert.equal((await query("SELECT * FROM c", { partitionKey: "group-3" })).length, 12);
assert.equal((await query({
  query: "SELECT VALUE c.id FROM c WHERE c.number >= @least",
  parameters: [{ name: "@least", value: 1_000 }],
})).length, 4);
for (const [of, value] of [["COUNT(1)", 150], ["SUM(c.number)", 11_175], ["AVG(c.number)", 74.5], ["MAX(c.number)", 149]]) {
  assert.deepEqual(await query(`SELECT VALUE ${of} FROM c WHERE STARTSWITH(c.id, 'bulk-')`), [value], of);
}
const ordered = await query("SELECT VALUE c.number FROM c WHERE STARTSWITH(c.id, 'bulk-') ORDER BY c.number DESC");
assert.deepEqual(ordered, [...Array(150).keys()].reverse());
assert.deepEqual([...byId((await items.readAll({ maxItemCount: 30 }).fetchAll()).resources)].sort(), whole);
const pages = [];
for (let continuation; ;) {
  const page = await items.query("SELECT * FROM c", { partitionKey: "group-3", maxItemCount: 5, continuationToken: continuation })
    .fetchNext();
  pages.push(...page.resources);
  continuation = page.continuationToken;
  if (!continuation) break;
}
assert.equal(pages.length, 12);

// The feed: each document once, in its last version.
const latest = async (of) => {
  const { found } = await changes(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(of) });
  assert.equal(new Set(ids(found)).size, found.length, "a document came twice");
  return found;
};
assert.deepEqual([...byId(await latest())].sort(), whole);
const ranges = await container.getFeedRanges();
const ofRanges = [];
for (const range of ranges) {
  ofRanges.push(...await latest(range));
}
assert.deepEqual([...byId(ofRanges)].sort(), whole);
assert.equal((await latest("group-3")).length, 12);
const hour = new Date(Date.now() - 3_600_000);
const since = await changes(container, { changeFeedStartFrom: ChangeFeedStartFrom.Time(hour) });
assert.deepEqual([...byId(since.found)].sort(), whole);
const future = new Date(Date.now() + 3_600_000);
assert.equal((await changes(container, { changeFeedStartFrom: ChangeFeedStartFrom.Time(future) })).found.length, 0);
await items.create({ id: "later", group: "later", number: 1 });
const later = await changes(container, { changeFeedStartFrom: ChangeFeedStartFrom.Continuation(since.continuation) });
assert.deepEqual(ids(later.found), ["later"]);

// All versions: each operation.
const versions = await changes(container, {
  ...all, changeFeedStartFrom: ChangeFeedStartFrom.Continuation(now.continuation),
});
const count = (type) => versions.found.filter((change) => change.metadata.operationType === type).length;
assert.deepEqual([count("create"), count("replace"), count("delete")], [120 + 4 + 3 + 150 + 1, 12 + 1, 12 + 1]);

await container.delete();
assert.equal(await code(() => container.read()), 404);
await database.delete();
assert.equal(await code(() => database.read()), 404);
console.log(`${expected.size} items, ${ranges.length} ranges, ${versions.found.length} versions`);
