import { createWasmBackend, referenceBackend, type Backend } from "../src/index.js";

/** Every backend this engine can run: the reference and the WebAssembly builds it accepts. */
export function availableBackends(): Backend[] {
  const builds = (["simd", "relaxed"] as const).map((variant) => createWasmBackend({ variant }));
  return [referenceBackend, ...builds.filter((entry) => entry !== undefined)];
}
