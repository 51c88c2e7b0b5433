// Runs a sweep with sampling on a real Redis with three workers, and kills a worker, the command (then --resume) and Redis
// (then started again on its append-only file) at random moments: the numbers must be those of an undisturbed run in one place. Then
// messages that mean harm: all must be refused and told, and nothing may run. Redis comes by apt-get where this is root; BullMQ and ioredis
// are installed for this check alone. Exit status 3: Redis cannot be had. Usage: node check-queue.mjs [--rounds 1] [--steps 200] [--seed 1]
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { commandLine, temporaryFolder } from "./workspace.mjs";

const engines = ["bullmq@6.7.0", "ioredis@5.9.3"];
const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "1" }, steps: { type: "string", default: "200" }, seed: { type: "string", default: "1" } },
});
const has = (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

if (!has("redis-server") && process.getuid?.() === 0 && has("apt-get")) {
  const apt = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server";
  spawnSync("sh", ["-c", apt], { stdio: "ignore" });
}
if (!has("redis-server")) {
  console.log("redis-server is not installed and cannot be installed here");
  process.exit(3);
}

const work = temporaryFolder("finitewidth-queue-");
const children = new Set();
let state = Number(options.seed) >>> 0;
/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts a program; `ended` tells its exit status and what it printed. */
function start(program, argv, cwd = work) {
  const child = spawn(program, argv, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const one = { child, log: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (one.log += data));
  one.ended = new Promise((resolve) =>
    child.on("exit", (status) => {
      children.delete(child);
      resolve(status);
    }),
  );
  return one;
}
const finitewidth = (...argv) => start(process.execPath, [commandLine, ...argv]);
async function until(condition, seconds, what) {
  for (const end = Date.now() + 1000 * seconds; !(await condition()); await sleep(50))
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
}

function startRedis(port, dir) {
  const durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""];
  return start("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, ...durable]);
}
async function startWorker(url, ...more) {
  const worker = finitewidth("worker", "--queue", url, "--concurrency", "1", ...more);
  await until(() => worker.log.includes("listening at") || worker.child.exitCode !== null, 60, "a worker");
  return worker;
}

const chains = { method: "monte-carlo", chains: 2, draws: 25, warmup: 15 };
const sweep = {
  data: {
    train: {
      inputs: [
        [1, 2, 0],
        [0, 1, -1],
        [2, -1, 1],
        [0.3, 0.2, -0.4],
      ],
      targets: [[1], [-0.5], [0.3], [0.8]],
    },
    test: {
      inputs: [
        [0.5, -1, 0.2],
        [1, 1, 1],
      ],
      targets: [[0.4], [-0.2]],
    },
  },
  network: { type: "fully-connected", widths: [5], activation: "erf" },
  likelihood: { temperature: 0.3 },
  methods: ["nngp", "perturbative", chains],
  sweep: {
    "network.widths[0]": Array.from({ length: Math.ceil(options.steps / 5) }, (_, i) => i + 3),
    temperature: [0.5, 0.3, 0.2, 0.1, 0.05],
  },
  referee: { draws: 2, chains: 8 },
  seed: 3,
};
/** A result file without times. */
const numbers = (out) => readFileSync(join(work, out, "result.json"), "utf8").replaceAll(/"(seconds|date|command)": [^,\n]*/g, '"$1": 0');

async function disturbed(round, reference) {
  const [port, dir, out] = [await freePort(), join(work, `redis-${round}`), `round-${round}`];
  mkdirSync(dir);
  const url = `redis://127.0.0.1:${port}`;
  let redis = startRedis(port, dir);
  await until(() => redis.log.includes("Ready to accept"), 20, "Redis");
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(url)));
  const run = (...more) => finitewidth("run", "sweep.json", "--out", out, "--quiet", "--queue", url, ...more);
  let producer = run();
  const started = Date.now();
  const kinds = ["worker", "command", "redis"].map((kind) => ({ kind, key: random() })).sort((a, b) => a.key - b.key);
  const told = [];
  const kept = () => (existsSync(join(work, out, ".checkpoints")) ? readdirSync(join(work, out, ".checkpoints")).length : 0);
  for (const { kind } of kinds) {
    // under way, and further than at the last blow
    const before = kept();
    await until(() => kept() > before + 2 || producer.child.exitCode !== null, 120, `round ${round}: a result`);
    await Promise.race([sleep(3000 * random()), producer.ended]);
    if (producer.child.exitCode !== null) break;
    told.push(`${kind} after ${((Date.now() - started) / 1000).toFixed(1)} s`);
    if (kind === "worker") {
      const at = Math.floor(3 * random());
      workers[at].child.kill("SIGKILL");
      await workers[at].ended;
      workers[at] = await startWorker(url);
    } else if (kind === "command") {
      producer.child.kill("SIGKILL");
      await producer.ended;
      producer = run("--resume");
    } else {
      redis.child.kill("SIGKILL");
      await redis.ended;
      await sleep(500);
      redis = startRedis(port, dir);
    }
  }
  const status = await Promise.race([producer.ended, sleep(180_000, "late", { ref: false })]);
  for (const { child } of [...workers, redis]) child.kill("SIGKILL");
  if (status !== 0) throw new Error(`round ${round} (${told.join(", ")}): the command ended with ${status}\n${producer.log}`);
  if (numbers(out) !== reference) throw new Error(`round ${round} (${told.join(", ")}): other numbers than in one place`);
  console.log(`round ${round}: the same numbers; killed ${told.join(", ")}; ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

async function hostile() {
  const [port, dir] = [await freePort(), join(work, "redis-hostile")];
  mkdirSync(dir);
  const url = `redis://127.0.0.1:${port}`;
  const redis = startRedis(port, dir);
  await until(() => redis.log.includes("Ready to accept"), 20, "Redis");
  const marker = join(work, "it-ran");
  const evil = join(work, "evil.mjs");
  const text = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(marker)}, ""); export const evil = { run() {} };`;
  writeFileSync(evil, text);
  const worker = await startWorker(url);
  const { Queue } = createRequire(join(work, "package.json"))("bullmq");
  const queue = new Queue("chunks", { prefix: "finitewidth", connection: { host: "127.0.0.1", port } });
  const backend = / backend ([\w-]+)/.exec(worker.log)[1];
  const version = / finitewidth ([\w.-]+)/.exec(worker.log)[1];
  const versions = { finitewidth: version, backend };
  const good = { protocol: 1, task: "@finitewidth/experiment#solveMethod", versions, chunk: "gA==", shared: [] };
  const messages = {
    "an unknown task": [{ ...good, task: "@finitewidth/experiment#rm" }, "of no package that this worker allows"],
    "a path": [{ ...good, task: `${evil}#evil` }, "of no package that this worker allows"],
    "an inherited name": [{ ...good, task: "__proto__" }, "of no package that this worker allows"],
    "a module": [{ ...good, module: `file://${evil}` }, 'unknown key "module"'],
    "a key of prototypes": [JSON.parse(`{"__proto__": {"polluted": 1}, "protocol": 1}`), "the key __proto__ is not allowed"],
    "such a key in the chunk": [{ ...good, chunk: Buffer.from("81a95f5f70726f746f5f5fc0", "hex").toString("base64") }, "__proto__"],
    "another protocol": [{ ...good, protocol: 99 }, "it speaks protocol 99, this worker 1"],
    "another version": [{ ...good, versions: { ...versions, finitewidth: "99.0.0" } }, "it needs finitewidth 99.0.0"],
    "a plug-in that is not here": [{ ...good, versions: { ...versions, evil: "1" } }, "it needs evil 1; this worker has none"],
    "100 MB": [{ ...good, chunk: "A".repeat(1e8) }, "chunk: expected at most 64 MiB"],
    "bytes that are no chunk": [{ ...good, chunk: "wcHBwQ==" }, "its chunk cannot be read"],
    "no object": ["text", "it is no message"],
    "escapes for the terminal": [{ ...good, task: "\u001b[2J" }, "of no package that this worker allows"],
  };
  let index = 0;
  for (const [what, [data, reason]] of Object.entries(messages)) {
    const id = `hostile-${index++}`;
    await queue.add("chunk", data, { jobId: id, removeOnFail: false });
    await until(() => worker.log.includes(`refused ${id}:`), 60, what);
    const line = worker.log.split("\n").find((one) => one.includes(`refused ${id}:`));
    if (!line.includes(reason)) throw new Error(`${what}: "${line}" does not say "${reason}"`);
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u0008\u001b]/.test(line)) throw new Error(`${what}: the log has control characters`);
    // told before Redis hears of it
    await until(async () => (await queue.getJobState(id)) === "failed", 60, `${what}: a failed job`);
  }
  if (existsSync(marker)) throw new Error("what a message named was imported");
  if (worker.child.exitCode !== null) throw new Error("the worker has ended");
  await queue.close();
  for (const { child } of [worker, redis]) child.kill("SIGKILL");
  console.log(`${index} hostile messages: all refused and told, nothing ran`);
}

try {
  execFileSync("npm", ["install", "--prefix", work, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", ...engines], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  writeFileSync(join(work, "package.json"), "{}");
  writeFileSync(join(work, "sweep.json"), JSON.stringify(sweep));
  const plain = finitewidth("run", "sweep.json", "--out", "plain", "--quiet");
  if ((await plain.ended) !== 0) throw new Error(plain.log);
  const reference = numbers("plain");
  for (let round = 1; round <= Number(options.rounds); round++) await disturbed(round, reference);
  await hostile();
} finally {
  for (const child of children) child.kill("SIGKILL");
  await sleep(200);
}
