import { inputError, type Matrix } from "@finitewidth/core";
import { multiplyTransposedLeft } from "@finitewidth/linalg";
import { projectTargets, rankWarnings, requireInRange, spanConstant, spectrumOf, type Spectrum } from "@finitewidth/numerics";

/** Training data in the eigenbasis of K, biases beyond the first layer included: what the posteriors of any number of outputs work on. */
export interface SpectralProblem {
  readonly spectrum: Spectrum;
  /** Ŷ: r × D. */
  readonly targets: Matrix;
  /** P − r. */
  readonly nullity: number;
  /** |Y_⊥|². */
  readonly residualSquare: number;
  readonly temperature: number;
  /** o = Vᵀ1: r. */
  readonly ones: Float64Array;
  /** Variance of the readout bias that is still random. */
  readonly readoutBias: number;
  /**
   * At T = 0 a readout bias outside the range of K is fixed by the targets: its D values, which `targets` no longer contain, and the log
   * density they contribute.
   */
  readonly pinned?: { readonly bias: Float64Array; readonly logDensity: number };
  readonly warnings: readonly string[];
}

/** Biases beyond the first layer (whose bias belongs to the kernel). */
export interface LaterBiases {
  /** σ_b²(L+1). */
  readonly readout: number;
  /** Whether a layer 2 … L has one. */
  readonly hidden: boolean;
}

/**
 * Diagonalises K and projects the targets (P × D). At T = 0 the targets must lie in the range of K (and of the constant vector, with a
 * readout bias), and the evidence is a density on that range. O(P³), or O(P r²) for a kernel of low rank and T > 0.
 * `path` names the targets in errors.
 * @throws FinitewidthError (code "input"/"shape") naming the field; "not-positive-definite" for an indefinite kernel.
 */
export function spectralProblem(
  kernel: Matrix,
  targets: Matrix,
  temperature: number,
  biases: LaterBiases = { readout: 0, hidden: false },
  path = "targets",
): SpectralProblem {
  requireParameters(temperature, biases.readout);
  return projectOn(spectrumOf(kernel, { lowRank: temperature > 0 }), targets, temperature, biases, path);
}

/** @throws FinitewidthError (code "input") unless T ≥ 0 and the variance of the readout bias is ≥ 0. */
export function requireParameters(temperature: number, readoutBias: number): void {
  if (!(temperature >= 0 && Number.isFinite(temperature))) throw inputError("likelihood.temperature", "a number ≥ 0", temperature);
  if (!(readoutBias >= 0 && Number.isFinite(readoutBias))) throw inputError("network.biasVariance", "a number ≥ 0", readoutBias);
}

/**
 * The problem of a kernel that is diagonalised already, like `spectralProblem` otherwise: O(P r D). @throws FinitewidthError (code
 * "input").
 */
export function projectOn(
  range: Spectrum,
  targets: Matrix,
  temperature: number,
  biases: LaterBiases = { readout: 0, hidden: false },
  path = "targets",
): SpectralProblem {
  requireParameters(temperature, biases.readout);
  const biased = biases.hidden || biases.readout > 0;
  const spectrum = biased ? spanConstant(range) : range;
  const y = projectTargets(spectrum, targets, path);
  const points = range.vectors.shape[0];
  const ones = multiplyTransposedLeft(spectrum.vectors, { data: new Float64Array(points).fill(1), shape: [points, 1] }).data;
  const common = { nullity: points - spectrum.values.length, residualSquare: y.residualSquare, temperature };
  if (temperature > 0) return { ...common, spectrum, targets: y.projected, ones, readoutBias: biases.readout, warnings: [] };
  requireInRange(y, targets, path);
  const warnings = rankWarnings(spectrum.values.length, points);
  if (!(biased && spectrum.values[0] === 0))
    return { ...common, spectrum, targets: y.projected, ones, readoutBias: biases.readout, warnings };
  if (biases.hidden) {
    throw inputError(
      "likelihood.temperature",
      "a positive number for a network with biases in hidden layers 2 … L, unless the inputs (or a bias of layer 1) span the constant vector",
      temperature,
    );
  }
  return { ...common, ...pinBias(spectrum, y.projected, ones, biases.readout), warnings };
}

/** Solves for the readout bias along the constant direction (index 0 of the spectrum, κ = 0) and takes it out of the targets. */
function pinBias(
  spectrum: Spectrum,
  projected: Matrix,
  ones: Float64Array,
  variance: number,
): Pick<SpectralProblem, "spectrum" | "targets" | "ones" | "readoutBias" | "pinned"> {
  const [n, r] = spectrum.vectors.shape;
  const outputs = projected.shape[1];
  const bias = Float64Array.from({ length: outputs }, (_, a) => projected.data[a]! / ones[0]!);
  const logDensity = bias.reduce(
    (sum, value) => sum - 0.5 * (Math.log(2 * Math.PI * variance) + (value * value) / variance) - Math.log(Math.abs(ones[0]!)),
    0,
  );
  const targets: Matrix = {
    data: projected.data.slice(outputs).map((value, i) => value - ones[1 + Math.floor(i / outputs)]! * bias[i % outputs]!),
    shape: [r - 1, outputs],
  };
  const vectors = new Float64Array(n * (r - 1));
  for (let i = 0; i < n; i++) vectors.set(spectrum.vectors.data.subarray(i * r + 1, (i + 1) * r), i * (r - 1));
  return {
    spectrum: { values: spectrum.values.slice(1), vectors: { data: vectors, shape: [n, r - 1] } },
    targets,
    ones: ones.slice(1),
    readoutBias: 0,
    pinned: { bias, logDensity },
  };
}
