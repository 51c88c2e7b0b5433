import { zeros, type Activation, type Matrix } from "@finitewidth/core";

/** Half-width and step of the trapezoidal rule in whitened coordinates: far below rounding for entire functions of scale one. */
const rule = { width: 8.5, step: 0.125 } as const;

/**
 * D_ab = E φ′(h_a)φ(h_b) for h ~ N(0, K): response of E φφᵀ to a shift of the mean of h_a. Zero for odd and for even φ; the activation's
 * own formula where it has one, else quadrature for smooth φ (NaN for kinks without a formula, which the deterministic engine refuses).
 */
export function meanResponse(activation: Activation, kernel: Matrix): Matrix {
  const n = kernel.shape[0];
  const out = zeros(n, n);
  if (activation.odd) return out;
  const own = activation.moments.meanSlope;
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < n; b++) {
      const [ka, c, kb] = [kernel.data[a * n + a]!, kernel.data[a * n + b]!, kernel.data[b * n + b]!];
      out.data[a * n + b] = own ? own(ka, c, kb) : activation.smooth ? quadrature(activation, ka, c, kb) : Number.NaN;
    }
  }
  return out;
}

/** Whether D is known. */
export const hasMeanResponse = ({ odd, smooth, moments }: Activation): boolean => odd || smooth || moments.meanSlope !== undefined;

function quadrature({ value, derivative }: Activation, a: number, c: number, b: number): number {
  if (!(a > 0)) return 0;
  const rest = Math.sqrt(Math.max(b - (c * c) / a, 0));
  const root = Math.sqrt(a);
  let total = 0;
  for (let u = -rule.width; u <= rule.width; u += rule.step) {
    const slope = Math.exp(-0.5 * u * u) * derivative(root * u);
    let inner = 0;
    if (rest === 0) inner = value((c / root) * u) * Math.sqrt(2 * Math.PI);
    else
      for (let v = -rule.width; v <= rule.width; v += rule.step)
        inner += rule.step * Math.exp(-0.5 * v * v) * value((c / root) * u + rest * v);
    total += rule.step * slope * inner;
  }
  return total / (2 * Math.PI);
}
