import {
  columnOf,
  hiddenLayers,
  resolveNetwork,
  strictObject,
  toStandardScaling,
  zeros,
  type Claim,
  type Matrix,
  type Plugin,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { multiply, multiplyVector, symmetricEigen, transpose } from "@finitewidth/linalg";

/**
 * Laplace approximation over the order parameter Q of a network with one hidden layer of N units and one output:
 * S(Q) = Q − log Q + (1/N) Σ [log(T + Qk) + z²/(T + Qk)], log p(Y) ≈ −(P/2) log 2π − (N/2)(S* − 1) − ½ log S_uu.
 * One eigendecomposition O(P³), then O(P) per Newton step. Source: Pacelli et al. 2023.
 */
export const theory: Theory<Record<string, never>> = {
  name: "laplace-evidence",
  summary: "Laplace-approximated evidence over the order parameter (one hidden layer, one output).",
  options: strictObject({}),
  refuses(problem) {
    if (hiddenLayers(problem.network) !== 1 || !("widths" in problem.network))
      return "needs exactly one hidden layer with a width; use effective-action.";
    if (problem.targets.shape[1] !== 1) return "needs one output; use effective-action.";
    if (problem.network.biasVariance.some((variance) => variance !== 0)) return "has no biases; use effective-action.";
    return problem.temperature > 0 ? undefined : "needs a temperature > 0; use effective-action.";
  },
  async fit(original, _options, run) {
    run.signal?.throwIfAborted();
    const problem = toStandardScaling(original);
    const { vectors, values } = symmetricEigen(readoutKernel(problem, run.registry));
    const eigenvalues = values.map((value) => Math.max(0, value));
    const projections = multiplyVector(transpose(vectors), columnOf(problem.targets, 0));
    const solution = minimise(eigenvalues, projections, widthOf(problem), problem.temperature);
    const { u, action, curvature } = solution;
    const [N, P] = [widthOf(problem), eigenvalues.length];
    const posterior: Posterior = {
      theory: "laplace-evidence",
      problem: original,
      arrays: { eigenvalues: { data: eigenvalues, shape: [P] }, projections: { data: projections, shape: [P] }, vectors },
      solver: { converged: solution.converged, iterations: solution.iterations, residual: solution.residual, jitter: 0 },
      logEvidence: -0.5 * P * Math.log(2 * Math.PI) - 0.5 * N * (action - 1) - 0.5 * Math.log(curvature),
      orderParameter: Math.exp(u),
      diagnostics: { action, curvature },
      warnings: solution.converged ? [] : [`the order parameter did not converge (residual ${solution.residual})`],
    };
    return posterior;
  },
  predict: async (posterior, inputs, _want, run) => predictAt(posterior, inputs, run.registry),
  async *claims(scenario, options, run) {
    if (scenario.problem.network.activation !== "identity") return;
    const posterior = await theory.fit(scenario.problem, options, run);
    const claim: Claim = {
      id: "log-evidence",
      statement: "Laplace's approximation gives the log evidence of a linear network up to O(1/N).",
      source: "Pacelli et al. 2023, effective action with one order parameter",
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: { data: Float64Array.of(posterior.logEvidence!), shape: [1] },
      error: { order: 1 },
    };
    yield claim;
  },
};

const widthOf = ({ network }: Problem): number => (network as unknown as { widths: readonly number[] }).widths[0]!;

function readoutKernel(problem: Problem, registry: Registry): Matrix {
  const { priorModel, activation } = resolveNetwork(registry, problem.network);
  return priorModel.infiniteWidth(problem.network, activation, problem.inputs).preactivation.at(-1)!;
}

/** Newton's method in u = log Q, damped so that the action never rises. */
function minimise(k: Float64Array, z: Float64Array, N: number, T: number) {
  const evaluate = (u: number) => {
    const Q = Math.exp(u);
    let [action, slope, curvature] = [Q - u, Q - 1, Q];
    for (let i = 0; i < k.length; i++) {
      const d = T + Q * k[i]!;
      const [p, e] = [(Q * k[i]!) / d, (z[i]! * z[i]!) / d];
      action += (Math.log(d) + e) / N;
      slope += (p - e * p) / N;
      curvature += (p * (1 - p) + e * p * (2 * p - 1)) / N;
    }
    return { u, action, slope, curvature };
  };
  let at = evaluate(0);
  let iterations = 0;
  while (Math.abs(at.slope) > 1e-11 * (1 + Math.exp(at.u)) && iterations < 200) {
    iterations += 1;
    let step = Math.max(-1, Math.min(1, -at.slope / Math.max(Math.abs(at.curvature), 1e-12)));
    let next = evaluate(at.u + step);
    while (next.action > at.action && Math.abs(step) > 1e-14) {
      step /= 2;
      next = evaluate(at.u + step);
    }
    if (next.u === at.u) break;
    at = next;
  }
  const residual = Math.abs(at.slope);
  return { ...at, iterations, residual, converged: residual <= 1e-8 * (1 + Math.exp(at.u)) };
}

/** Gaussian-process formulas with the kernel Q·K. O(P² P*) time. */
function predictAt(posterior: Posterior, inputs: Matrix, registry: Registry): Prediction {
  const problem = toStandardScaling(posterior.problem);
  const { priorModel, activation } = resolveNetwork(registry, problem.network);
  const { preactivation, othersDiagonal } = priorModel.infiniteWidth(problem.network, activation, problem.inputs, inputs);
  const Q = posterior.orderParameter as number;
  const [k, z] = [posterior.arrays.eigenvalues!.data, posterior.arrays.projections!.data];
  const cross = multiply(transpose(posterior.arrays.vectors as Matrix), preactivation.at(-1)!);
  const [P, tests] = cross.shape;
  const [mean, variance] = [zeros(tests, 1), zeros(tests, 1)];
  for (let j = 0; j < tests; j++) {
    let explained = 0;
    for (let i = 0; i < P; i++) {
      const c = cross.data[i * tests + j]!;
      const d = problem.temperature + Q * k[i]!;
      mean.data[j]! += (Q * c * z[i]!) / d;
      explained += (Q * Q * c * c) / d;
    }
    variance.data[j] = Math.max(0, Q * othersDiagonal![j]! - explained);
  }
  return { mean, variance };
}

export const plugin: Plugin = { name: "finitewidth-plugin-laplace-evidence", module: import.meta.url, theories: [theory as Theory] };
