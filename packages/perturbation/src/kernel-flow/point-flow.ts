import { coincident } from "@finitewidth/activations";
import type { Activation } from "@finitewidth/core";

/** The layers above the first preactivation kernel K¹: variances of layers 2 … L+1. */
export interface FlowParameters {
  readonly activation: Activation;
  /** σ_w²(2) … σ_w²(L+1): L numbers. */
  readonly weightVariance: readonly number[];
  /** σ_b²(2) … σ_b²(L+1): L numbers. */
  readonly biasVariance: readonly number[];
}

/**
 * Random kernel of one input, layer by layer (index 0 … L for layers 1 … L+1). `variance` and `meanShift` hold one coefficient of 1/N_k per
 * hidden layer k: Var K̂ˡ = Σ_k variance[l][k]/N_k, E K̂ˡ − Kˡ = Σ_k meanShift[l][k]/N_k.
 */
export interface PointFlow {
  readonly kernel: readonly number[];
  readonly variance: readonly Float64Array[];
  readonly meanShift: readonly Float64Array[];
  /** g, g′, g″ and E φ⁴ at the kernels of layers 1 … L. */
  readonly local: readonly { readonly g: number; readonly slope: number; readonly curvature: number; readonly fourth: number }[];
}

/**
 * k′ = σ_w² g(k) + σ_b², V′ = σ_w⁴[(E φ⁴ − g²)/N + g′² V], δ′ = σ_w²[g′ δ + ½ g″ V]. O(L²).
 * Source: docs/theories/perturbative.md §6; S. Yaida, Non-Gaussian processes and neural networks at finite widths (2019).
 */
export function pointFlow(parameters: FlowParameters, firstKernel: number): PointFlow {
  const {
    activation: { moments },
    weightVariance,
    biasVariance,
  } = parameters;
  const L = weightVariance.length;
  const kernel = [firstKernel];
  const variance = [new Float64Array(L)];
  const meanShift = [new Float64Array(L)];
  const local: PointFlow["local"][number][] = [];
  for (let l = 0; l < L; l++) {
    const k = kernel[l]!;
    const w = weightVariance[l]!;
    const at = {
      g: moments.diagonal(k),
      slope: moments.diagonalSlope(k),
      curvature: moments.diagonalCurvature(k),
      fourth: moments.fourth(k),
    };
    const [v, d] = [variance[l]!, meanShift[l]!];
    local.push(at);
    kernel.push(w * at.g + biasVariance[l]!);
    variance.push(v.map((value, j) => w * w * (times(at.slope * at.slope, value) + (j === l ? at.fourth - at.g * at.g : 0))));
    meanShift.push(d.map((value, j) => w * (times(at.slope, value) + 0.5 * times(at.curvature, v[j]!))));
  }
  return { kernel, variance, meanShift, local };
}

/** The same for two inputs: off-diagonal kernel and its mean shift. */
export interface PairFlow {
  readonly kernel: readonly number[];
  readonly meanShift: readonly Float64Array[];
}

/**
 * How two preactivations with variances a, b and covariance c are related. At kinks the general derivatives are 0·∞ for parallel inputs, so
 * those follow the scalar function g(k) = E φ². Smooth activations need no such care.
 */
type PairKind = "general" | "parallel" | "antiparallel";

function pairKind(activation: Activation, a: number, c: number, b: number): PairKind {
  if (activation.smooth) return "general";
  if (coincident(a, c, b)) return "parallel";
  return coincident(a, -c, b) ? "antiparallel" : "general";
}

/** Ġ_ab, G̈_ab and G̈_ba of one pair. */
function pairDerivatives(
  activation: Activation,
  a: number,
  c: number,
  b: number,
): readonly [slope: number, curvature: number, reverse: number] {
  const { moments } = activation;
  switch (pairKind(activation, a, c, b)) {
    case "general":
      return [finite(moments.kernelSlope(a, c, b)), finite(moments.kernelCurvature(a, c, b)), finite(moments.kernelCurvature(b, c, a))];
    case "parallel":
      return [moments.diagonalSlope(Math.sqrt(a * b)), 0, 0];
    case "antiparallel":
      // An odd φ gives φ_b ∝ −φ_a; a rectifier gives φ_a φ_b = 0 whatever the kernel.
      return [activation.odd ? moments.diagonalSlope(Math.sqrt(a * b)) : 0, 0, 0];
  }
}

/** Derivatives that diverge belong to inputs of zero variance, whose kernels do not fluctuate. */
const finite = (x: number): number => (Number.isFinite(x) ? x : 0);

/** 0·∞ = 0: a fluctuation that vanishes identically does not feel a divergent derivative. */
const times = (derivative: number, fluctuation: number): number => (fluctuation === 0 ? 0 : derivative * fluctuation);

/**
 * Mean shift of K̂_ab from the two-input closure: δ_ab and the covariances of K̂_aa, K̂_ab, K̂_bb feed on nothing else. `firstKernel`:
 * K¹_ab. O(L²) plus 3 four-point functions for each layer but the last. Source: docs/theories/perturbative.md §2.
 */
export function pairFlow(parameters: FlowParameters, a: PointFlow, b: PointFlow, firstKernel: number): PairFlow {
  const { activation, weightVariance, biasVariance } = parameters;
  const L = weightVariance.length;
  const kernel = [firstKernel];
  const meanShift = [new Float64Array(L)];
  // Σ_{ab,ab}, Σ_{aa,ab}, Σ_{ab,bb}, Σ_{aa,bb} of the current layer.
  let [s11, s21, s12, s22]: [Float64Array, Float64Array, Float64Array, Float64Array] = [
    new Float64Array(L),
    new Float64Array(L),
    new Float64Array(L),
    new Float64Array(L),
  ];
  for (let l = 0; l < L; l++) {
    const [ka, kb, k, w] = [a.kernel[l]!, b.kernel[l]!, kernel[l]!, weightVariance[l]!];
    const g = activation.moments.kernel(ka, k, kb);
    const [slope, forward, reverse] = pairDerivatives(activation, ka, k, kb);
    const [va, vb] = [a.variance[l]!, b.variance[l]!];
    const second = l === 0 ? undefined : secondOrder(activation, ka, k, kb);
    meanShift.push(
      meanShift[l]!.map((value, j) => {
        const first = times(slope, value) + 0.5 * times(forward, a.meanShift[l]![j]!) + 0.5 * times(reverse, b.meanShift[l]![j]!);
        return w * (first + (second === undefined ? 0 : second(s11[j]!, s21[j]!, s12[j]!, s22[j]!, va[j]!, vb[j]!)));
      }),
    );
    kernel.push(w * g + biasVariance[l]!);
    // The covariance of the last layer is not needed for any mean.
    if (l === L - 1) break;
    const vertex = pairVertex(activation, ka, k, kb, a.local[l]!.g, g, b.local[l]!.g);
    const [sa, sb] = [a.local[l]!.slope, b.local[l]!.slope];
    const w2 = w * w;
    const next = (c: number, linear: (j: number) => number): Float64Array =>
      Float64Array.from({ length: L }, (_, j) => w2 * ((j === l ? c : 0) + (j < l ? linear(j) : 0)));
    const n11 = next(
      vertex.c11,
      (j) =>
        slope * slope * s11[j]! +
        0.25 * forward * forward * va[j]! +
        0.25 * reverse * reverse * vb[j]! +
        slope * forward * s21[j]! +
        slope * reverse * s12[j]! +
        0.5 * forward * reverse * s22[j]!,
    );
    const n21 = next(vertex.c21, (j) => sa * (slope * s21[j]! + 0.5 * forward * va[j]! + 0.5 * reverse * s22[j]!));
    const n12 = next(vertex.c12, (j) => sb * (slope * s12[j]! + 0.5 * reverse * vb[j]! + 0.5 * forward * s22[j]!));
    const n22 = next(vertex.c22, (j) => sa * sb * s22[j]!);
    [s11, s21, s12, s22] = [n11, n21, n12, n22];
  }
  return { kernel, meanShift };
}

/** ½ H:Σ for one pair as a function of Σ_{ab,ab}, Σ_{aa,ab}, Σ_{ab,bb}, Σ_{aa,bb}, Σ_{aa,aa}, Σ_{bb,bb}. */
export function secondOrder(
  activation: Activation,
  a: number,
  c: number,
  b: number,
): (s11: number, s21: number, s12: number, s22: number, va: number, vb: number) => number {
  const kind = pairKind(activation, a, c, b);
  if (kind === "general") {
    const { d40, d31, d22, d13, d04 } = activation.moments.fourthOrder(a, c, b);
    return (s11, s21, s12, s22, va, vb) =>
      0.125 * times(d40, va) + 0.125 * times(d04, vb) + times(d22, 0.5 * s11 + 0.25 * s22) + 0.5 * times(d31, s21) + 0.5 * times(d13, s12);
  }
  if (kind === "antiparallel" && !activation.odd) return () => 0;
  const sign = kind === "parallel" ? 1 : -1;
  const curvature = activation.moments.diagonalCurvature(Math.sqrt(a * b));
  return (s11) => sign * 0.5 * times(curvature, s11);
}

/** Cov(φ_aφ_b, φ_aφ_b), Cov(φ_a², φ_aφ_b), Cov(φ_aφ_b, φ_b²), Cov(φ_a², φ_b²). */
function pairVertex(
  activation: Activation,
  a: number,
  c: number,
  b: number,
  ga: number,
  g: number,
  gb: number,
): { c11: number; c21: number; c12: number; c22: number } {
  const { fourPoint } = activation.moments;
  const square = fourPoint(Float64Array.of(a, a, c, c, a, a, c, c, c, c, b, b, c, c, b, b));
  const cubeA = fourPoint(Float64Array.of(a, a, a, c, a, a, a, c, a, a, a, c, c, c, c, b));
  const cubeB = fourPoint(Float64Array.of(b, b, b, c, b, b, b, c, b, b, b, c, c, c, c, a));
  return { c11: square - g * g, c21: cubeA - ga * g, c12: cubeB - gb * g, c22: square - ga * gb };
}
