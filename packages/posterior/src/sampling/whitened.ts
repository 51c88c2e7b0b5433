import type { LaplaceFit, PosteriorTarget } from "./target.js";

/** out = centre + S z. O(d²). */
export function unwhiten(fit: Pick<LaplaceFit, "mode" | "factor">, z: Float64Array, out: Float64Array): void {
  const d = z.length;
  for (let i = 0; i < d; i++) {
    let sum = fit.mode[i]!;
    for (let j = 0; j < d; j++) sum += fit.factor[i * d + j]! * z[j]!;
    out[i] = sum;
  }
}

/** S⁻¹ for a factor S = U diag(scale) with orthogonal U. O(d²). */
export function inverseFactor(factor: Float64Array, d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let j = 0; j < d; j++) {
    let square = 0;
    for (let i = 0; i < d; i++) square += factor[i * d + j]! ** 2;
    for (let i = 0; i < d; i++) out[j * d + i] = factor[i * d + j]! / square;
  }
  return out;
}

/** out = S⁻¹(x − centre), from `inverseFactor`. O(d²). */
export function whiten(centre: Float64Array, inverse: Float64Array, x: Float64Array, out: Float64Array): void {
  const d = x.length;
  for (let i = 0; i < d; i++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += inverse[i * d + j]! * (x[j]! - centre[j]!);
    out[i] = sum;
  }
}

/** out = Sᵀ g: gradient in whitened coordinates. O(d²). */
export function whitenGradient(factor: Float64Array, g: Float64Array, out: Float64Array): void {
  const d = g.length;
  out.fill(0);
  for (let i = 0; i < d; i++) {
    const value = g[i]!;
    for (let j = 0; j < d; j++) out[j]! += factor[i * d + j]! * value;
  }
}

/** log density at a point z with its gradient written into `gradient`; −∞ outside the domain. */
export type LogDensity = (z: Float64Array, gradient: Float64Array) => number;

/** log prior and log likelihood in whitened coordinates x = centre + S z, without the Jacobian. */
export interface WhitenedTarget {
  readonly dimension: number;
  evaluate(z: Float64Array): { readonly logPrior: number; readonly logLikelihood: number };
  /** Gradients of the last evaluation, in z. */
  readonly prior: Float64Array;
  readonly likelihood: Float64Array;
}

/** Evaluates a target, with gradients, in whitened coordinates. Work space is reused. */
export function whitenedTarget(target: PosteriorTarget, fit: Pick<LaplaceFit, "mode" | "factor">): WhitenedTarget {
  const d = target.dimension;
  const x = new Float64Array(d);
  const raw = { prior: new Float64Array(d), likelihood: new Float64Array(d) };
  const prior = new Float64Array(d);
  const likelihood = new Float64Array(d);
  return {
    dimension: d,
    prior,
    likelihood,
    evaluate: (z) => {
      unwhiten(fit, z, x);
      const value = target.evaluate(x, raw);
      whitenGradient(fit.factor, raw.prior, prior);
      whitenGradient(fit.factor, raw.likelihood, likelihood);
      return value;
    },
  };
}

/** log prior + log likelihood in whitened coordinates. */
export function whitenedPosterior(target: PosteriorTarget, fit: Pick<LaplaceFit, "mode" | "factor">): LogDensity {
  const inner = whitenedTarget(target, fit);
  return (z, gradient) => {
    const { logPrior, logLikelihood } = inner.evaluate(z);
    for (let i = 0; i < z.length; i++) gradient[i] = inner.prior[i]! + inner.likelihood[i]!;
    return logPrior + logLikelihood;
  };
}
