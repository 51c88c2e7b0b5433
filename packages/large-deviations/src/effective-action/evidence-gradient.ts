import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, scaleMixtureScores, trace } from "@finitewidth/linalg";
import { digamma } from "@finitewidth/numerics";
import { biasAt } from "./scalar-action.js";
import { significantNodes, type ScalarIntegral, type ScalarSaddle } from "./scalar-posterior.js";
import { sandwich } from "./scalar-predict.js";
import type { ScalarProblem } from "./scalar-problem.js";

/** Derivatives of the log evidence of one hidden layer and one output. */
export interface ScalarEvidenceGradient {
  /** B = 2 ∂ log Z/∂K with K = σ_w²(2) G¹, entries counted over ordered pairs: P × P. */
  readonly adjoint: Matrix;
  /** In log T and in log σ_b²(2). */
  readonly logTemperature: number;
  readonly logReadoutBias: number;
  /** In N, continued to real numbers. */
  readonly width: number;
}

/**
 * Gradient of `scalarIntegral`'s log evidence by Fisher's identity over the nodes of p(u|y): B = E[Q(rrᵀ − A⁻¹)], ½T tr E[rrᵀ − A⁻¹],
 * ½b 1ᵀE[rrᵀ − A⁻¹]1, ∂/∂N = ½[log(N/2) + 1 − ψ(N/2) + E(log Q − Q)]. O(P³ + P² nodes). Source: docs/theories/evidence.md, "Gradients of
 * theories".
 */
export function scalarIntegralGradient(problem: ScalarProblem, integral: ScalarIntegral): ScalarEvidenceGradient {
  const { eigenvalues: k, targets: z, ones: w, temperature, width, biasVariance: b, vectors } = problem;
  const used = [...significantNodes(integral)];
  const size = k.length;
  const ranks = b > 0 ? 2 : 1;
  const diagonal = new Float64Array(size);
  const columns = zeros(size, ranks * used.length);
  let free = 0;
  used.forEach(([Q, weight], node) => {
    const { factor, mean } = biasAt(problem, Q, z);
    free += weight * (Math.log(Q) - Q);
    for (let i = 0; i < size; i++) {
      const d = temperature + Q * k[i]!;
      diagonal[i]! -= (weight * Q) / d;
      columns.data[i * ranks * used.length + ranks * node] = (Math.sqrt(weight * Q) * (z[i]! - mean * w[i]!)) / d;
      if (b > 0) columns.data[i * ranks * used.length + ranks * node + 1] = (Math.sqrt((weight * Q * b) / factor) * w[i]!) / d;
    }
  });
  const scores = scaleMixtureScores(
    { values: k, targets: z, ones: w, noise: temperature, biasVariance: b, nullity: 0, residualSquare: 0 },
    { q: integral.nodes, weights: integral.weights },
  );
  return {
    adjoint: sandwich(
      vectors,
      diagonal,
      columns,
      Array.from({ length: ranks * used.length }, () => 1),
    ),
    logTemperature: scores.noise,
    logReadoutBias: scores.bias,
    width: 0.5 * (Math.log(width / 2) + 1 - digamma(width / 2) + free),
  };
}

/**
 * Total derivative of the Laplace evidence −½N(S* − 1) − ½ log S_uu of `scalarSaddle` without a readout bias: the explicit one of the
 * action (the saddle moves at no cost) and that of S_uu, which takes the saddle's motion with it by S_uuu/S_uu. O(P³). Source: as above.
 */
export function scalarLaplaceGradient(problem: ScalarProblem, saddle: ScalarSaddle): ScalarEvidenceGradient {
  const { eigenvalues: k, targets: z, temperature, width, vectors } = problem;
  const { orderParameter: Q, second, third } = saddle;
  const size = k.length;
  const [noise, kernel] = [zeros(size, size), zeros(size, size)];
  const ratio = third / second;
  const d = k.map((value) => temperature + Q * value);
  const r = z.map((value, i) => value / d[i]!);
  const x = r.map((value, i) => (value * k[i]!) / d[i]!);
  const w = x.map((value, i) => (value * k[i]!) / d[i]!);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const own = i === j ? 1 / d[i]! : 0;
      const once = own * (k[i]! / d[i]!);
      const [rr, xr, wr] = [r[i]! * r[j]!, x[i]! * r[j]! + r[i]! * x[j]!, w[i]! * r[j]! + r[i]! * w[j]!];
      // derivatives of N S_u and N S_uu in A and, at fixed A, in K
      const a1 = Q * (xr - once);
      const a2 = Q * (xr - once) + 2 * Q * Q * (once * (k[i]! / d[i]!) - wr - x[i]! * x[j]!);
      const k1 = Q * (own - rr);
      const k2 = k1 + 2 * Q * Q * (xr - once);
      const ofNoise = rr - own - (a2 - ratio * a1) / (width * second);
      noise.data[i * size + j] = ofNoise;
      kernel.data[i * size + j] = Q * ofNoise - (k2 - ratio * k1) / (width * second);
    }
  }
  return {
    adjoint: multiplyTransposedRight(multiply(vectors, kernel), vectors),
    logTemperature: 0.5 * temperature * trace(noise),
    logReadoutBias: 0,
    width: -0.5 * (Q - Math.log(Q) - 1) + (second - Q + (third / second) * (Q - 1)) / (2 * width * second),
  };
}
