import { zeros, type Matrix } from "@finitewidth/core";
import { frobenius, gram, innerProduct } from "@finitewidth/linalg";

/** HCH with H = 1 − 11ᵀ/P. */
function centre(kernel: Matrix): Matrix {
  const n = kernel.shape[0];
  const means = new Float64Array(n);
  let grand = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) means[i]! += kernel.data[i * n + j]! / n;
  for (const mean of means) grand += mean / n;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out.data[i * n + j] = kernel.data[i * n + j]! - means[i]! - means[j]! + grand;
  return out;
}

/**
 * Alignment of a kernel with the targets, CKA(C, YYᵀ) = tr(HCH·HYYᵀH)/(|HCH| |HYYᵀH|), H = 1 − 11ᵀ/P when centred and 1 otherwise;
 * undefined when either side vanishes. kernel: P × P, targets: P × D. O(P²(1 + D)). Source: Kornblith et al. (2019);
 * docs/theories/forward-backward.md.
 */
export function kernelAlignment(kernel: Matrix, targets: Matrix, centred: boolean): number | undefined {
  const square = gram(targets);
  const [a, b] = centred ? [centre(kernel), centre(square)] : [kernel, square];
  const scale = frobenius(a) * frobenius(b);
  return scale > 1e-14 * frobenius(kernel) * frobenius(square) ? innerProduct(a, b) / scale : undefined;
}
