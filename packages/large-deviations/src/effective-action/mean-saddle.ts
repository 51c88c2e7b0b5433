import { zeros, type Matrix } from "@finitewidth/core";
import { affine, block, identity, symmetricEigen, symmetrise } from "@finitewidth/linalg";
import { fixedPoint } from "@finitewidth/numerics";
import type { MultiOutputSpectrum } from "./multi-output-problem.js";
import { kernelTraces, multiOutputState } from "./multi-output-state.js";
import { congruence, largest, plus, riccatiMinimiser, rotateBack, spectralFunction } from "./small-matrix.js";

/** Order parameters of an activation with a mean: K_R = Q K_c + ζ m mᵀ, K_c = K − m mᵀ. */
interface MeanOrders {
  /** Q and ζ: D × D. */
  readonly orderParameter: Matrix;
  readonly zeta: Matrix;
}

/** The order parameters at a saddle. */
export interface MeanSaddle extends MeanOrders {
  /** Posterior mean (D numbers) and covariance (D × D) of ξ = Σ a_i/√(Nσ_w²). */
  readonly xi: Float64Array;
  readonly xiCovariance: Matrix;
  readonly converged: boolean;
  readonly iterations: number;
  /** Last relative change of the undamped iteration. */
  readonly residual: number;
}

/** Half steps, halved when they cycle; a stop when the last digits no longer move. */
export const meanIteration = {
  damping: { initial: 0.5, least: 1 / 64, shrink: 0.5, cycle: { steps: 100, above: 1e-9 } },
  standstill: { progress: 0.9, steps: 41, below: 1e-11 },
} as const;

/** a + factor (b − a). */
const blend = (a: Matrix, b: Matrix, factor: number): Matrix => ({
  data: a.data.map((value, i) => value + factor * (b.data[i]! - value)),
  shape: a.shape,
});

/** Q and ζ part of the way to their next values. */
export const blendOrders =
  (from: MeanOrders, to: MeanOrders) =>
  (factor: number): MeanOrders => ({
    orderParameter: blend(from.orderParameter, to.orderParameter, factor),
    zeta: blend(from.zeta, to.zeta, factor),
  });

/** One undamped update of (Q, ζ) from the traces Γ₊, Γ₋ of the centred kernel and the posterior mean and covariance of ξ. O(D³). */
export function meanUpdate(
  zeta: Matrix,
  traces: { readonly plus: Matrix; readonly minus: Matrix },
  xi: Float64Array,
  xiCovariance: Matrix,
  width: number,
): MeanOrders {
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
  const scaled = affine(start, identity(outputs));
  const { step, factor, residual, iterations } = fixedPoint(
    { orderParameter: scaled, zeta: scaled },
    ({ orderParameter, zeta }) => {
      const state = multiOutputState(problem, orderParameter, zeta);
      const traces = kernelTraces(problem, state);
      const turn = (m: Matrix): Matrix => rotateBack(state.rotation, m);
      const xi = new Float64Array(outputs);
      for (let d = 0; d < outputs; d++)
        for (let a = 0; a < outputs; a++) xi[d]! += state.rotation.data[d * outputs + a]! * state.coefficients[a]!;
      const xiCovariance = turn(block(state.covariance, 0, outputs, 0, outputs));
      const next = meanUpdate(zeta, { plus: turn(traces.plus), minus: turn(traces.minus) }, xi, xiCovariance, problem.width);
      return {
        residual: Math.max(
          largest(plus(next.zeta, zeta, -1)) / largest(zeta),
          largest(plus(next.orderParameter, orderParameter, -1)) / largest(orderParameter),
        ),
        move: blendOrders({ orderParameter, zeta }, next),
        xi,
        xiCovariance,
      };
    },
    { tolerance, maximumIterations: 5000, ...meanIteration },
  );
  const { xi, xiCovariance } = step;
  return { ...step.move(factor), xi, xiCovariance, converged: residual < 1e-9, iterations, residual };
}
