// Ten thousand chunks that wait for 10 ms each, on a real Redis, in one worker with eight threads: processor time of the producer, the
// worker and Redis for each chunk, and the memory of Redis while it goes on. bullmq and ioredis are looked for in the working directory.
// Usage: node bench-queue.mjs [chunks]
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createRegistry } from "../packages/core/dist/index.js";
import { queueAddress, queueRun, serveQueue } from "../packages/queue/dist/index.js";
import { temporaryFolder } from "./workspace.mjs";

const waiting = new Int32Array(new SharedArrayBuffer(4));
/** Waits without working. */
export const wait = {
  module: import.meta.url,
  name: "wait",
  run({ index, milliseconds }) {
    Atomics.wait(waiting, 0, 0, milliseconds);
    return { index, root: Math.sqrt(index) };
  },
};
export const plugin = { name: "bench", module: import.meta.url, tasks: [wait] };

const threads = 8;
const milliseconds = 10;
const [port, role, count] = [7490, process.argv[2] ?? "10000", Number(process.argv[2] ?? 10_000)];
const settings = { address: queueAddress(`redis://127.0.0.1:${port}`), versions: { bench: "1" }, registry: createRegistry([plugin]) };

if (role === "worker") {
  await serveQueue({ ...settings, concurrency: threads, say: console.error });
  process.on("SIGTERM", () => {
    const { user, system } = process.cpuUsage();
    process.stdout.write(`${(user + system) / 1e3}`, () => process.exit());
  });
  console.error("ready");
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dir = temporaryFolder("finitewidth-bench-");
  const redis = spawn("redis-server", ["--port", String(port), "--dir", dir, "--appendonly", "yes", "--save", ""], { stdio: "ignore" });
  await sleep(1000);
  const worker = spawn(process.execPath, [process.argv[1], "worker"], { stdio: ["ignore", "pipe", "inherit"] });
  await sleep(4000);
  const { Redis } = createRequire(join(process.cwd(), "package.json"))("ioredis");
  const client = new Redis(port);
  const info = async (name) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(await client.info())[1]);
  const redisTime = async () => 1000 * ((await info("used_cpu_user")) + (await info("used_cpu_sys")));
  const memory = [];
  const run = await queueRun(settings);
  const [cpu, atRedis, started] = [process.cpuUsage(), await redisTime(), performance.now()];
  let done = 0;
  const chunks = Array.from({ length: count }, (_, index) => ({ index, milliseconds }));
  for await (const { index, root } of run.map(wait, chunks)) {
    if (index !== done || root !== Math.sqrt(index)) throw new Error(`chunk ${done} gave ${index}`);
    done += 1;
    if (done % (count / 10) === 0) memory.push(((await info("used_memory")) / 2 ** 20).toFixed(1));
  }
  const seconds = (performance.now() - started) / 1000;
  const own = process.cpuUsage(cpu);
  const [producer, server] = [(own.user + own.system) / 1e3, (await redisTime()) - atRedis];
  await run.close();
  let text = "";
  worker.stdout.on("data", (data) => (text += data));
  worker.kill("SIGTERM");
  await new Promise((resolve) => worker.on("exit", resolve));
  const each = (total) => `${(total / count).toFixed(2)} ms`;
  console.log(
    `${done} chunks of ${milliseconds} ms in ${threads} threads: ${seconds.toFixed(1)} s (${((count * milliseconds) / threads / 1000).toFixed(1)} s at least)`,
  );
  console.log(
    `processor time for each: producer ${each(producer)}, Redis ${each(server)}, worker ${each(Number(text))} (its start included)`,
  );
  console.log(`memory of Redis after each tenth, MiB: ${memory.join(" ")}; keys left: ${await client.dbsize()}`);
  client.disconnect();
  redis.kill();
  await sleep(300);
}
