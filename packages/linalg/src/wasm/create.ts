import { inputError } from "@finitewidth/core";
import type { Backend } from "../backend.js";
import { createArena } from "./arena.js";
import { wasmBackend } from "./backend.js";
import { acceptedBuilds, instantiate, memoryLimit, workspaceAddress, type WasmOptions } from "./instance.js";
import { startThreadPool, type ThreadPool } from "./thread-pool.js";

/**
 * The kernels in WebAssembly SIMD, or undefined where the engine has none or may not compile (a content security policy without
 * "wasm-unsafe-eval"). Instantiated synchronously; small problems go to `reference`.
 */
export function createWasmBackend(options: WasmOptions = {}): Backend | undefined {
  return createFrom(options);
}

/** The first of the builds wanted that the engine accepts. */
export function createFrom(options: Parameters<typeof acceptedBuilds>[0]): Backend | undefined {
  if (typeof WebAssembly === "undefined") return undefined;
  for (const { variant, bytes } of acceptedBuilds(options)) {
    try {
      const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
      const kernels = instantiate(new WebAssembly.Module(bytes), memory);
      return wasmBackend(`wasm-${variant}`, kernels, createArena(memory, workspaceAddress(kernels, 1), memoryLimit(options)));
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
  }
  return undefined;
}

// The engine may not compile, or has no memory to give.
const isUnavailable = (error: unknown): boolean =>
  error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError || error instanceof RangeError;

/** A backend whose large kernels are shared among threads, and the function that ends them. */
export interface ThreadedBackend {
  readonly backend: Backend;
  close(): void;
}

/**
 * The WebAssembly backend with `threads` threads (the caller's included) that share its memory: products, Cholesky factors, triangular
 * solves, tridiagonal forms and eigenvectors from about n = 100 (docs/benchmarks.md). Pieces of work go to whoever is free, so a busy core
 * costs nothing but the gain; results are those of one thread, bit for bit. For one large problem; many chains are better served by one
 * worker each.
 * @throws FinitewidthError (code "input") for a number of threads that is not 1 … 64.
 * Undefined where WebAssembly memory cannot be shared (a page without cross-origin isolation) or had, or workers do not start.
 */
export async function createThreadedWasmBackend(threads: number, options: WasmOptions = {}): Promise<ThreadedBackend | undefined> {
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 64)) throw inputError("threads", "an integer from 1 to 64", threads);
  if (typeof WebAssembly === "undefined" || typeof SharedArrayBuffer === "undefined") return undefined;
  for (const { variant, bytes } of acceptedBuilds(options, true)) {
    try {
      const memory = new WebAssembly.Memory({ initial: 64 * (1 + threads), maximum: 65536, shared: true });
      const module = await WebAssembly.compile(bytes);
      let pool: ThreadPool | undefined;
      const kernels = instantiate(module, memory, (chunks) => pool!.fork(chunks));
      pool = await startThreadPool(module, memory, kernels, threads);
      if (pool === undefined) return undefined;
      if (threads > 1) kernels.setThreaded(1);
      return {
        backend: wasmBackend(
          `wasm-${variant}-${threads}-threads`,
          kernels,
          createArena(memory, workspaceAddress(kernels, threads), memoryLimit(options)),
        ),
        close: pool.close,
      };
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
  }
  return undefined;
}
