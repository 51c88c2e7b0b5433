import { amended, FinitewidthError, type Matrix } from "@finitewidth/core";
import { lu } from "@finitewidth/linalg";
import { differenceHessian, minimiseLbfgs, minimiseNewton, type Minimum, type Objective } from "@finitewidth/numerics";
import { createDeepAction, readoutKernel } from "./deep-action.js";
import type { DeepProblem } from "./deep-problem.js";
import { homogeneityExponents, homogeneousMinima, type DeepMinimum } from "./homogeneous.js";
import { reduceScalarProblem } from "./scalar-problem.js";

/** All minima found, lowest action first, and how the solver ended. */
export interface DeepMinima {
  readonly minima: readonly [DeepMinimum, ...DeepMinimum[]];
  /** 𝒜_uu at the lowest minimum: L × L. */
  readonly hessian: Matrix;
  readonly converged: boolean;
  readonly iterations: number;
  /** Largest |∂𝒜/∂u_l| at the lowest minimum, relative to ΣN_l + P. */
  readonly residual: number;
  readonly method: "homogeneous" | "newton" | "quasi-newton";
  /** P × P numbers that were worked on, to be used again. */
  readonly room?: Float64Array;
}

const tolerance = 1e-9;
/** Above this many training points the Hessian is left to the quasi-Newton update, and one start is used unless P exceeds ΣN. */
const newtonLimit = 250;

/**
 * Minima of the deep action. One unknown where the recursion is homogeneous (see `homogeneousMinima`); otherwise damped Newton (Hessian by
 * differences of the adjoint gradient) for small P and L-BFGS for large P, in u = log Q, from the infinite-width point u = 0 and, where
 * there can be several minima, from u = −2 and 1.5. When u = 0 fails, the widths are continued from 16 N down to N. O(P) an evaluation
 * where there is one unknown, after one reduction of O(P³); otherwise O(P³ + L P²) an evaluation: some ten for each start of L-BFGS, 2L + 1
 * a step of Newton's method, and 2L for the Hessian.
 * @throws FinitewidthError (code "not-converged") when no start ends in a minimum, (code "not-positive-definite") for a singular kernel at
 * T = 0.
 */
export function deepMinima(problem: DeepProblem, onIteration?: (iteration: number, residual: number) => void): DeepMinima {
  const { widths, biasVariance, closure, activation } = problem;
  const depth = widths.length;
  const exponents = homogeneityExponents(closure, activation.degree, biasVariance);
  if (exponents !== undefined) return homogeneous(problem, exponents);
  const size = problem.targets.length;
  const total = widths.reduce((sum, n) => sum + n, 0);
  const scale = total + size;
  const many = size > newtonLimit;
  const method = many ? "quasi-newton" : "newton";
  const room = new Float64Array(size * size);
  const objective: Objective = createDeepAction(problem, room);
  const options = { gradientTolerance: tolerance * scale, maxStep: 2, ...(onIteration ? { onIteration } : {}) };
  const descend = (start: Float64Array): Minimum | undefined => {
    const first = objective(start);
    if (!Number.isFinite(first.value)) return undefined;
    // what is known at the start is not computed again
    const remembering: Objective = (u) => (u.every((value, l) => value === start[l]) ? first : objective(u));
    return many ? descendScaled(remembering, start, widths, options) : minimiseNewton(remembering, start, options);
  };
  const constant = (value: number): Float64Array => new Float64Array(depth).fill(value);
  const results: Minimum[] = [];
  const add = (found: Minimum | undefined): boolean => {
    if (!found || found.residual > 1e-6 * scale) return false;
    if (!results.some(({ point }) => point.every((value, l) => Math.abs(value - found.point[l]!) < 1e-5))) results.push(found);
    return true;
  };
  if (!add(descend(constant(0)))) add(continued(problem, descend, constant(0)));
  if (!many || size > total) for (const start of [-2, 1.5]) add(descend(constant(start)));
  results.sort((a, b) => a.value - b.value);
  const best = results[0];
  if (best === undefined) {
    throw new FinitewidthError(
      "the order parameters did not converge from any start; raise the temperature or the widths, or rescale the targets",
      { code: "not-converged" },
    );
  }
  const asMinimum = ({ point, value }: Minimum): DeepMinimum => ({ orderParameters: point.map(Math.exp), action: value });
  return {
    minima: [asMinimum(best), ...results.slice(1).map(asMinimum)],
    hessian: differenceHessian(objective, best.point),
    converged: best.residual <= 10 * tolerance * scale,
    iterations: results.reduce((sum, { evaluations }) => sum + evaluations, 0),
    residual: best.residual / scale,
    method,
    room,
  };

  function homogeneous(of: DeepProblem, powers: readonly number[]): DeepMinima {
    // σ_w² G^L at infinite width, without keeping the layers below
    const plain = amended(of, { closure: "nested", biasVariance: [...biasVariance.slice(0, -1), 0] });
    const spectrum = reduceScalarProblem({
      kernel: readoutKernel(plain, new Float64Array(depth).fill(1)).readout,
      targets: of.targets,
      temperature: of.temperature,
      width: 1,
      biasVariance: biasVariance[depth]!,
    });
    const { minima, gradient, hessian, iterations } = homogeneousMinima({ spectrum, widths, exponents: powers });
    const worst =
      gradient(minima[0]).reduce((most, value) => Math.max(most, Math.abs(value)), 0) /
      (widths.reduce((sum, n) => sum + n, 0) + of.targets.length);
    return {
      minima,
      hessian: { data: hessian(minima[0]), shape: [depth, depth] },
      converged: worst <= 1e-7,
      iterations,
      residual: worst,
      method: "homogeneous",
    };
  }
}

/** L-BFGS in v_l = √N_l u_l, where the prior's Hessian is the identity. */
function descendScaled(
  objective: Objective,
  start: Float64Array,
  widths: readonly number[],
  options: { readonly gradientTolerance: number; readonly onIteration?: (iteration: number, residual: number) => void },
): Minimum {
  const root = widths.map(Math.sqrt);
  const unscale = (v: Float64Array): Float64Array => v.map((value, l) => value / root[l]!);
  const scaledObjective: Objective = (v) => {
    const { value, gradient } = objective(unscale(v));
    return { value, gradient: unscale(gradient) };
  };
  const smallest = Math.min(...root);
  const found = minimiseLbfgs(
    scaledObjective,
    start.map((value, l) => value * root[l]!),
    { ...options, gradientTolerance: options.gradientTolerance / Math.max(...root), maxStep: 2 * smallest, maxIterations: 200 },
  );
  const gradient = found.gradient.map((value, l) => value * root[l]!);
  return {
    ...found,
    point: unscale(found.point),
    gradient,
    residual: gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  };
}

/** Follows the minimum from nearly infinite width: the widths are divided by two until they are the wanted ones. */
function continued(problem: DeepProblem, descend: (start: Float64Array) => Minimum | undefined, start: Float64Array): Minimum | undefined {
  let point = start;
  for (const factor of [16, 8, 4, 2]) {
    const wide = amended(problem, { widths: problem.widths.map((n) => n * factor) });
    const found = minimiseNewton(createDeepAction(wide), point, { maxStep: 1, maxIterations: 50 });
    if (Number.isFinite(found.value)) point = found.point;
  }
  return descend(point);
}

/**
 * Laplace evidence −(P/2) log 2π − ½(𝒜* − ΣN_l) − ½ log det 𝒜_uu + ½ Σ log N_l, normalised by the same approximation of the prior. O(L³).
 */
export function deepLogEvidence(problem: DeepProblem, { minima, hessian }: DeepMinima): number {
  const { widths } = problem;
  const total = widths.reduce((sum, n) => sum + n, 0);
  const logWidths = widths.reduce((sum, n) => sum + Math.log(n), 0);
  return (
    -0.5 * problem.targets.length * Math.log(2 * Math.PI) -
    0.5 * (minima[0].action - total) -
    0.5 * lu(hessian).logAbsoluteDeterminant +
    0.5 * logWidths
  );
}
