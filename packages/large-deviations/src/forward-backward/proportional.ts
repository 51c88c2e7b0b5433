import { kernelMap } from "@finitewidth/activations";
import { FinitewidthError, type Activation, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  combine,
  frobenius,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  trace,
  transpose,
} from "@finitewidth/linalg";
import { conditionTargets, fixedPoint } from "@finitewidth/numerics";
import type { TiltClosure } from "./closure.js";
import { choleskyRoot } from "./kernel-root.js";
import { checkSaddleProblem } from "./saddle-problem.js";

/** One hidden layer, one output, P ~ N. */
export interface ProportionalProblem {
  readonly activation: Activation;
  /** K¹: P × P. */
  readonly firstKernel: Matrix;
  /** y: P × 1. */
  readonly targets: Matrix;
  readonly temperature: number;
  /** N. */
  readonly width: number;
  /** Of the readout. */
  readonly weightVariance: number;
  readonly biasVariance: number;
  readonly closure: TiltClosure;
}

/** Solution of the Onsager-corrected equations. */
export interface ProportionalSaddle {
  /** C: adapted readout kernel. */
  readonly kernel: Matrix;
  /** A. */
  readonly conjugate: Matrix;
  /** V = (C/(1 + τ) + T)⁻¹ y. */
  readonly weights: Matrix;
  /** R = (QK + T)⁻¹, K the infinite-width readout kernel. */
  readonly resolvent: Matrix;
  readonly infiniteWidth: Matrix;
  /** Q. */
  readonly orderParameter: number;
  /** τ = tr(K R)/N, the Onsager term. */
  readonly tau: number;
  /** C V/(1 + τ): mean of f at the training inputs. */
  readonly trainMean: Matrix;
  readonly residual: number;
  readonly sweeps: number;
  readonly effectiveFraction: number;
}

/** Unknowns. */
interface Iterate {
  readonly C: Matrix;
  readonly Q: number;
}

const settings = { tolerance: 1e-10, maximumIterations: 4000, damping: { initial: 0.5, least: 0.02, shrink: 0.8, slow: 0.98 } } as const;
/** The tilted measure, or a covariance, does not exist at an iterate. */
const leavesDomain = (error: unknown): boolean => error instanceof FinitewidthError && error.code === "not-positive-definite";
/** Scales of the start beyond this are not tried. */
const largestStart = 2 ** 60;
/** Q moves by no larger a share than this. */
const orderDamping = 0.25;

/**
 * Forward–backward equations with the Onsager term that kernels alone miss when P ~ N, for one hidden layer and one output:
 * R = (QK + T)⁻¹, τ = tr(KR)/N, V = (C/(1+τ) + T)⁻¹y, A = [VVᵀ/(1+τ) − QR]/2N, C = g⟨φφᵀ⟩ + g_b, Q = [1 + VᵀCV/(N(1+τ))]/(1+τ). Damped
 * iteration.
 * @throws FinitewidthError: "input"/"shape" for bad arguments, "not-converged" with the residual. O(P³ + the closure's averages) per sweep.
 * Source: docs/theories/forward-backward.md, "Proportional limit".
 */
export function solveProportional(problem: ProportionalProblem, beforeSweep?: (sweeps: number) => void): ProportionalSaddle {
  const { activation, firstKernel, targets, temperature: T, width: N, weightVariance: g, biasVariance, closure } = problem;
  checkSaddleProblem({ firstKernel, targets, temperature: T, widths: [N], weightVariance: [g], biasVariance: [biasVariance] });
  const P = firstKernel.shape[0];
  const K = affine(g, kernelMap(activation, firstKernel), biasVariance);
  // a measure of change only: the shift keeps rounding in the null space of dependent inputs out of it
  const preconditioner = choleskyRoot(addDiagonal(K, 1e-6 * (trace(K) / P) || 1));
  let sweeps = 0;
  let proposal: Matrix | undefined;
  const sweep = ({ C, Q }: Iterate) => {
    beforeSweep?.(++sweeps);
    const resolvent = conditionTargets(affine(Q, K), targets, T, { regular: true }).resolvent();
    const tau = innerProduct(K, resolvent) / N;
    const { weights } = conditionTargets(affine(1 / (1 + tau), C), targets, T, { regular: true });
    const conjugate = combine(1 / (2 * N * (1 + tau)), multiplyTransposedRight(weights, weights), -Q / (2 * N), resolvent);
    const averages = closure.averages({ kernel: firstKernel, conjugate, weightVariance: g }, { gradient: false }, proposal);
    proposal = averages.proposal;
    const next = affine(g, averages.secondMoment, biasVariance);
    const nextQ = (1 + innerProduct(weights, multiply(next, weights)) / (N * (1 + tau))) / (1 + tau);
    const change = combine(1, next, -1, C);
    const whitened = preconditioner.whiten(transpose(preconditioner.whiten(change)));
    return {
      residual: frobenius(whitened) / Math.sqrt(P) + Math.abs(nextQ - Q) / Q,
      move: (factor: number): Iterate => ({ C: combine(1, C, factor, change), Q: Q + Math.min(factor, orderDamping) * (nextQ - Q) }),
      conjugate,
      weights,
      resolvent,
      tau,
      effectiveFraction: averages.effectiveFraction,
    };
  };
  // where the data pull so hard at the infinite-width kernel that the tilted measure does not exist, a larger one is inside the domain
  const start = (): Iterate => {
    for (let scale = 1; ; scale *= 2) {
      const at: Iterate = { C: affine(scale, K), Q: scale };
      try {
        sweep(at);
        return at;
      } catch (error) {
        if (!leavesDomain(error) || scale > largestStart) throw error;
      }
    }
  };
  const { x, step, converged, residual, previous } = fixedPoint(start(), sweep, { ...settings, leavesDomain });
  if (!converged) {
    throw new FinitewidthError(
      `the proportional equations stopped at residual ${(Number.isFinite(residual) ? residual : previous).toExponential(1)}; raise the temperature or the width, or use "effective-action"`,
      { code: "not-converged" },
    );
  }
  const { conjugate, weights, resolvent, tau, effectiveFraction } = step;
  return {
    kernel: x.C,
    conjugate,
    weights,
    resolvent,
    infiniteWidth: K,
    orderParameter: x.Q,
    tau,
    trainMean: affine(1 / (1 + tau), multiply(x.C, weights)),
    residual,
    sweeps,
    effectiveFraction,
  };
}
