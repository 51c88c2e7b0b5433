import { FinitewidthError, type GaussianMoments } from "@finitewidth/core";
import { smoothFourPoint } from "../four-point/smooth.js";
import { rootOfProduct } from "../pair-geometry.js";
import { derivatives, type ActivationFunction } from "./function.js";
import { gaussianRule } from "./gaussian-rule.js";
import { hermiteTransform, mehlerSeries, type HermiteCoefficients } from "./mehler.js";
import { pairExpectation } from "./pair-expectation.js";

/** The two-point functions that a whole matrix needs. */
export type PairMoments = Pick<GaussianMoments, "kernel" | "kernelSlope" | "kernelCurvature">;

/** Moments found by quadrature: a single pair by a two-dimensional rule, a whole matrix faster by what `batch` remembers. */
export interface QuadratureMoments extends GaussianMoments {
  /** A new evaluator of the same functions that keeps the Hermite coefficients of every variance it has met; drop it after use. */
  batch(): PairMoments;
}

/** The fastest evaluator for many pairs: `batch()` of moments found by quadrature, the moments themselves where they are closed forms. */
export function pairMoments(moments: GaussianMoments): PairMoments {
  return "batch" in moments ? (moments as QuadratureMoments).batch() : moments;
}

/**
 * All Gaussian moments of φ: those in `closed` as they are, the others by quadrature. Kinked φ has no four-point function and no
 * fourth-order pair functions by quadrature: they are refused.
 */
export function completeMoments(f: ActivationFunction, closed: Partial<GaussianMoments> = {}): GaussianMoments {
  const [phi, first, second, third, fourth] = derivatives(f);
  const kinked = f.kinks !== undefined && f.kinks.length > 0;
  const one = (k: number, g: (h: number) => number): number => {
    const { nodes, weights } = gaussianRule(f, 0, k);
    let sum = 0;
    for (let i = 0; i < nodes.length; i++) sum += weights[i]! * g(nodes[i]!);
    return sum;
  };
  const two = (p: (h: number) => number, q: (h: number) => number, a: number, c: number, b: number): number =>
    pairExpectation(f, p, q, a, c, b, f.odd);
  const slope = (a: number, c: number, b: number): number => two(first, first, a, c, b);
  // at kinks φ″ is a distribution: a E φ″(h1)φ(h2) = E h1 φ′(h1)φ(h2) − c E φ′φ′ (Stein)
  const curvature = (a: number, c: number, b: number): number =>
    kinked ? (a > 0 ? (two((h) => h * first(h), phi, a, c, b) - c * slope(a, c, b)) / a : 0) : two(second, phi, a, c, b);
  const unavailable = (what: string) => (): never => {
    throw new FinitewidthError(
      `${what} of an activation with kinks are not available by quadrature; give closed forms in \`moments\`, or sample`,
      { code: "refused" },
    );
  };
  const quadrature: GaussianMoments = {
    kernel: (a, c, b) => two(phi, phi, a, c, b),
    kernelSlope: slope,
    kernelCurvature: curvature,
    diagonal: (k) => one(k, (h) => phi(h) ** 2),
    diagonalSlope: (k) =>
      kinked
        ? one(Math.max(k, 1e-200), (h) => (h * phi(h) * first(h)) / Math.max(k, 1e-200))
        : one(k, (h) => first(h) ** 2 + phi(h) * second(h)),
    diagonalCurvature: kinked
      ? (k) => kinkedCurvature(quadrature.diagonalSlope, k)
      : (k) => one(k, (h) => 0.5 * phi(h) * fourth(h) + 2 * first(h) * third(h) + 1.5 * second(h) ** 2),
    mean: f.odd ? () => 0 : (k) => one(k, phi),
    slope: (k) => one(k, first),
    fourth: (k) => one(k, (h) => phi(h) ** 4),
    fourthOrder: kinked
      ? unavailable("fourth-order pair functions")
      : (a, c, b) => ({
          d40: two(fourth, phi, a, c, b),
          d31: two(third, first, a, c, b),
          d22: two(second, second, a, c, b),
          d13: two(first, third, a, c, b),
          d04: two(phi, fourth, a, c, b),
        }),
    fourPoint: kinked ? unavailable("four-point functions") : (covariance) => smoothFourPoint(f, covariance),
  };
  const moments: GaussianMoments = {
    ...quadrature,
    fourPoints: closed.fourPoint ? "closed-form" : kinked ? "none" : "quadrature",
    ...closed,
  };
  if (kinked || (closed.kernel && closed.kernelSlope && closed.kernelCurvature)) return moments;
  return { ...moments, batch: () => mehlerBatch(f, moments, closed) } as QuadratureMoments;
}

/** d/dk of the slope by a fourth-order difference in log k, relative step 1e-3. */
function kinkedCurvature(slope: (k: number) => number, k: number): number {
  const d = 1e-3 * Math.max(k, 1e-200);
  return (slope(k - 2 * d) - 8 * slope(k - d) + 8 * slope(k + d) - slope(k + 2 * d)) / (12 * d);
}

function mehlerBatch(f: ActivationFunction, moments: GaussianMoments, closed: Partial<GaussianMoments>): PairMoments {
  const [phi, first, second] = derivatives(f);
  const transform = hermiteTransform(f);
  const remember = (derivative: (h: number) => number): ((k: number) => HermiteCoefficients | undefined) => {
    const known = new Map<number, HermiteCoefficients | undefined>();
    return (k) => {
      if (!known.has(k)) known.set(k, transform.coefficients(derivative, k));
      return known.get(k);
    };
  };
  const [zeroth, slopes, curvatures] = [remember(phi), remember(first), remember(second)];
  const series =
    (p: typeof zeroth, q: typeof zeroth, otherwise: (a: number, c: number, b: number) => number) =>
    (a: number, c: number, b: number): number => {
      const root = rootOfProduct(a, b);
      const [left, right] = [p(a), q(b)];
      if (left === undefined || right === undefined || !(root > 0)) return otherwise(a, c, b);
      return mehlerSeries(left, right, Math.max(-1, Math.min(1, c / root))) ?? otherwise(a, c, b);
    };
  return {
    kernel: closed.kernel ?? series(zeroth, zeroth, moments.kernel),
    kernelSlope: closed.kernelSlope ?? series(slopes, slopes, moments.kernelSlope),
    kernelCurvature: closed.kernelCurvature ?? series(curvatures, zeroth, moments.kernelCurvature),
  };
}
