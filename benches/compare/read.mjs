// Writes the change feed of a container as JSON lines with the official JavaScript SDK: a file for
// each feed range, all of them at the same time.
//
//   read.mjs DIRECTORY
//
// The account comes from AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER.

import { ChangeFeedStartFrom, CosmosClient, StatusCodes } from "@azure/cosmos";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";

const of = (name) => process.env[`AZURE_COSMOS_${name}`];
const client = new CosmosClient({ endpoint: of("ENDPOINT"), key: of("KEY") });
const container = client.database(of("DATABASE")).container(of("CONTAINER"));

async function read(number, range) {
  const name = String(number).padStart(5, "0") + ".jsonl";
  const out = createWriteStream(join(process.argv[2], name));
  const iterator = container.items.getChangeFeedIterator({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(range),
    maxItemCount: 1000,
  });
  while (iterator.hasMoreResults) {
    const response = await iterator.readNext();
    if (response.statusCode === StatusCodes.NotModified) break;
    for (const item of response.result) {
      if (!out.write(JSON.stringify(item) + "\n")) await once(out, "drain");
    }
  }
  out.end();
  await once(out, "finish");
}

const ranges = await container.getFeedRanges();
await Promise.all(ranges.map((range, number) => read(number, range)));
client.dispose();
