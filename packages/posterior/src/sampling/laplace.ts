import { FinitewidthError } from "@finitewidth/core";
import { symmetricEigen } from "@finitewidth/linalg";
import { differenceHessian, minimiseLbfgs, minimiseNewton, type Minimum, type Objective } from "@finitewidth/numerics";
import type { LaplaceFit, PosteriorTarget } from "./target.js";

/** Smallest curvature that is believed: flat directions keep a standard deviation of 1/√0.1 of a prior near N(0, 1). */
const leastCurvature = 0.1;

/** −(log prior + log likelihood) with its gradient; +∞ outside the domain. */
export function negativeLogDensity(target: PosteriorTarget): Objective {
  return (x) => {
    const gradients = { prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) };
    const { logPrior, logLikelihood } = target.evaluate(x, gradients);
    const value = -(logPrior + logLikelihood);
    return Number.isFinite(value)
      ? { value, gradient: gradients.prior.map((p, i) => -(p + gradients.likelihood[i]!)) }
      : { value: Infinity, gradient: new Float64Array(x.length) };
  };
}

/**
 * Mode and curvature of a posterior: BFGS from the given starts (the prior's centre by default), the best end polished by Newton steps in
 * up to 60 dimensions; Hessian by central differences of the gradient (2d gradients), eigenvalues floored at 0.1. Up to some hundred
 * gradients a start; a Newton step takes 2d + 1.
 * @throws FinitewidthError (code "not-converged") when the density is zero at every start.
 */
export function laplaceFit(target: PosteriorTarget, starts: readonly Float64Array[] = [new Float64Array(target.dimension)]): LaplaceFit {
  const f = negativeLogDensity(target);
  let best: Minimum | undefined;
  for (const start of starts) {
    if (!Number.isFinite(f(start).value)) continue;
    const end = minimiseLbfgs(f, start, { maxIterations: 2000, memory: 50, gradientTolerance: 1e-7, maxStep: 2 });
    if (best === undefined || end.value < best.value) best = end;
  }
  if (best === undefined)
    throw new FinitewidthError("the posterior density vanishes at every starting point of the mode search", { code: "not-converged" });
  if (target.dimension <= 60) {
    const polished = minimiseNewton(f, best.point, { maxIterations: 30, gradientTolerance: 1e-8 });
    if (polished.value <= best.value + 1e-9 * (1 + Math.abs(best.value))) best = polished;
  }
  return gaussianFit(
    best.point,
    symmetricEigen(differenceHessian(f, best.point, 1e-4)),
    -best.value,
    best.residual < 1e-3 * (1 + Math.abs(best.value)),
  );
}

/** S = U diag(λ)^(−½) from the eigenvalues and eigenvectors of the Hessian. */
function gaussianFit(
  mode: Float64Array,
  { values, vectors }: { readonly values: Float64Array; readonly vectors: { readonly data: Float64Array } },
  logDensity: number,
  converged: boolean,
): LaplaceFit {
  const d = mode.length;
  const factor = new Float64Array(d * d);
  let logDeterminant = 0;
  for (let j = 0; j < d; j++) {
    const scale = 1 / Math.sqrt(Math.max(values[j]!, leastCurvature));
    logDeterminant += Math.log(scale);
    for (let i = 0; i < d; i++) factor[i * d + j] = vectors.data[i * d + j]! * scale;
  }
  return { mode, factor, logDeterminant, logDensity, converged };
}
