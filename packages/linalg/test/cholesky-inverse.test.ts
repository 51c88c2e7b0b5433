import type { Matrix } from "@finitewidth/core";
import { afterEach, describe, expect, test } from "vitest";
import { cholesky, choleskyInverse, inverseDiagonal, multiply, referenceBackend, setBackend, transpose } from "../src/index.js";
import { availableBackends } from "./backends.js";
import { uniforms } from "./matrices.js";

const uniform = uniforms(5);
/** Lower factors: plain, graded over twelve decades, nearly singular. */
function factor(n: number, kind: "plain" | "graded" | "nearly singular"): Matrix {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const scale = kind === "graded" ? 10 ** ((-12 * i) / n) : 1;
    for (let j = 0; j < i; j++) data[i * n + j] = (0.3 * scale * uniform()) / Math.sqrt(n);
    data[i * n + i] = scale * (kind === "nearly singular" && i === n - 1 ? 1e-8 : 1.5 + 0.5 * uniform());
  }
  return { data, shape: [n, n] };
}
const first = setBackend(referenceBackend);
setBackend(first);
afterEach(() => void setBackend(first));

describe.each(availableBackends().map((one) => [one.name, one] as const))("%s", (_name, backend) => {
  test.each([1, 2, 3, 7, 16, 24, 25, 47, 64, 100, 127, 128, 129, 130, 300])("inverse and its diagonal, n = %i", (n) => {
    setBackend(backend);
    for (const kind of ["plain", "graded", "nearly singular"] as const) {
      const l = factor(n, kind);
      const kept = l.data.slice();
      const inverse = choleskyInverse(l);
      expect(l.data).toEqual(kept);
      // Lᵀ A⁻¹ L = 1, to the rounding of its terms: |Lᵀ| |A⁻¹| |L| ε
      const absolute = (m: Matrix): Matrix => ({ data: m.data.map(Math.abs), shape: m.shape });
      const product = (of: (m: Matrix) => Matrix): Float64Array => multiply(multiply(of(transpose(l)), of(inverse)), of(l)).data;
      const [identity, size] = [product((m) => m), product(absolute)];
      const diagonal = inverseDiagonal(l);
      let [worst, apart, asymmetric] = [0, 0, 0];
      for (let at = 0; at < n * n; at++)
        worst = Math.max(worst, Math.abs(identity[at]! - (at % (n + 1) === 0 ? 1 : 0)) / (size[at]! + 1e-300));
      for (let i = 0; i < n; i++) {
        apart = Math.max(apart, Math.abs(diagonal[i]! / inverse.data[i * (n + 1)]! - 1));
        for (let j = 0; j < i; j++) if (inverse.data[i * n + j] !== inverse.data[j * n + i]) asymmetric++;
      }
      expect(worst).toBeLessThan(4 * (n + 2) * Number.EPSILON);
      expect(apart).toBeLessThan(1e-12);
      expect(asymmetric).toBe(0);
      expect(choleskyInverse(l, l.data).data).toBe(l.data);
      expect(l.data).toEqual(inverse.data);
    }
  });

  test.each([1, 5, 30, 130])("a factor in the array of its matrix, n = %i", (n) => {
    setBackend(backend);
    const l = factor(n, "plain");
    const a = multiply(l, {
      data: Float64Array.from({ length: n * n }, (_, at) => l.data[(at % n) * n + Math.floor(at / n)]!),
      shape: [n, n],
    });
    const expected = cholesky(a);
    const found = cholesky(a, a.data);
    expect(found.factor.data).toBe(a.data);
    expect(found.factor.data).toEqual(expected.factor.data);
    expect(found.logDeterminant).toBe(expected.logDeterminant);
  });
});
