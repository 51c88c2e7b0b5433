import { inputError, type Activation, type GaussianMoments } from "@finitewidth/core";
import { completeMoments } from "./quadrature/complete-moments.js";

/** What the author of an activation writes. */
export interface ActivationDefinition {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** φ(−h) = −φ(h). */
  readonly odd: boolean;
  /** φ is analytic on the real axis. When false, `kinks` says where φ′ jumps (φ itself must be continuous). */
  readonly smooth: boolean;
  readonly bounded: boolean;
  /** φ(ch) = c^degree φ(h) for c > 0, where it holds. */
  readonly degree?: number;
  value(h: number): number;
  derivative(h: number): number;
  /** Derivatives that are left out are replaced by fourth-order differences (relative error about 1e-9). */
  readonly secondDerivative?: (h: number) => number;
  readonly thirdDerivative?: (h: number) => number;
  readonly fourthDerivative?: (h: number) => number;
  /** @defaultValue [0] when not smooth */
  readonly kinks?: readonly number[];
  /**
   * Distance of the nearest singularity of φ from the real axis: π/2 for tanh, π for the logistic function, 1 for entire functions of scale
   * 1. @defaultValue 1
   */
  readonly analyticRadius?: number;
  /**
   * φ is a polynomial on either side of the origin up to exponentially small terms (tanh, softplus, swish; not sin): bounded cost at any
   * variance. @defaultValue false
   */
  readonly saturates?: boolean;
  /** Closed forms, where known; the rest is filled in by quadrature. */
  readonly moments?: Partial<GaussianMoments>;
}

/**
 * An activation from φ and its derivatives; Gaussian moments by quadrature. Smooth φ: relative accuracy about 1e-13, four-point functions
 * 1e-8 (r = 4 distinct inputs). Kinked φ: two-point functions about 1e-10, no four-point functions (refused by name).
 * @throws FinitewidthError (code "input") for a φ that is not finite on [−10, 10], or contradictory settings.
 */
export function defineActivation(definition: ActivationDefinition): Activation {
  const {
    name,
    summary,
    odd,
    smooth,
    bounded,
    degree,
    value,
    derivative,
    secondDerivative,
    thirdDerivative,
    fourthDerivative,
    analyticRadius = 1,
    saturates = false,
    moments = {},
  } = definition;
  const kinks = smooth ? undefined : (definition.kinks ?? [0]);
  if (name === "") throw inputError("name", "a name", name);
  if (smooth && definition.kinks !== undefined && definition.kinks.length > 0)
    throw inputError(`${name}.kinks`, "no kinks where smooth is true", definition.kinks);
  if (!(analyticRadius > 0 && Number.isFinite(analyticRadius)))
    throw inputError(`${name}.analyticRadius`, "a positive number", analyticRadius);
  for (let h = -10; h <= 10; h += 0.5) {
    if (!Number.isFinite(value(h))) throw inputError(`${name}.value(${h})`, "a finite number", value(h));
    if (!Number.isFinite(derivative(h))) throw inputError(`${name}.derivative(${h})`, "a finite number", derivative(h));
  }
  return {
    name,
    summary,
    odd,
    smooth,
    bounded,
    ...(degree === undefined ? {} : { degree }),
    value,
    derivative,
    ...(secondDerivative === undefined ? {} : { secondDerivative }),
    moments: completeMoments(
      {
        value,
        derivative,
        odd,
        analyticRadius,
        saturates,
        ...(secondDerivative === undefined ? {} : { secondDerivative }),
        ...(thirdDerivative === undefined ? {} : { thirdDerivative }),
        ...(fourthDerivative === undefined ? {} : { fourthDerivative }),
        ...(kinks === undefined ? {} : { kinks }),
      },
      moments,
    ),
  };
}
