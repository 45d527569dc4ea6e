// Azurite, with an empty container `lake`, until standard input ends.
//
//   AZURITE=path/to/node_modules node tests/azurite/serve.mjs
//
// It prints the address for AZURITE_BLOB_STORAGE_URL.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";

// The account and the key of every emulator: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const server = spawn(
    process.execPath,
    [
        `${process.env.AZURITE}/azurite/dist/src/blob/main.js`,
        "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
);
server.on("exit", (code) => process.exit(code ?? 1));
process.stdin.on("end", () => server.kill()).resume();

let log = "";
server.stdout.on("data", async (text) => {
    log += text;
    const found = /successfully listens on (http:\/\/[\d.]+:\d+)/.exec(log);
    if (!found) return;
    server.stdout.removeAllListeners("data");
    server.stdout.resume();
    await createContainer(found[1], "lake");
    console.log(found[1]);
});

async function createContainer(address, name) {
    const date = new Date().toUTCString();
    const version = "2023-11-03";
    const resource = `/${account}/${account}/${name}\nrestype:container`;
    const text = `PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:${date}\nx-ms-version:${version}\n${resource}`;
    const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
    const answer = await fetch(`${address}/${account}/${name}?restype=container`, {
        method: "PUT",
        headers: {
            "x-ms-date": date,
            "x-ms-version": version,
            authorization: `SharedKey ${account}:${signature}`,
        },
    });
    if (answer.status !== 201) {
        throw new Error(`the container cannot be made: ${answer.status} ${await answer.text()}`);
    }
}
