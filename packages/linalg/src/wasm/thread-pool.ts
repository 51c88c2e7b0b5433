import type { GemmArguments, KernelExports } from "./exports.js";

/** Threads that share one WebAssembly memory and split the rows of large products. */
export interface ThreadPool {
  /** To be imported by the kernels of the calling thread, under the module name "gemm". */
  readonly parallelGemm: (...parameters: GemmArguments) => void;
  /** The kernels of the calling thread, which does its own share; set once, before the first product. */
  attach(kernels: KernelExports): void;
  close(): void;
}

/** What a thread starts from; `workspace` is the address of its packed blocks. */
interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  readonly parameters: Float64Array;
  readonly index: number;
  readonly workspace: number;
}

// Words of `control`: number of the job, threads still at work, 1 when the threads are to end.
const job = 0;
const pending = 1;
const closing = 2;
// Looks at the word this often before sleeping: some ten microseconds, so that a busy machine loses little.
const spins = 2000;
const parameterCount = 14;
const tileRows = 4;

// Text, because a worker of a bundle has no address of its own. `run` receives a Start.
const workerSource = `
function run({ module, memory, control, parameters, index, workspace }, ready) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort() {} }, gemm: { parallelGemm() {} } });
  exports.setWorkspace(workspace);
  ready();
  for (let seen = 0; ; ) {
    for (let spin = 0; Atomics.load(control, ${job}) === seen; spin++) if (spin > ${spins}) Atomics.wait(control, ${job}, seen);
    seen = Atomics.load(control, ${job});
    if (Atomics.load(control, ${closing}) === 1) return;
    const first = parameters[${parameterCount} + index];
    const last = parameters[${parameterCount} + index + 1];
    if (first < last) exports.gemmRows(first, last, ...parameters.subarray(1, ${parameterCount}));
    if (Atomics.sub(control, ${pending}, 1) === 1) Atomics.notify(control, ${pending});
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

/** Boundaries of the rows of `count` shares of equal work, multiples of the tile height; `part` as in the kernels. */
export function shareRows(m: number, count: number, part: number): number[] {
  const fraction = (share: number) => (part === 0 ? share : part === 1 ? Math.sqrt(share) : 1 - Math.sqrt(1 - share));
  return Array.from({ length: count + 1 }, (_, i) => (i === count ? m : Math.min(m, tileRows * Math.round((fraction(i / count) * m) / tileRows))));
}

/**
 * Starts threads − 1 workers (the caller is the first thread); undefined where memory cannot be shared or a worker does not start.
 * `workspaces` are the addresses of their packed blocks in the shared memory.
 */
export async function startThreadPool(module: WebAssembly.Module, memory: WebAssembly.Memory, workspaces: readonly number[]): Promise<ThreadPool | undefined> {
  const threads = workspaces.length + 1;
  const control = new Int32Array(new SharedArrayBuffer(12));
  const parameters = new Float64Array(new SharedArrayBuffer(8 * (parameterCount + threads + 1)));
  const nodeThreads = typeof process === "undefined" ? undefined : (process.getBuiltinModule?.("node:worker_threads") as NodeWorkerThreads | undefined);
  const workers = workspaces.map((workspace, i) => {
    const start = { module, memory, control, parameters, index: i + 1, workspace };
    return nodeThreads === undefined ? startBrowserWorker(start) : startNodeWorker(nodeThreads, start);
  });
  const close = () => {
    Atomics.store(control, closing, 1);
    Atomics.add(control, job, 1);
    Atomics.notify(control, job);
    for (const worker of workers) worker.terminate();
  };
  const started = await Promise.all(workers.map((worker) => worker.ready));
  if (!started.every(Boolean)) {
    close();
    return undefined;
  }
  let own: KernelExports | undefined;
  // The main thread of a browser may not sleep; it goes on looking.
  const maySleep = nodeThreads !== undefined || typeof document === "undefined";
  return {
    parallelGemm(...gemm) {
      const bounds = shareRows(gemm[0], threads, gemm[13]);
      parameters.set(gemm);
      parameters.set(bounds, parameterCount);
      Atomics.store(control, pending, threads - 1);
      Atomics.add(control, job, 1);
      Atomics.notify(control, job);
      const [, ...rest] = gemm;
      own!.gemmRows(0, bounds[1]!, ...rest);
      for (let spin = 0; ; spin++) {
        const left = Atomics.load(control, pending);
        if (left === 0) return;
        if (spin > spins && maySleep) Atomics.wait(control, pending, left);
      }
    },
    attach(kernels) {
      own = kernels;
      kernels.setParallel(1);
    },
    close,
  };
}
