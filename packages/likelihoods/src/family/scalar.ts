import type { Likelihood, LikelihoodDerivatives, Matrix, Observation, ScalarObservation } from "@finitewidth/core";

/** ℓ(y, z) of one latent output and its derivatives in z; slope = dW/dz = −ℓ‴. */
export interface ScalarLink {
  logDensity(y: number, z: number): number;
  gradient(y: number, z: number): number;
  curvature(y: number, z: number): number;
  slope(y: number, z: number): number;
  /** See `ScalarObservation.tilted`, in units of z = f/τ. */
  tilted?(y: number, mean: number, variance: number): readonly [number, number, number];
}

/** p(Y | f) of one latent output per point with z = f/τ: the derivatives carry τ⁻¹, τ⁻², τ⁻³. */
export function scalarObservation(link: ScalarLink, scale: number, targets: Matrix): Observation {
  const y = targets.data;
  const scalar: ScalarObservation = {
    logDensity: (point, f) => link.logDensity(y[point]!, f / scale),
    gradient: (point, f) => link.gradient(y[point]!, f / scale) / scale,
    curvature: (point, f) => link.curvature(y[point]!, f / scale) / scale ** 2,
    ...(link.tilted
      ? {
          tilted: (point: number, mean: number, variance: number) => {
            const [logMass, m, v] = link.tilted!(y[point]!, mean / scale, variance / scale ** 2);
            return [logMass, m * scale, v * scale ** 2] as const;
          },
        }
      : {}),
  };
  return {
    points: y.length,
    latents: 1,
    scalar,
    evaluate: (latent, out: LikelihoodDerivatives = {}) => {
      let total = 0;
      for (let i = 0; i < y.length; i++) {
        const value = scalar.logDensity(i, latent[i]!);
        total += value;
        if (out.perPoint) out.perPoint[i] = value;
        if (out.gradient) out.gradient[i] = scalar.gradient(i, latent[i]!);
        if (out.curvature) out.curvature[i] = scalar.curvature(i, latent[i]!);
      }
      return total;
    },
    curvatureSlope: (latent, contraction, out) => {
      for (let i = 0; i < y.length; i++) out[i] = (link.slope(y[i]!, latent[i]! / scale) / scale ** 3) * contraction[i]!;
    },
  };
}

/** What all likelihoods with one latent output share. */
export function scalarLikelihood(
  name: string,
  scale: number,
  link: ScalarLink,
  rest: Pick<Likelihood, "classes" | "check" | "labels" | "encode" | "probabilities">,
): Likelihood {
  return {
    name,
    scale,
    latents: () => 1,
    contrasts: () => undefined,
    observe: (targets) => {
      rest.check(targets);
      return scalarObservation(link, scale, targets);
    },
    ...rest,
  };
}
