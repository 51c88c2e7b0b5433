import { afterEach, expect, test } from "vitest";
import { backend, fitsMemory, referenceBackend, requireMemory, setBackend } from "../src/index.js";

const first = backend();
afterEach(() => void setBackend(first));

const need = { method: "nngp", points: 10_000, arrays: 3, together: 1.5, instead: "something else" };

test("what fits is not refused, what does not is, with numbers and a remedy", () => {
  setBackend(referenceBackend);
  // 3 · 8 · 10⁸ bytes
  expect(() => requireMemory(need, 2.4e9)).not.toThrow();
  expect(() => requireMemory(need, 2.39e9)).toThrow(
    "[nngp] 10000 training points need 2.2 GiB (3 arrays of 10000 × 10000 numbers), this process can still have 2.2 GiB: use at most 9979 training points, or something else",
  );
  expect(() => requireMemory({ ...need, points: 1000 }, 1)).not.toThrow();
  expect([fitsMemory(need, 2.4e9), fitsMemory(need, 2.39e9), fitsMemory({ ...need, points: 1000 }, 1)]).toEqual([true, false, true]);
});

test("kernels in WebAssembly have 4 GiB for what they work on", () => {
  if (!first.name.startsWith("wasm")) return;
  const wide = { ...need, points: 19_000 };
  expect(() => requireMemory(wide, Infinity)).toThrow(
    /WebAssembly can address 4\.0 GiB: use at most 18918 training points, or --backend native/,
  );
  setBackend(referenceBackend);
  expect(() => requireMemory(wide, Infinity)).not.toThrow();
});
