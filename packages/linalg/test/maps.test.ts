import { matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { gram, fusedKernelMap, mapArcsin, mapErf, mapExp, referenceBackend, setBackend, transpose, type KernelMap } from "../src/index.js";
import { availableBackends } from "./backends.js";
import { expectClose } from "../../../tools/testing.ts";
import { maxDifference, randomMatrix } from "./matrices.js";

const kinds: readonly KernelMap[] = ["erf", "relu", "step", "sign"];
const grid = (from: number, to: number, count: number) =>
  Float64Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

// erf to 17 digits (Abramowitz and Stegun 7.1; DLMF 7.2.1, computed with 40 digits)
const erfValues = [
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [2, 0.9953222650189527],
  [3, 0.9999779095030014],
  [1e-10, 1.1283791670955126e-10],
  [5, 0.9999999999984626],
] as const;

for (const kernels of availableBackends()) {
  describe(`maps, ${kernels.name}`, () => {
    const within = <T>(compute: () => T): T => {
      const previous = setBackend(kernels);
      try {
        return compute();
      } finally {
        setBackend(previous);
      }
    };
    it("exp, erf and arcsin to a few ulp", () => {
      const wide = grid(-740, 709, 20_001);
      expectClose(
        within(() => mapExp(wide)),
        wide.map(Math.exp),
        { relative: 1e-15, absolute: 5e-324 },
        "exp",
      );
      const unit = grid(-1, 1, 20_001);
      expectClose(
        within(() => mapArcsin(unit)),
        unit.map(Math.asin),
        { relative: 1e-15 },
        "arcsin",
      );
      const padded = Float64Array.from({ length: 20 }, (_, i) => erfValues[i % erfValues.length]![0]);
      expectClose(
        within(() => mapErf(padded)),
        Float64Array.from({ length: 20 }, (_, i) => erfValues[i % erfValues.length]![1]),
        { relative: 2e-15 },
        "erf",
      );
      expectClose(
        within(() => mapErf(padded.map((x) => -x))),
        within(() => mapErf(padded)).map((x) => -x),
        {},
        "erf(−x)",
      );
    });
    it("special values", () => {
      const x = Float64Array.from({ length: 21 }, (_, i) => [-Infinity, Infinity, Number.NaN, -0, 0, 800, -800][i % 7]!);
      expect(Array.from(within(() => mapExp(x)).subarray(0, 7))).toEqual([0, Infinity, Number.NaN, 1, 1, Infinity, 0]);
      expect(Array.from(within(() => mapErf(x)).subarray(0, 7))).toEqual([-1, 1, Number.NaN, -0, 0, 1, -1]);
    });
    it("kernel maps agree with the reference, symmetric and between two sets", () => {
      // More than one band of rows and one line of columns
      const n = 530;
      const covariance = gram(randomMatrix(n, 30, 4));
      const variances = Float64Array.from({ length: n }, (_, i) => covariance.data[i * n + i]!);
      for (const kind of kinds) {
        const full = within(() => fusedKernelMap(kind, covariance));
        expect(maxDifference(full.data, transpose(full).data)).toBe(0);
        const reference = new Float64Array(n * n);
        expect(referenceBackend.symmetricKernel(kind, covariance, reference)).toBe(true);
        const inPlace = matrix(n, n, covariance.data.slice());
        expect(within(() => fusedKernelMap(kind, inPlace, { out: inPlace.data })).data).toBe(inPlace.data);
        expect(maxDifference(inPlace.data, full.data)).toBe(0);
        expect(maxDifference(full.data, reference)).toBeLessThan(1e-14);
        // more rows than go through the memory at once
        const rows = 300;
        const part = matrix(rows, n, covariance.data.slice(0, rows * n));
        const of = { rows: variances.subarray(0, rows), columns: variances };
        const cross = within(() => fusedKernelMap(kind, part, { variances: of }));
        expect(within(() => fusedKernelMap(kind, part, { variances: of, out: part.data })).data).toBe(part.data);
        expect(maxDifference(part.data, cross.data)).toBe(0);
        // Only off the diagonal: the correlation of a variable with itself is exactly 1 in the symmetric map alone.
        for (let i = 0; i < rows; i++) cross.data[i * n + i] = full.data[i * n + i]!;
        expect(maxDifference(cross.data, full.data.subarray(0, rows * n))).toBeLessThan(1e-14);
      }
    });
    it("known values: equal, opposite and orthogonal inputs, zero variance", () => {
      const c = matrix(4, 4, Float64Array.of(2, 2, -2, 0, 2, 2, -2, 0, -2, -2, 2, 0, 0, 0, 0, 0));
      expectClose(
        within(() => fusedKernelMap("relu", c)),
        [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        { absolute: 1e-15 },
      );
      expectClose(
        within(() => fusedKernelMap("step", c)),
        [0.5, 0.5, 0, 0.25, 0.5, 0.5, 0, 0.25, 0, 0, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25],
        { absolute: 1e-8 },
      );
      expectClose(
        within(() => fusedKernelMap("sign", c)),
        [1, 1, -1, 0, 1, 1, -1, 0, -1, -1, 1, 0, 0, 0, 0, 0],
        { absolute: 3e-8 },
      );
      const v = (2 / Math.PI) * Math.asin(0.8);
      expectClose(
        within(() => fusedKernelMap("erf", c)),
        [v, v, -v, 0, v, v, -v, 0, -v, -v, v, 0, 0, 0, 0, 0],
        { absolute: 1e-15 },
      );
    });
    it("names what is wrong with a covariance", () => {
      const bad = gram(randomMatrix(30, 3, 1));
      bad.data[5 * 30 + 7] = Number.NaN;
      expect(() => within(() => fusedKernelMap("erf", bad))).toThrow(/covariance\[5\]\[7\]: expected a finite number, got NaN/);
      bad.data[5 * 30 + 7] = Infinity;
      expect(() => within(() => fusedKernelMap("relu", bad))).toThrow(/covariance\[5\]\[7\].*Infinity/);
      expect(() => within(() => fusedKernelMap("relu", bad, { out: new Float64Array(3) }))).toThrow(/out: expected 900 numbers/);
      expect(() => within(() => mapErf(new Float64Array(3), new Float64Array(2)))).toThrow(/out: expected 3 numbers/);
      expect(() => within(() => fusedKernelMap("relu", matrix(1, 1, Float64Array.of(-1))))).toThrow(/variance ≥ 0, got -1/);
      expect(() => within(() => fusedKernelMap("erf", matrix(1, 1, Float64Array.of(Infinity))))).toThrow(/variance ≥ 0, got Infinity/);
      const variances = { rows: Float64Array.of(1), columns: Float64Array.of(1, Infinity) };
      expect(() => within(() => fusedKernelMap("sign", matrix(1, 2, Float64Array.of(0.5, 1)), { variances }))).toThrow(
        /variances\.columns\[1\]: expected a variance ≥ 0, got Infinity/,
      );
    });
  });
}
