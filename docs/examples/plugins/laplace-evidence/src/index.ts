import {
  columnOf,
  resolveArchitecture,
  strictObject,
  toStandardScaling,
  zeros,
  type Matrix,
  type Plugin,
  type Problem,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { denseChain, infiniteWidthKernels, type DenseChain } from "@finitewidth/kernels";
import { multiply, multiplyVector, symmetricEigen, transpose } from "@finitewidth/linalg";

/** What predictions need: eigenvalues and eigenvectors of K, the targets in these, and Q. */
interface State {
  readonly eigenvalues: Float64Array;
  readonly vectors: Matrix;
  readonly projections: Float64Array;
  readonly orderParameter: number;
}

/** The network as a fully connected chain, whatever its model is called; undefined when it is none. */
const chainOf = ({ network }: Problem, registry: Registry): DenseChain | undefined => denseChain(resolveArchitecture(registry, network));

/**
 * Laplace approximation over the order parameter Q of a network with one hidden layer of N units and one output:
 * S(Q) = Q − log Q + (1/N) Σ [log(T + Qk) + z²/(T + Qk)], log p(Y) ≈ −(P/2) log 2π − (N/2)(S* − 1) − ½ log S_uu.
 * One eigendecomposition O(P³), then O(P) per Newton step. Source: Pacelli et al. 2023.
 */
export const theory: Theory<Record<string, never>, State> = {
  name: "laplace-evidence",
  summary: "Laplace-approximated evidence over the order parameter (one hidden layer, one output).",
  options: strictObject({}),
  refuses(problem, _options, registry) {
    const chain = chainOf(problem, registry);
    if (chain?.widths.length !== 1) return "needs exactly one hidden layer of a fully connected network; use effective-action.";
    if (problem.targets.shape[1] !== 1) return "needs one output; use effective-action.";
    if (chain.biasVariance.some((variance) => variance !== 0)) return "has no biases; use effective-action.";
    return problem.temperature > 0 ? undefined : "needs a temperature > 0; use effective-action.";
  },
  async fit(problem, options, run) {
    run.signal?.throwIfAborted();
    const { network, inputs, targets, temperature } = toStandardScaling(problem, run.registry);
    const N = chainOf(problem, run.registry)!.widths[0]!;
    const { vectors, values } = symmetricEigen(
      infiniteWidthKernels(resolveArchitecture(run.registry, network), inputs).preactivation.at(-1)!,
    );
    const eigenvalues = values.map((value) => Math.max(0, value));
    const projections = multiplyVector(transpose(vectors), columnOf(targets, 0));
    const { u, action, curvature, converged, iterations, residual } = minimise(eigenvalues, projections, N, temperature);
    const orderParameter = Math.exp(u);
    return {
      theory: "laplace-evidence",
      problem,
      options,
      state: { eigenvalues, vectors, projections, orderParameter },
      solver: { converged, iterations, residual, jitter: 0 },
      logEvidence: -0.5 * eigenvalues.length * Math.log(2 * Math.PI) - 0.5 * N * (action - 1) - 0.5 * Math.log(curvature),
      orderParameter,
      diagnostics: { action, curvature },
      warnings: converged ? [] : [`the order parameter did not converge (residual ${residual})`],
    };
  },
  /** Gaussian-process formulas with the kernel Q·K. O(P² P*). */
  async predict({ problem, state }, inputs, _want, { registry }) {
    const { network, inputs: training, temperature } = toStandardScaling(problem, registry);
    const { preactivation, othersDiagonal } = infiniteWidthKernels(resolveArchitecture(registry, network), training, inputs);
    const { eigenvalues, projections, orderParameter: Q } = state;
    const cross = multiply(transpose(state.vectors), preactivation.at(-1)!);
    const [P, tests] = cross.shape;
    const [mean, variance] = [zeros(tests, 1), zeros(tests, 1)];
    for (let j = 0; j < tests; j++) {
      let explained = 0;
      for (let i = 0; i < P; i++) {
        const c = cross.data[i * tests + j]!;
        const d = temperature + Q * eigenvalues[i]!;
        mean.data[j]! += (Q * c * projections[i]!) / d;
        explained += (Q * Q * c * c) / d;
      }
      variance.data[j] = Math.max(0, Q * othersDiagonal![j]! - explained);
    }
    return { mean, variance };
  },
  *claims({ scenario, posterior }, registry) {
    if (!chainOf(scenario.problem, registry)?.activation.linear) return;
    yield {
      id: "log-evidence",
      statement: "Laplace's approximation, normalised as the prior is, gives the log evidence of a linear network up to O(1/N²).",
      source: "Pacelli et al. 2023, effective action with one order parameter",
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: { data: Float64Array.of(posterior.logEvidence!), shape: [1] },
      error: { order: 2 },
    };
  },
};

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

export const plugin: Plugin = {
  name: "finitewidth-plugin-laplace-evidence",
  module: import.meta.url,
  theories: [theory as Theory],
  scenarios: [
    {
      name: "laplace, one hidden layer",
      theories: [{ name: "laplace-evidence" }],
      network: (factor) => ({ type: "fully-connected", widths: [6 * factor], activation: "identity", weightVariance: [1.3, 0.7] }),
      points: 3,
      features: 3,
      temperature: 0.3,
      // large enough for the samples to tell finite from infinite width
      targetScale: () => 2,
      sampling: { kind: "importance", samples: 40_000 },
      factors: [1, 2, 4],
      seed: 5,
    },
  ],
};
