import { matrix, zeros, type Matrix, type RandomStream } from "@finitewidth/core";

/** Lower trapezoidal Z (d × min(d, N)) with Z Zᵀ ~ W_d(N, I/N): Z_ii = √(χ²_{N−i}/N), i = 0 …, Z_ij ~ N(0, 1/N) below. Singular laws (N < d) included. */
export function sampleBartlett(size: number, width: number, stream: RandomStream): Matrix {
  const rank = Math.min(size, width);
  const z = zeros(size, rank);
  const scale = 1 / Math.sqrt(width);
  for (let j = 0; j < rank; j++) {
    z.data[j * rank + j] = Math.sqrt((2 * stream.gamma((width - j) / 2)) / width);
    for (let i = j + 1; i < size; i++) z.data[i * rank + j] = scale * stream.normal();
  }
  return z;
}

/**
 * One factor F (D × r) with F Fᵀ = Q, the mixing matrix of a deep linear network: F_L = √s_L Z_L, F_{l−1} = √s_{l−1} F_l Z_{l−1}, with Z_l
 * d_l × r_l, d_L = D, d_{l−1} = r_l, r_l = min(d_l, N_l). O(L D³), whatever the widths. Source: docs/theories/exact.md, "Prior".
 */
export function sampleFactor(widths: readonly number[], variances: readonly number[], outputs: number, stream: RandomStream): Matrix {
  let f: Matrix | undefined;
  for (let l = widths.length - 1; l >= 0; l--) {
    const z = sampleBartlett(f === undefined ? outputs : f.shape[1], widths[l]!, stream);
    const scale = Math.sqrt(variances[l]!);
    f = f === undefined ? matrix(z.shape[0], z.shape[1], z.data.map((value) => scale * value)) : scaledProduct(scale, f, z);
  }
  return f ?? zeros(outputs, 0);
}

function scaledProduct(scale: number, a: Matrix, b: Matrix): Matrix {
  const [m, k] = a.shape;
  const n = b.shape[1];
  const out = zeros(m, n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const value = scale * a.data[i * k + p]!;
      for (let j = 0; j < n; j++) out.data[i * n + j]! += value * b.data[p * n + j]!;
    }
  }
  return out;
}
