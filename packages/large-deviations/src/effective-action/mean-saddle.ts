import { zeros, type Matrix } from "@finitewidth/core";
import { block, identity, symmetricEigen, symmetrise } from "@finitewidth/linalg";
import type { MultiOutputSpectrum } from "./multi-output-problem.js";
import { kernelTraces, multiOutputState } from "./multi-output-state.js";
import { congruence, largest, plus, riccatiMinimiser, rotateBack, spectralFunction } from "./small-matrix.js";

/** Order parameters of an activation with a mean: K_R = Q K_c + ζ m mᵀ, K_c = K − m mᵀ. */
export interface MeanSaddle {
  /** Q and ζ: D × D. */
  readonly orderParameter: Matrix;
  readonly zeta: Matrix;
  /** Posterior mean (D numbers) and covariance (D × D) of ξ = Σ a_i/√(Nσ_w²). */
  readonly xi: Float64Array;
  readonly xiCovariance: Matrix;
  readonly converged: boolean;
  readonly iterations: number;
  /** Last relative change of the undamped iteration. */
  readonly residual: number;
}

/**
 * Damping of a fixed-point iteration: ½, halved whenever 100 steps brought no progress (a cycle), and a stop when the last digits no longer
 * move.
 */
export interface Damping {
  readonly factor: number;
  readonly best: number;
  readonly idle: number;
}
export const initialDamping: Damping = { factor: 0.5, best: Infinity, idle: 0 };
export function nextDamping({ factor, best, idle }: Damping, residual: number): Damping {
  if (residual < 0.9 * best) return { factor, best: residual, idle: 0 };
  return idle >= 100 && residual > 1e-9 ? { factor: Math.max(factor / 2, 1 / 64), best, idle: 0 } : { factor, best, idle: idle + 1 };
}
export const stalled = ({ idle }: Damping, residual: number): boolean => residual < 1e-11 && idle > 40;

/** a + factor (b − a). */
export const blend = (a: Matrix, b: Matrix, factor: number): Matrix => ({
  data: a.data.map((value, i) => value + factor * (b.data[i]! - value)),
  shape: a.shape,
});

/** One undamped update of (Q, ζ) from the traces Γ₊, Γ₋ of the centred kernel and the posterior mean and covariance of ξ. */
export function meanUpdate(
  zeta: Matrix,
  traces: { readonly plus: Matrix; readonly minus: Matrix },
  xi: Float64Array,
  xiCovariance: Matrix,
  width: number,
): { readonly orderParameter: Matrix; readonly zeta: Matrix } {
  const n = xi.length;
  const scale = (m: Matrix): Matrix => ({ data: m.data.map((value) => value / width), shape: m.shape });
  const nextZeta = riccatiMinimiser(plus(identity(n), traces.plus, 1 / width), scale(congruence(zeta, traces.minus)));
  const outer = zeros(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      outer.data[i * n + j] = nextZeta.data[i * n + j]! + (xi[i]! * xi[j]! + xiCovariance.data[i * n + j]! - zeta.data[i * n + j]!) / width;
  const floored = spectralFunction(symmetricEigen(symmetrise(outer)), (value) => Math.max(value, 1e-12));
  return { orderParameter: floored, zeta: nextZeta };
}

/**
 * Saddle of one hidden layer whose activation has a mean: 1/ζ = 1 + [tr A⁻¹K_c − rᵀK_c r]/N, ξ̂ = ζ mᵀr, Q = ζ + (ξ̂ξ̂ᵀ + cov ξ − ζ)/N, and
 * the same with matrices for D outputs. Damped (½) fixed point, the ζ step in closed form. O(D²P + D³) a step.
 * docs/theories/effective-action.md, "Activations with a mean".
 */
export function meanSaddle(problem: MultiOutputSpectrum, start = 1, tolerance = 1e-14): MeanSaddle {
  const outputs = problem.targets.shape[1];
  const scaled = identity(outputs);
  let q: Matrix = { data: scaled.data.map((value) => value * start), shape: scaled.shape };
  let zeta = q;
  let residual = Infinity;
  let iterations = 0;
  let [xi, xiCovariance] = [new Float64Array(outputs), zeros(outputs, outputs)];
  let damping = initialDamping;
  while (iterations < 5000 && residual >= tolerance && !stalled(damping, residual)) {
    iterations++;
    const state = multiOutputState(problem, q, zeta);
    const traces = kernelTraces(problem, state);
    const turn = (m: Matrix): Matrix => rotateBack(state.rotation, m);
    xi = new Float64Array(outputs);
    for (let d = 0; d < outputs; d++)
      for (let a = 0; a < outputs; a++) xi[d]! += state.rotation.data[d * outputs + a]! * state.coefficients[a]!;
    xiCovariance = turn(block(state.covariance, 0, outputs, 0, outputs));
    const next = meanUpdate(zeta, { plus: turn(traces.plus), minus: turn(traces.minus) }, xi, xiCovariance, problem.width);
    residual = Math.max(largest(plus(next.zeta, zeta, -1)) / largest(zeta), largest(plus(next.orderParameter, q, -1)) / largest(q));
    q = blend(q, next.orderParameter, damping.factor);
    zeta = blend(zeta, next.zeta, damping.factor);
    damping = nextDamping(damping, residual);
  }
  return { orderParameter: q, zeta, xi, xiCovariance, converged: residual < 1e-9, iterations, residual };
}
