import {
  backend,
  createThreadedWasmBackend,
  createWasmBackend,
  gram,
  fusedKernelMap,
  multiply,
  referenceBackend,
  symmetricEigen,
} from "@finitewidth/linalg";

const n = 300;
const x = { data: Float64Array.from({ length: n * n }, (_, i) => Math.sin(i * i)), shape: [n, n] as const };
const largestDifference = (a: Float64Array, b: Float64Array) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
const time = (run: () => void) => {
  run();
  const start = performance.now();
  run();
  return performance.now() - start;
};

const product = multiply(x, x);
const symmetric = gram(x);
const threaded = await createThreadedWasmBackend(2);
const result = {
  backend: backend().name,
  plain: createWasmBackend({ variant: "simd" })?.name ?? "none",
  threaded: threaded?.backend.name ?? "none",
  isolated: crossOriginIsolated,
  differenceFromReference: largestDifference(product.data, referenceBackend.multiply(x, x, "none").data),
  differenceFromThreads:
    threaded === undefined
      ? 0
      : Math.max(
          largestDifference(product.data, threaded.backend.multiply(x, x, "none").data),
          largestDifference(symmetricEigen(symmetric).vectors.data, threaded.backend.symmetricEigen(symmetric).vectors.data),
        ),
  milliseconds: { multiply: time(() => multiply(x, x)), symmetricEigen: time(() => symmetricEigen(fusedKernelMap("erf", gram(x)))) },
};
threaded?.close();
Object.assign(globalThis, { result });
