import { FinitewidthError } from "@finitewidth/core";
import type { KernelExports } from "./exports.js";
import { threadAddresses, type ThreadAddresses } from "./instance.js";

/** Threads that share one WebAssembly memory and take the chunks of a job, whoever is free first. */
export interface ThreadPool {
  /** Has all chunks of the job in shared memory done, the calling thread taking its share; to be imported by its kernels. */
  fork(chunks: number): void;
  close(): void;
}

/** What a thread starts from. */
interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  readonly addresses: ThreadAddresses;
}

// Words of `control`. `state` holds the number of chunks (upper 16 bits) and the next one to be taken (lower 16): a chunk belongs to who
// raises it by one, so a thread that sleeps through a job holds nobody up. `done` counts the finished ones.
const state = 0;
const done = 1;
const workersAsleep = 2;
const callerAsleep = 3;
const closing = 4;
const failed = 5;
// Looks at the word this often before sleeping, some fifty microseconds: the pause between two jobs of one factorisation is shorter.
const spins = 20000;

// Text, because a worker of a bundle has no address of its own. `take` does chunks until none is left.
const workerSource = `
function take(control, runChunk) {
  for (;;) {
    const now = Atomics.load(control, ${state});
    if ((now & 0xffff) >= now >>> 16) return now;
    if (Atomics.compareExchange(control, ${state}, now, now + 1) !== now) continue;
    try {
      runChunk(now & 0xffff);
    } catch {
      Atomics.store(control, ${failed}, 1);
    }
    Atomics.add(control, ${done}, 1);
    if (Atomics.load(control, ${callerAsleep}) === 1) Atomics.notify(control, ${done});
  }
}

function run({ module, memory, control, addresses }, ready) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort() {} }, parallel: { fork() {} } });
  exports.setErfTable(addresses.erfTable);
  exports.setJob(addresses.job);
  exports.setWorkspace(addresses.workspace);
  ready();
  for (;;) {
    const idle = take(control, exports.runChunk);
    let spin = 0;
    while (Atomics.load(control, ${state}) === idle && spin < ${spins}) spin++;
    if (Atomics.load(control, ${closing}) === 1) return;
    if (spin < ${spins}) continue;
    Atomics.add(control, ${workersAsleep}, 1);
    Atomics.wait(control, ${state}, idle);
    Atomics.sub(control, ${workersAsleep}, 1);
  }
}
`;

interface StartedWorker {
  readonly ready: Promise<boolean>;
  terminate(): void;
}

type NodeWorkerThreads = typeof import("node:worker_threads");

function startNodeWorker({ Worker }: NodeWorkerThreads, start: Start): StartedWorker {
  const source = `const { workerData, parentPort } = require("node:worker_threads");${workerSource}run(workerData, () => parentPort.postMessage("ready"));`;
  const worker = new Worker(source, { eval: true, workerData: start, execArgv: [] });
  const ready = new Promise<boolean>((resolve) => {
    worker.once("message", () => resolve(true));
    worker.once("error", () => resolve(false));
    worker.once("exit", () => resolve(false));
  });
  return { ready: ready.finally(() => worker.unref()), terminate: () => void worker.terminate() };
}

function startBrowserWorker(start: Start): StartedWorker {
  const source = `${workerSource}onmessage = ({ data }) => run(data, () => postMessage("ready"));`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url);
  const ready = new Promise<boolean>((resolve) => {
    worker.addEventListener("message", () => resolve(true), { once: true });
    worker.addEventListener("error", () => resolve(false), { once: true });
  });
  worker.postMessage(start, []);
  return { ready: ready.finally(() => URL.revokeObjectURL(url)), terminate: () => worker.terminate() };
}

/** Starts threads − 1 workers (the caller is the first thread); undefined where memory cannot be shared or a worker does not start. */
export async function startThreadPool(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernels: KernelExports,
  threads: number,
): Promise<ThreadPool | undefined> {
  const control = new Int32Array(new SharedArrayBuffer(24));
  const nodeThreads =
    typeof process === "undefined" ? undefined : (process.getBuiltinModule?.("node:worker_threads") as NodeWorkerThreads | undefined);
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const start = { module, memory, control, addresses: threadAddresses(kernels, i + 1) };
    return nodeThreads === undefined ? startBrowserWorker(start) : startNodeWorker(nodeThreads, start);
  });
  const close = () => {
    Atomics.store(control, closing, 1);
    Atomics.store(control, state, 0);
    Atomics.notify(control, state);
    for (const worker of workers) worker.terminate();
  };
  const started = await Promise.all(workers.map((worker) => worker.ready));
  if (!started.every(Boolean)) {
    close();
    return undefined;
  }
  // The main thread of a browser may not sleep; it goes on looking.
  const maySleep = nodeThreads !== undefined || typeof document === "undefined";
  return {
    fork(chunks) {
      Atomics.store(control, done, 0);
      Atomics.store(control, state, chunks << 16);
      if (Atomics.load(control, workersAsleep) > 0) Atomics.notify(control, state);
      takeChunks(control, kernels);
      for (let spin = 0; ; spin++) {
        const finished = Atomics.load(control, done);
        if (finished === chunks) break;
        if (spin < spins || !maySleep) continue;
        Atomics.store(control, callerAsleep, 1);
        Atomics.wait(control, done, finished);
        Atomics.store(control, callerAsleep, 0);
      }
      if (Atomics.exchange(control, failed, 0) === 1) throw new FinitewidthError("a WebAssembly kernel stopped", { code: "not-converged" });
    },
    close,
  };
}

// What `take` is to a worker.
function takeChunks(control: Int32Array, kernels: KernelExports): void {
  for (;;) {
    const now = Atomics.load(control, state);
    if ((now & 0xffff) >= now >>> 16) return;
    if (Atomics.compareExchange(control, state, now, now + 1) !== now) continue;
    try {
      kernels.runChunk(now & 0xffff);
    } catch {
      Atomics.store(control, failed, 1);
    }
    Atomics.add(control, done, 1);
  }
}
