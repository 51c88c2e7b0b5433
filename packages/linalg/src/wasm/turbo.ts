import type { Matrix } from "@finitewidth/core";
import type { Backend } from "../backend.js";
import { wideModule } from "../generated/wide.wasm.js";
import { referenceBackend } from "../reference/backend.js";
import { createFrom } from "./create.js";
import { addBuild, type WasmOptions } from "./instance.js";
import { wasmWorkspace } from "./workspace.js";

type V8 = Pick<typeof import("node:v8"), "setFlagsFromString">;

/**
 * The WebAssembly backend with an experimental switch of V8 thrown for the whole process: fused multiply–add on Node 20 (products 1.4 times
 * as fast); on Node 24 and later vectors paired to 256 bits, for a build of its own whose 6 × 8 tile makes use of them (products 1.7 times
 * as fast, Cholesky factors twice). A self-test against the reference decides; undefined when it fails, outside Node, and on versions where
 * there is nothing to gain. Takes a fraction of a second. Never needed for correctness.
 */
export function createTurboWasmBackend(options: Omit<WasmOptions, "variant"> = {}): Backend | undefined {
  const v8 = typeof process === "undefined" ? undefined : (process.getBuiltinModule?.("node:v8") as V8 | undefined);
  const version = v8 === undefined ? 0 : Number.parseInt(process.versions.v8, 10);
  const choice =
    version >= 13
      ? { flag: "--experimental-wasm-revectorize", variant: "wide" as const }
      : version === 11
        ? { flag: "--experimental-wasm-relaxed-simd", variant: "relaxed" as const }
        : undefined;
  if (v8 === undefined || choice === undefined) return undefined;
  v8.setFlagsFromString(choice.flag);
  addBuild("wide", wideModule);
  const backend = createFrom({ ...options, variant: choice.variant });
  if (backend === undefined || !passesSelfTest(backend)) return undefined;
  const name = `${backend.name}-turbo`;
  return { ...backend, name, workspace: (shapes, constants) => ({ ...wasmWorkspace(choice.variant, shapes, constants)!, name }) };
}

// Deterministic numbers in [−1, 1].
function waves(rows: number, columns: number, phase: number): Matrix {
  return { data: Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(phase + i * i)), shape: [rows, columns] };
}

// Enough work for the optimising compiler to take over, on shapes with and without edges.
function passesSelfTest(kernels: Backend): boolean {
  const close = (a: Matrix, b: Matrix) => a.data.every((value, i) => Math.abs(value - b.data[i]!) <= 1e-12);
  for (let round = 0; round < 40; round++) {
    const [m, k, n] = [96 + (round % 5), 128 + (round % 3), 96 + (round % 7)];
    const [a, b] = [waves(m, k, round), waves(k, n, round + 0.5)];
    if (!close(kernels.multiply(a, b, "none"), referenceBackend.multiply(a, b, "none"))) return false;
    if (!close(kernels.gram(a), referenceBackend.gram(a))) return false;
  }
  const symmetric = kernels.gram(waves(150, 150, 1));
  const { values, vectors } = kernels.symmetricEigen(symmetric);
  const scaled = { data: vectors.data.map((value, i) => value * values[i % 150]!), shape: vectors.shape };
  const rebuilt = referenceBackend.multiply(scaled, vectors, "right");
  return rebuilt.data.every((value, i) => Math.abs(value - symmetric.data[i]!) <= 1e-10);
}
