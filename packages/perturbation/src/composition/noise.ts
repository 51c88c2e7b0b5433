import { applySlopes, kernelMap, kernelSlopes, type KernelSlopes } from "@finitewidth/activations";
import { FinitewidthError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { transpose } from "@finitewidth/linalg";
import { fromPairs, pairCount, toPairs } from "../kernel-flow/index-pairs.js";
import { vertexOnPairs } from "../kernel-flow/vertex.js";
import { fieldOf, pool, streamOf, type Live, type LiveReading, type Variables } from "./variables.js";

/** x_c x_dᵀ + x_d x_cᵀ of two columns of a matrix. */
export function symmetricProduct(x: Matrix, c: number, d: number): Matrix {
  const [n, m] = x.shape;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) out.data[i * n + j] = x.data[i * m + c]! * x.data[j * m + d]! + x.data[i * m + d]! * x.data[j * m + c]!;
  return out;
}

/** Pairs a ≤ b of n indices. */
export function* indexPairs(n: number): Generator<readonly [a: number, b: number]> {
  for (let a = 0; a < n; a++) for (let b = a; b < n; b++) yield [a, b];
}

/** Cov(φ_aφ_b, h_ch_d) over all (a, b) for a Gaussian field with responses `slopes` and cross kernel X with h. */
const withLinear = (slopes: KernelSlopes, x: Matrix, c: number, d: number): Matrix => applySlopes(slopes, symmetricProduct(x, c, d));

/**
 * E φ_aφ_bφ_cφ_d − G_abG_cd between the pairs of two fields (n × n and m × m kernels, n × m cross kernel) under one φ, one column for (c,
 * d).
 */
export function fourPointColumn(activation: Activation, k: Matrix, x: Matrix, c: number, d: number, other: Matrix): Float64Array {
  const [n, m] = x.shape;
  const out = new Float64Array(pairCount(n));
  const covariance = new Float64Array(16);
  const set = (i: number, j: number, value: number): void => {
    covariance[4 * i + j] = covariance[4 * j + i] = value;
  };
  set(2, 2, other.data[c * m + c]!);
  set(3, 3, other.data[d * m + d]!);
  set(2, 3, other.data[c * m + d]!);
  const { fourPoint, kernel } = activation.moments;
  const target = kernel(other.data[c * m + c]!, other.data[c * m + d]!, other.data[d * m + d]!);
  let at = 0;
  for (const [a, b] of indexPairs(n)) {
    set(0, 0, k.data[a * n + a]!);
    set(1, 1, k.data[b * n + b]!);
    set(0, 1, k.data[a * n + b]!);
    set(0, 2, x.data[a * m + c]!);
    set(0, 3, x.data[a * m + d]!);
    set(1, 2, x.data[b * m + c]!);
    set(1, 3, x.data[b * m + d]!);
    out[at++] = fourPoint(covariance) - kernel(k.data[a * n + a]!, k.data[a * n + b]!, k.data[b * n + b]!) * target;
  }
  return out;
}

/** Cov(φ_aφ_b at the field of s, φ_cφ_d at the field of t) on index pairs of the fields, for one unit. */
function vertex(variables: Variables, s: LiveReading, t: LiveReading, tick: () => void): Matrix {
  const [fs, ft] = [fieldOf(s), fieldOf(t)];
  const x = variables.full.between(fs, ft);
  const [n, m] = x.shape;
  if (t.activation.linear || s.activation.linear) {
    if (!t.activation.linear) return transpose(vertex(variables, t, s, tick));
    const columns = [...indexPairs(m)].map(([c, d]) => toPairs(withLinear(s.slopes, x, c, d)));
    return fromColumns(columns, pairCount(n));
  }
  if (s.activation !== t.activation)
    throw new FinitewidthError(
      `[perturbative] "${s.activation.name}" and "${t.activation.name}" read the same units: their vertex has no closed form; use "engine": "networks"`,
      { code: "refused" },
    );
  if (fs === ft) return vertexOnPairs(s.activation, s.kernel, kernelMap(s.activation, s.kernel), undefined, tick);
  const columns = [...indexPairs(m)].map(([c, d]) => {
    tick();
    return fourPointColumn(s.activation, s.kernel, x, c, d, t.kernel);
  });
  return fromColumns(columns, pairCount(n));
}

function fromColumns(columns: readonly Float64Array[], rows: number): Matrix {
  const out = zeros(rows, columns.length);
  columns.forEach((column, q) => column.forEach((value, p) => (out.data[p * columns.length + q] = value)));
  return out;
}

/** Π X Πᵀ on pairs for every column of a matrix over index pairs of the field. */
function poolColumns(live: LiveReading, m: Matrix): Matrix {
  if (!live.reading.map) return m;
  const size = live.kernel.shape[0];
  const columns = transpose(m);
  const width = m.shape[0];
  return fromColumns(
    Array.from({ length: m.shape[1] }, (_, q) => toPairs(pool(live, fromPairs(columns.data.subarray(q * width, (q + 1) * width), size)))),
    live.size,
  );
}

/**
 * N times the covariance of the bare noise of two variables' averages over the same stream: sizes s × t. Source:
 * docs/theories/perturbative.md §11.
 */
function noise(variables: Variables, s: Live, t: Live, tick: () => void): Matrix {
  if (s.kind === "reading" && t.kind === "reading") {
    const left = poolColumns(s, vertex(variables, s, t, tick));
    return transpose(poolColumns(t, transpose(left)));
  }
  if (t.kind === "reading") return transpose(noise(variables, t, s, tick));
  const x = variables.full.between(fieldOf(s), fieldOf(t));
  const [n, m] = x.shape;
  const out = zeros(s.size, t.size);
  if (s.kind === "norm") {
    // Cov(h_a, h_b) = X, Cov(h_a², h_b²) = 2X²; odd moments vanish
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < m; b++) {
        out.data[a * t.size + b] = x.data[a * m + b]!;
        out.data[(n + a) * t.size + m + b] = 2 * x.data[a * m + b]! ** 2;
      }
    }
    return out;
  }
  const columns = Array.from({ length: 2 * m }, (_, q) =>
    q < m ? meanColumn(s.meanSlope, x, q) : toPairs(withLinear(s.slopes, x, q - m, q - m)),
  );
  return poolColumns(s, fromColumns(columns, pairCount(n)));
}

/** Cov(φ_aφ_b, h_c) = D_ab X_ac + D_ba X_bc on pairs. */
export function meanColumn(meanSlope: Matrix, x: Matrix, c: number): Float64Array {
  const [n, m] = x.shape;
  return Float64Array.from(
    indexPairs(n),
    ([a, b]) => meanSlope.data[a * n + b]! * x.data[a * m + c]! + meanSlope.data[b * n + a]! * x.data[b * m + c]!,
  );
}

/** V: covariance of the bare noise of all variables, widths in. */
export function noiseCovariance(variables: Variables, tick: () => void): Matrix {
  const { live, size, composition } = variables;
  const out = zeros(size, size);
  for (const [i, s] of live.entries()) {
    for (const t of live.slice(i)) {
      if (streamOf(s) !== streamOf(t)) continue;
      const block = noise(variables, s, t, tick);
      const factor = 1 / composition.streams[streamOf(s)]!.width;
      for (let p = 0; p < s.size; p++) {
        for (let q = 0; q < t.size; q++) {
          const value = factor * block.data[p * t.size + q]!;
          out.data[(s.from + p) * size + t.from + q] = value;
          out.data[(t.from + q) * size + s.from + p] = value;
        }
      }
    }
  }
  return out;
}

/**
 * Cov(ψψᵀ entries of the field of s, noise of t) on pairs for one unit when the field of s has kernel K, that of t kernel `other`, and both
 * cross kernel C: what the derivative of `sameUnitShift` is taken of. `part`: which noise of t.
 */
export function bareColumn(
  s: Live,
  t: Live,
  k: Matrix,
  c: Matrix,
  other: Matrix,
  part: { readonly kind: "pair"; readonly c: number; readonly d: number } | { readonly kind: "mean" | "square"; readonly c: number },
  meanSlope: (kernel: Matrix) => Matrix,
): Float64Array {
  const linear = s.kind === "norm" || s.activation.linear === true;
  if (part.kind === "mean") return linear ? new Float64Array(pairCount(k.shape[0])) : meanColumn(meanSlope(k), c, part.c);
  const [first, second] = part.kind === "pair" ? [part.c, part.d] : [part.c, part.c];
  const otherLinear = t.kind === "norm" || t.activation.linear === true;
  if (otherLinear)
    return toPairs(linear ? symmetricProduct(c, first, second) : withLinear(kernelSlopes(s.activation, k), c, first, second));
  if (linear) {
    const { slope, curvature } = t.slopes;
    const [n, m] = c.shape;
    const at = (i: number, j: number): number => c.data[i * m + j]!;
    return Float64Array.from(
      indexPairs(n),
      ([a, b]) =>
        slope.data[first * m + second]! * (at(a, first) * at(b, second) + at(a, second) * at(b, first)) +
        curvature.data[first * m + second]! * at(a, first) * at(b, first) +
        curvature.data[second * m + first]! * at(a, second) * at(b, second),
    );
  }
  return fourPointColumn(s.activation, k, c, first, second, other);
}
