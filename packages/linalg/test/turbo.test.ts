import type { Matrix } from "@finitewidth/core";
import { expect, it, vi } from "vitest";
import { createTurboWasmBackend, referenceBackend } from "../src/index.js";
import { maxDifference, randomMatrix } from "./matrices.js";

it("agrees with the reference where the engine has the switch, and is undefined elsewhere", () => {
  const major = Number.parseInt(process.versions.v8, 10);
  const turbo = createTurboWasmBackend();
  expect(turbo?.name).toBe(major === 11 ? "wasm-relaxed-turbo" : major >= 13 ? "wasm-wide-turbo" : undefined);
  if (turbo === undefined) return;
  const [a, b] = [randomMatrix(301, 203, 1), randomMatrix(203, 155, 2)];
  expect(maxDifference(turbo.multiply(a, b, "none").data, referenceBackend.multiply(a, b, "none").data)).toBeLessThan(1e-12);
});

it("is undefined on a version without anything to gain", () => {
  const { versions } = process;
  Object.defineProperty(process, "versions", { value: { ...versions, v8: "12.4" }, configurable: true });
  expect(createTurboWasmBackend()).toBeUndefined();
  Object.defineProperty(process, "versions", { value: versions, configurable: true });
});

it.each(["products", "Gram matrices", "eigenvectors"])("is undefined where its own test finds wrong %s", (wrong) => {
  const { gram, multiply } = referenceBackend;
  const slightly = (m: Matrix): Matrix => ({ ...m, data: m.data.map((value) => value + 1e-6) });
  // the oracle in the wrong, which the kernels then are beside it; eigenvectors are put together again by A Bᵀ
  if (wrong === "Gram matrices") vi.spyOn(referenceBackend, "gram").mockImplementation((x) => slightly(gram(x)));
  else
    vi.spyOn(referenceBackend, "multiply").mockImplementation((a, b, transposed) =>
      transposed === (wrong === "products" ? "none" : "right") ? slightly(multiply(a, b, transposed)) : multiply(a, b, transposed),
    );
  expect(createTurboWasmBackend()).toBeUndefined();
  vi.restoreAllMocks();
});
