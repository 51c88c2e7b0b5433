import type { SpectralProblem } from "../spectrum/problem.js";

/**
 * Training data of one output in the eigenbasis of K: y | q ~ N(0, q K + b 11ᵀ + T). Directions that K does not span are summed up in
 * `nullity` and `residualSquare`; a constant vector outside the range of K is a direction of its own with κ = 0 (see `spanConstant`).
 */
export interface ScalarData {
  /** κ_i ≥ 0: r entries. */
  readonly values: Float64Array;
  /** ŷ = Vᵀy. */
  readonly targets: Float64Array;
  /** P − r. */
  readonly nullity: number;
  /** |y_⊥|². */
  readonly residualSquare: number;
  readonly temperature: number;
  /** b: variance of a bias of the output. */
  readonly readoutBias: number;
  /** o = Vᵀ1; used when b > 0. */
  readonly ones: Float64Array;
}

/**
 * Σ = qK + b 11ᵀ + T at one q: log det Σ (2π included), yᵀΣ⁻¹y without |y_⊥|²/T, which no q changes and beside which the rest may lose its
 * digits, and for the bias oᵀC⁻¹o = w, its posterior variance S = b/(1 + wb) and mean given y.
 */
export interface ConditionalValues {
  readonly logDeterminant: number;
  readonly quadratic: number;
  readonly biasVariance: number;
  readonly biasMean: number;
}

/** Woodbury on the bias direction after the eigendecomposition: O(r). Source: docs/theories/exact.md, "Biases". */
export function conditionalValues(data: ScalarData, q: number): ConditionalValues {
  const { values, targets, nullity, temperature, readoutBias, ones } = data;
  let logDeterminant = (values.length + nullity) * Math.log(2 * Math.PI);
  let quadratic = 0;
  let w = 0;
  let u = 0;
  for (let i = 0; i < values.length; i++) {
    const variance = q * values[i]! + temperature;
    const target = targets[i]!;
    logDeterminant += Math.log(variance);
    quadratic += (target * target) / variance;
    if (readoutBias > 0) {
      w += (ones[i]! * ones[i]!) / variance;
      u += (ones[i]! * target) / variance;
    }
  }
  if (nullity > 0 && temperature > 0) logDeterminant += nullity * Math.log(temperature);
  else if (nullity > 0) logDeterminant -= nullity * Math.log(2 * Math.PI);
  if (readoutBias === 0) return { logDeterminant, quadratic, biasVariance: 0, biasMean: 0 };
  const biasVariance = readoutBias / (1 + w * readoutBias);
  const biasMean = biasVariance * u;
  // yᵀC⁻¹y − S u² would cancel where a constant of the targets is much larger than the noise
  quadratic = (biasMean * biasMean) / readoutBias;
  for (let i = 0; i < values.length; i++) quadratic += (targets[i]! - ones[i]! * biasMean) ** 2 / (q * values[i]! + temperature);
  return { logDeterminant: logDeterminant + Math.log1p(w * readoutBias), quadratic, biasVariance, biasMean };
}

/** log det(2πΣ) at q = 0, the least there is for T > 0: P log 2πT + log(1 + bP/T). */
export function leastLogDeterminant(data: ScalarData): number {
  const points = data.values.length + data.nullity;
  return points * Math.log(2 * Math.PI * data.temperature) + Math.log1p((data.readoutBias * points) / data.temperature);
}

/** The data of a problem with one output. */
export function scalarData(problem: SpectralProblem): ScalarData {
  const { spectrum, targets, nullity, residualSquare, temperature, readoutBias, ones } = problem;
  return { values: spectrum.values, targets: targets.data, nullity, residualSquare, temperature, readoutBias, ones };
}
