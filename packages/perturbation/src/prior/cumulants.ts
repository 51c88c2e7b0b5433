import type { Matrix, Tensor } from "@finitewidth/core";
import { pairIndex } from "../kernel-flow/index-pairs.js";

/** Covariance over index pairs as a tensor [a][b][c][d], n × n × n × n. */
export function kernelCovarianceTensor(sigma: Matrix, n: number): Tensor {
  const m = sigma.shape[0];
  const data = new Float64Array(n ** 4);
  let at = 0;
  for (let a = 0; a < n; a++)
    for (let b = 0; b < n; b++)
      for (let c = 0; c < n; c++) for (let d = 0; d < n; d++) data[at++] = sigma.data[pairIndex(n, a, b) * m + pairIndex(n, c, d)]!;
  return { data, shape: [n, n, n, n] };
}

/** Connected fourth moment of one output, Σ_{ab,cd} + Σ_{ac,bd} + Σ_{ad,bc}: n × n × n × n. */
export function fourthCumulantTensor({ data: s, shape }: Tensor): Tensor {
  const n = shape[0]!;
  const data = new Float64Array(n ** 4);
  const at = (a: number, b: number, c: number, d: number): number => ((a * n + b) * n + c) * n + d;
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < n; b++)
      for (let c = 0; c < n; c++)
        for (let d = 0; d < n; d++) data[at(a, b, c, d)] = s[at(a, b, c, d)]! + s[at(a, c, b, d)]! + s[at(a, d, b, c)]!;
  }
  return { data, shape: [n, n, n, n] };
}
