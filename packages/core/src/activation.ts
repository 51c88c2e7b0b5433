import type { Matrix } from "./tensor.js";

/**
 * An activation function φ with its Gaussian moments. h ~ N(0, k) for one argument, (h1, h2) ~ N(0, [[a, c], [c, b]]) for two.
 * Formulas: docs/theories/effective-action.md, forward-backward.md and perturbative.md. Third parties define φ and its derivatives and let
 * `defineActivation` of @finitewidth/activations fill in the moments by quadrature.
 */
export interface Activation {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** φ(−h) = −φ(h): no mean, one order parameter. */
  readonly odd: boolean;
  /** φ, φ′, φ″ exist everywhere (false: relu, sign, step). */
  readonly smooth: boolean;
  /** |φ| is bounded: every tilted measure exists. */
  readonly bounded: boolean;
  /** φ(h) = h: deep linear networks. @defaultValue false */
  readonly linear?: boolean;
  /** φ(ch) = c^degree φ(h) for c > 0, where it holds: 1 for identity and relu, 0 for sign, 2 for quadratic. */
  readonly degree?: number;
  value(h: number): number;
  /** φ′(h); at a kink the mean of both sides. */
  derivative(h: number): number;
  /** φ″(h) without its distributional part; needed where `smooth`. */
  secondDerivative?(h: number): number;
  /** Faster loops over arrays than one call of `value` and `derivative` a number, where there are any. */
  readonly arrays?: ArrayActivation;
  /** The variance q at which σ_w² E φ′(h)² = 1, where it is known in closed form; negative or NaN where there is none. */
  readonly criticalVariance?: (weightVariance: number) => number;
  readonly moments: GaussianMoments;
}

/** φ and φ′ over matrices, without a call a number. */
export interface ArrayActivation {
  /** The `value` that it computes: ignored for an activation with another one (a copy with a changed `value`). */
  readonly phi: (h: number) => number;
  /** out := c φ(h). */
  values(h: Matrix, c: number, out: Matrix, maps: ArrayMaps): void;
  /** out := c φ′(h). */
  slopes(h: Matrix, c: number, out: Matrix, maps: ArrayMaps): void;
}

/** Vectorised functions in place, such as a workspace of @finitewidth/linalg has them for its matrices. */
export interface ArrayMaps {
  map(name: "exp" | "erf", x: Matrix): void;
}

/**
 * Expectations over Gaussian preactivations. All are finite and free of NaN at correlation ±1 and zero variance, except where a derivative
 * truly diverges (sign): there ±Infinity.
 */
export interface GaussianMoments {
  /** G = E φ(h1)φ(h2). `gap` = √(ab) − |c|, where it is known to more digits than a, b and c hold; used by activations that have `gap`. */
  kernel(a: number, c: number, b: number, gap?: number): number;
  /**
   * √(g(a)g(b)) − |G| from `gap` = √(ab) − |c|, without cancellation. For φ with jumps, where it is of the order of √gap: a recursion that
   * does not carry it loses half of the digits of nearly parallel inputs in every layer.
   */
  gap?(a: number, c: number, b: number, gap: number): number;
  /** Ġ = ∂G/∂c = E φ′(h1)φ′(h2). */
  kernelSlope(a: number, c: number, b: number): number;
  /** X = E φ″(h1)φ(h2) = 2 ∂G/∂a (distributional part included). */
  kernelCurvature(a: number, c: number, b: number): number;
  /** g(k) = E φ². */
  diagonal(k: number): number;
  /** g′(k). */
  diagonalSlope(k: number): number;
  /** g″(k). */
  diagonalCurvature(k: number): number;
  /** E φ(h). */
  mean(k: number): number;
  /** E φ′(h). */
  slope(k: number): number;
  /** E φ′(h1)φ(h2): response of the kernel to a shift of the mean of h1. Zero for odd φ; needed where φ has kinks. */
  meanSlope?(a: number, c: number, b: number): number;
  /** E φ⁴(h). */
  fourth(k: number): number;
  /** Fourth-order pair functions for the second derivative of the kernel map (docs/theories/perturbative.md), distinct inputs. */
  fourthOrder(a: number, c: number, b: number): FourthOrderPair;
  /** E φ(h1)φ(h2)φ(h3)φ(h4) for a 4 × 4 covariance (16 numbers, row-major), singular ones included. */
  fourPoint(covariance: Float64Array): number;
  /** How `fourPoint` is found: a quadrature takes milliseconds, "none" refuses. @defaultValue "closed-form" */
  readonly fourPoints?: "closed-form" | "quadrature" | "none";
}

/** Expectations of products of derivatives: `d40` = E φ⁗(h1)φ(h2), `d31` = E φ‴(h1)φ′(h2), `d22` = E φ″(h1)φ″(h2), … */
export interface FourthOrderPair {
  readonly d40: number;
  readonly d31: number;
  readonly d22: number;
  readonly d13: number;
  readonly d04: number;
}
