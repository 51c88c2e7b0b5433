// Runs a slow map with results kept in the folder given as argument, and prints a checksum: started, killed and started again by
// kill.test.ts.
import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRegistry } from "@finitewidth/core";
import { poolRun, resumable, type ChunkStore } from "../src/index.js";
import { plugin, slowNumbers } from "./tasks.js";

const folder = process.argv[2]!;
const fileOf = (task: string, chunk: unknown): string => join(folder, `${task}-${JSON.stringify(chunk).replaceAll(/\W/g, "_")}.json`);
const store: ChunkStore = {
  load: (task, chunk) => readFile(fileOf(task, chunk), "utf8").then(JSON.parse, () => undefined),
  save: async (task, chunk, result) => {
    await writeFile(`${fileOf(task, chunk)}.part`, JSON.stringify(result));
    await rename(`${fileOf(task, chunk)}.part`, fileOf(task, chunk));
  },
};
const run = resumable(poolRun({ registry: createRegistry([plugin]), workers: 2 }), store);
const hash = createHash("sha256");
for await (const values of run.map(
  slowNumbers,
  Array.from({ length: 8 }, (_, index) => ({ index, milliseconds: 250 })),
))
  hash.update(JSON.stringify(values));
console.log(hash.digest("hex"));
