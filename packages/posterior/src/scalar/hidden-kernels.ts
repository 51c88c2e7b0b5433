import { zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, transpose } from "@finitewidth/linalg";
import type { ScalarData } from "./likelihood.js";
import { meanPartialProduct, type ScalarLaw } from "./law.js";
import type { ScalarPosterior } from "./posterior.js";
import { scaleColumns, scaleRows, type NodeTables } from "./predict.js";

/**
 * Posterior mean of Ĝˡ, l = 1 … L, as E[Ĝˡ] = c_l K + Σ_k e_lk z_k z_kᵀ − (what the data explain), with z_k = √q_k K_x α_k: the numbers per
 * layer that do not depend on the points. The recursion E[Ĝˡ] = (1 − 1/N_l) σ_w²(l) E[Ĝ^{l−1}] + E[f M_l⁺ fᵀ]/N_l acts on them linearly.
 */
export interface HiddenKernelTerms {
  /** Coefficient of K_xx. */
  readonly kernel: number;
  /** n: weight of z_k z_kᵀ. */
  readonly outer: Float64Array;
  /** r: Σ_k weight q_k/(q_kκ + T), so that V diag(explained) Vᵀ between cross kernels is what the data take away from K_xx. */
  readonly explained: Float64Array;
  /** r: Σ_k weight κT/(q_kκ + T), the diagonal of what is left of the prior at the training points. */
  readonly left: Float64Array;
  /** n: weight of q_k S_k K_x c_k (K_x c_k)ᵀ, c = C⁻¹o, from the readout bias. */
  readonly bias: Float64Array;
}

/** Terms of every layer. O(L n r). Source: docs/theories/exact.md, "Hidden kernels". */
export function hiddenKernelTerms(law: ScalarLaw, posterior: ScalarPosterior, data: ScalarData, tables: NodeTables): HiddenKernelTerms[] {
  const n = posterior.logQ.length;
  const r = data.values.length;
  const out: HiddenKernelTerms[] = [];
  let previous: HiddenKernelTerms = {
    kernel: 1,
    outer: new Float64Array(n),
    explained: new Float64Array(r),
    left: data.values,
    bias: new Float64Array(n),
  };
  for (const [l, width] of law.widths.entries()) {
    const keep = (1 - 1 / width) * (l === 0 ? 1 : law.variances[l - 1]!);
    const weight = posterior.weights.map((w, k) => (w * meanPartialProduct(law, l, posterior.logQ[k]!, posterior.logPrior[k]!)) / width);
    const explained = previous.explained.map((value) => keep * value);
    const left = previous.left.map((value) => keep * value);
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < r; i++) {
        const inverse = tables.inverse.data[k * r + i]!;
        explained[i]! += weight[k]! * tables.q[k]! * inverse;
        left[i]! += weight[k]! * data.values[i]! * data.temperature * inverse;
      }
    }
    previous = {
      kernel: keep * previous.kernel + weight.reduce((sum, value) => sum + value, 0),
      outer: previous.outer.map((value, k) => keep * value + weight[k]!),
      explained,
      left,
      bias: previous.bias.map((value, k) => keep * value + weight[k]! * tables.q[k]! * tables.biasVariance[k]!),
    };
    out.push(previous);
  }
  return out;
}

/** E[Ĝˡ | Y] on the training points, P × P each: V (diag(left) + …)Vᵀ, a sum of positive terms. O(L P²(r + n)). */
export function trainHiddenKernels(terms: readonly HiddenKernelTerms[], data: ScalarData, tables: NodeTables, vectors: Matrix): Matrix[] {
  const outer = multiply(vectors, transpose(outerVectors(data, tables)));
  const bias = multiply(vectors, transpose(biasVectors(data, tables)));
  return terms.map((term) => {
    const parts = [scaleColumns(vectors, term.left.map(Math.sqrt)), scaleColumns(outer, term.outer.map(Math.sqrt))];
    if (data.readoutBias > 0) parts.push(scaleColumns(bias, term.bias.map(Math.sqrt)));
    return gram(sideBySide(parts));
  });
}

/** E[Ĝˡ | Y] on other points: `cross` = VᵀK_x (r × M), `prior` = K_xx (M × M). */
export function hiddenKernelsAt(
  terms: readonly HiddenKernelTerms[],
  data: ScalarData,
  tables: NodeTables,
  cross: Matrix,
  prior: Matrix,
): Matrix[] {
  // rows of the node tables act on k̂ instead of on κVᵀ
  const onPoints = (rows: Matrix): Matrix =>
    transpose(
      multiply(
        scaleColumns(
          rows,
          data.values.map((value) => (value > 0 ? 1 / value : 0)),
        ),
        cross,
      ),
    );
  const outer = onPoints(outerVectors(data, tables));
  const bias = onPoints(biasVectors(data, tables));
  return terms.map((term) => {
    const parts = [scaleColumns(outer, term.outer.map(Math.sqrt))];
    if (data.readoutBias > 0) parts.push(scaleColumns(bias, term.bias.map(Math.sqrt)));
    const positive = gram(sideBySide(parts));
    const explained = gram(transpose(scaleRows(cross, term.explained.map(Math.sqrt))));
    return { data: prior.data.map((value, i) => term.kernel * value - explained.data[i]! + positive.data[i]!), shape: prior.shape };
  });
}

/** Rows √q_k κ α_k: n × r. */
function outerVectors(data: ScalarData, tables: NodeTables): Matrix {
  return scaleRows(scaleColumns(tables.alpha, data.values), tables.q.map(Math.sqrt));
}

/** Rows κ C_k⁻¹o: n × r; none without a bias. */
function biasVectors(data: ScalarData, tables: NodeTables): Matrix {
  if (data.readoutBias === 0) return zeros(0, data.values.length);
  return scaleColumns(scaleColumns(tables.inverse, data.values), data.ones);
}

/** Matrices with the same number of rows as one. */
export function sideBySide(parts: readonly Matrix[]): Matrix {
  const rows = parts[0]!.shape[0];
  const columns = parts.reduce((sum, part) => sum + part.shape[1], 0);
  const out = zeros(rows, columns);
  let offset = 0;
  for (const part of parts) {
    const width = part.shape[1];
    for (let i = 0; i < rows; i++) out.data.set(part.data.subarray(i * width, (i + 1) * width), i * columns + offset);
    offset += width;
  }
  return out;
}
