import { FinitewidthError } from "@finitewidth/core";
import { relaxedModule } from "../generated/relaxed.wasm.js";
import { simdModule } from "../generated/simd.wasm.js";
import { erfTable } from "../reference/erf.js";
import type { KernelExports } from "./exports.js";

/** Builds of the kernels; "wide" is "relaxed" with a tile for engines that pair its vectors (see `createTurboWasmBackend`). */
export type Build = "simd" | "relaxed" | "wide";

const modules = new Map<Build, string>([
  ["simd", simdModule],
  ["relaxed", relaxedModule],
]);

/** Adds a build that bundles are to hold only where it is asked for. */
export function addBuild(name: Build, base64: string): void {
  modules.set(name, base64);
}

/** Which build of the kernels, and how much memory it may take. */
export interface WasmOptions {
  /** "relaxed" fuses multiply and add (not bit-reproducible across processors); without a choice, the fastest the engine accepts. */
  readonly variant?: "simd" | "relaxed";
  /** Default: the 4 GiB that WebAssembly can address. */
  readonly memoryLimitBytes?: number;
}

/** Bytes that WebAssembly can address. */
const addressable = 65535 * 65536;

/** Memory that the kernels may take, in bytes. */
export function memoryLimit(options: Pick<WasmOptions, "memoryLimitBytes">): number {
  return Math.min(options.memoryLimitBytes ?? addressable, addressable);
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Builds of the kernels that this engine accepts, best first; compiled for a shared memory when asked. */
export function acceptedBuilds(
  options: Omit<WasmOptions, "variant"> & { readonly variant?: Build },
  shared = false,
): { readonly variant: Build; readonly bytes: Uint8Array<ArrayBuffer> }[] {
  const variants = options.variant === undefined ? (["relaxed", "simd"] as const) : [options.variant];
  return variants
    .map((variant) => {
      const bytes = decode(modules.get(variant)!);
      return { variant, bytes: shared ? withSharedMemory(bytes) : bytes };
    })
    .filter(({ bytes }) => WebAssembly.validate(bytes));
}

// The modules import "env" "memory" with limits (flag 1: minimum and maximum); flag 3 says that the memory is shared. Nothing else differs.
function withSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const imported = [3, ...new TextEncoder().encode("env"), 6, ...new TextEncoder().encode("memory"), 2, 1];
  const at = bytes.findIndex((_, i) => imported.every((byte, j) => bytes[i + j] === byte));
  const shared = bytes.slice();
  shared[at + imported.length - 1] = 3;
  return shared;
}

// Memory: a guard of 4 KiB with the constants, the tables of erf and of the ziggurat, the job that threads share, the packed blocks of gemm
// for each thread, and the arena.
const tableAt = 4096;
const alignment = 64;
const jobAt = (kernels: KernelExports): number => tableAt + (kernels.erfTableLength() + kernels.zigguratLength()) * 8;

/** The kernels on `memory`, their tables filled, ready to be called. `fork` has the chunks of a shared job done by all threads. */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  fork: (chunks: number) => void = () => undefined,
): KernelExports {
  const abort = () => {
    throw new FinitewidthError("a WebAssembly kernel stopped", { code: "not-converged" });
  };
  const kernels = new WebAssembly.Instance(module, { env: { memory, abort }, parallel: { fork } }).exports as unknown as KernelExports;
  new Float64Array(memory.buffer, tableAt, kernels.erfTableLength()).set(erfTable());
  kernels.setErfTable(tableAt);
  kernels.setZiggurat(tableAt + kernels.erfTableLength() * 8);
  kernels.setJob(jobAt(kernels));
  kernels.setWorkspace(workspaceAddress(kernels, 0));
  return kernels;
}

/** What the instance of another thread on the same memory is told. */
export function threadAddresses(kernels: KernelExports, thread: number): ThreadAddresses {
  return { erfTable: tableAt, job: jobAt(kernels), workspace: workspaceAddress(kernels, thread) };
}

/** Where an instance finds its tables and scratch in the shared memory. */
export interface ThreadAddresses {
  readonly erfTable: number;
  readonly job: number;
  readonly workspace: number;
}

/** Address of the packed blocks of a thread; that of the thread after the last is where free memory begins. */
export function workspaceAddress(kernels: KernelExports, thread: number): number {
  const first = Math.ceil((jobAt(kernels) + kernels.jobBytes()) / alignment) * alignment;
  return first + thread * Math.ceil(kernels.workspaceBytes() / alignment) * alignment;
}
