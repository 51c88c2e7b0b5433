/** What quadrature needs to know of φ. */
export interface ActivationFunction {
  value(h: number): number;
  derivative(h: number): number;
  readonly secondDerivative?: (h: number) => number;
  readonly thirdDerivative?: (h: number) => number;
  readonly fourthDerivative?: (h: number) => number;
  /** E φ(m + √v z), z ~ N(0, 1), where it has a closed form: saves one dimension of four-point integrals. */
  readonly conditionalMean?: (mean: number, variance: number) => number;
  readonly odd: boolean;
  /**
   * Distance of the nearest singularity of φ from the real axis (∞ for entire functions counts as 1.5 or so: the scale on which φ varies).
   */
  readonly analyticRadius: number;
  /**
   * φ equals a polynomial on either side of the origin, up to terms that are exponentially small in |h|/analyticRadius. Keeps the cost
   * bounded at large variances.
   */
  readonly saturates: boolean;
  /** Points where φ is continuous and φ′ jumps. Elsewhere φ is analytic. */
  readonly kinks?: readonly number[];
}

/** Fourth-order differences of `f`, for derivatives that the author of a plug-in left out: relative error about 1e-9. */
export function differenceDerivative(f: (h: number) => number): (h: number) => number {
  const d = 0.01;
  return (h) => (f(h - 2 * d) - 8 * f(h - d) + 8 * f(h + d) - f(h + 2 * d)) / (12 * d);
}

/** φ, φ′ … φ⁗; missing derivatives by differences. */
export function derivatives(
  f: ActivationFunction,
): readonly [(h: number) => number, (h: number) => number, (h: number) => number, (h: number) => number, (h: number) => number] {
  const second = f.secondDerivative ?? differenceDerivative(f.derivative);
  const third = f.thirdDerivative ?? differenceDerivative(second);
  return [f.value, f.derivative, second, third, f.fourthDerivative ?? secondDifference(second)];
}

function secondDifference(f: (h: number) => number): (h: number) => number {
  const d = 0.01;
  return (h) => (-f(h - 2 * d) + 16 * f(h - d) - 30 * f(h) + 16 * f(h + d) - f(h + 2 * d)) / (12 * d * d);
}
