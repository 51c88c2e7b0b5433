import { zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, scaleColumns, scaleRows, transpose } from "@finitewidth/linalg";
import type { ScalarData } from "./likelihood.js";
import { hiddenCoefficients } from "./hidden-coefficients.js";
import type { ScalarLaw } from "./law.js";
import type { ScalarPosterior } from "./posterior.js";
import type { NodeTables } from "./predict.js";

/**
 * Posterior mean of Ĝˡ, l = 1 … L, as E[Ĝˡ] = c_l K + Σ_k e_lk z_k z_kᵀ − (what the data explain), with z_k = √q_k K_x α_k: the numbers per
 * layer that do not depend on the points.
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

/**
 * Terms of every layer; a layer of coefficients (k, ψ) given q is k K + ψ f fᵀ/q averaged over the nodes. O(L n r) besides the
 * coefficients.
 * Source: docs/theories/exact.md, "Hidden kernels".
 */
export function hiddenKernelTerms(law: ScalarLaw, posterior: ScalarPosterior, data: ScalarData, tables: NodeTables): HiddenKernelTerms[] {
  const n = posterior.logQ.length;
  const r = data.values.length;
  const terms = law.widths.map(() => ({ keep: 0, outer: new Float64Array(n), bias: new Float64Array(n) }));
  for (let k = 0; k < n; k++) {
    const w = posterior.weights[k]!;
    hiddenCoefficients(law, posterior.logQ[k]!, posterior.logPrior[k]!).forEach(({ kernel, outer }, l) => {
      terms[l]!.keep += w * kernel;
      terms[l]!.outer[k] = w * outer;
      terms[l]!.bias[k] = w * outer * tables.q[k]! * tables.biasVariance[k]!;
    });
  }
  return terms.map(({ keep, outer, bias }) => {
    const explained = new Float64Array(r);
    const left = data.values.map((kappa) => keep * kappa);
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < r; i++) {
        const inverse = tables.inverse.data[k * r + i]!;
        explained[i]! += outer[k]! * tables.q[k]! * inverse;
        left[i]! += outer[k]! * data.values[i]! * data.temperature * inverse;
      }
    }
    return { kernel: keep + outer.reduce((sum, value) => sum + value, 0), outer, explained, left, bias };
  });
}

/** E[Ĝˡ | Y] on the training points, P × P each: V (diag(left) + …)Vᵀ, a sum of positive terms. O(L P²(r + n)). */
export function trainHiddenKernels(terms: readonly HiddenKernelTerms[], data: ScalarData, tables: NodeTables, vectors: Matrix): Matrix[] {
  return trainHiddenFactors(terms, data, tables, vectors).map(gram);
}

/**
 * B_l with E[Ĝˡ | Y] = B_l B_lᵀ on the training points for V = `vectors`: P × (r + n), or 2n with a readout bias. Linear in V: with W for V
 * = ψW the kernels are (ψB)(ψB)ᵀ. O(L P r n).
 */
export function trainHiddenFactors(terms: readonly HiddenKernelTerms[], data: ScalarData, tables: NodeTables, vectors: Matrix): Matrix[] {
  const outer = multiply(vectors, transpose(outerVectors(data, tables)));
  const bias = multiply(vectors, transpose(biasVectors(data, tables)));
  return terms.map((term) => {
    const parts = [scaleColumns(vectors, term.left.map(Math.sqrt)), scaleColumns(outer, term.outer.map(Math.sqrt))];
    if (data.readoutBias > 0) parts.push(scaleColumns(bias, term.bias.map(Math.sqrt)));
    return sideBySide(parts);
  });
}

/** E[Ĝˡ | Y] on other points: `cross` = VᵀK_x (r × M), `prior` = K_xx (M × M). O(n r M + L M² (n + r)) for n nodes. */
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
