// What long tables of the documentation share: cases kept one a line, a limit in seconds, and a block of a page that is replaced.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { root } from "./workspace.mjs";

/** Seconds of processor time of this process so far. */
export function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * The run with its finished chunks kept in results/<name>, so that a long case goes on where it was stopped. With `--seconds S` no chunk is
 * begun after S seconds: the process ends, with exit status 75 (try again).
 */
export function keptRun(run, name) {
  const folder = join(root, "results", name);
  mkdirSync(folder, { recursive: true });
  return {
    ...run,
    async *map(task, chunks) {
      for (const chunk of chunks) {
        const key = createHash("sha256").update(task.name).update(serialize(chunk)).digest("hex").slice(0, 32);
        const file = join(folder, `${task.name}-${key}.bin`);
        if (!existsSync(file)) {
          if (performance.now() / 1000 > givenLimit()) process.exit(75);
          for await (const result of run.map(task, [chunk])) writeFileSync(`${file}.part`, serialize(result));
          renameSync(`${file}.part`, file);
        }
        yield deserialize(readFileSync(file));
      }
    },
  };
}

/** What `compute` gave for a key of plain data, from results/<name> once it is there. */
export async function remembered(name, key, compute) {
  const folder = join(root, "results", name);
  const file = join(folder, `${createHash("sha256").update(serialize(key)).digest("hex").slice(0, 32)}.bin`);
  if (existsSync(file)) return deserialize(readFileSync(file));
  const found = await compute();
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.part`, serialize(found));
  renameSync(`${file}.part`, file);
  // as later runs find it: keys of chunks are of its bytes
  return deserialize(readFileSync(file));
}

/**
 * Runs every case that results/<name>.jsonl does not have yet, and appends `{ ...case, ...result }` to it as soon as it is there. With
 * `--seconds S` no case is begun after S seconds, with `--table` none at all, unless `limit` says otherwise. Returns all that are known,
 * other cases of the file included.
 */
export async function resumable(name, cases, run, limit = givenLimit()) {
  const file = join(root, "results", `${name}.jsonl`);
  mkdirSync(dirname(file), { recursive: true });
  const known = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(JSON.parse) : [];
  const find = (one) => known.find((other) => Object.entries(one).every(([key, value]) => other[key] === value));
  for (const one of cases) {
    if (performance.now() / 1000 > limit) break;
    if (find(one)) continue;
    const started = processorTime();
    const found = { ...one, ...(await run(one)) };
    known.push(found);
    appendFileSync(file, `${JSON.stringify(found)}\n`);
    console.error(JSON.stringify(one), `${(processorTime() - started).toFixed(1)} s`);
  }
  return known;
}

function givenLimit() {
  const at = process.argv.indexOf("--seconds");
  return process.argv.includes("--table") ? 0 : at < 0 ? Infinity : Number(process.argv[at + 1]);
}

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->` of a page, and prints it. */
export function replaceBlock(page, name, lines) {
  const file = join(root, page);
  const text = readFileSync(file, "utf8");
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const block = lines.join("\n");
  writeFileSync(file, `${text.slice(0, text.indexOf(start) + start.length)}\n${block}\n${text.slice(text.indexOf(end))}`);
  console.log(block);
}
