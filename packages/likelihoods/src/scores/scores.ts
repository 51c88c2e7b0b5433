import { inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";

/** How class probabilities did on labelled points. */
export interface ClassificationScores {
  /** Fraction of points whose most probable class (the first of equals) is theirs. */
  readonly accuracy: number;
  /** Mean of −log p of the true class; probabilities below 10⁻³⁰⁰ count as that. */
  readonly negativeLogLikelihood: number;
  /** Mean over points of Σ_c (p_c − Y_c)². */
  readonly brier: number;
  /** Σ_b |Σ_{i∈b} (correct − confidence)|/n over equal bins (k/B, (k+1)/B] of the winning probability. */
  readonly calibrationError: number;
  /** Standard errors over the points; that of the calibration error by the binomial variance of every bin. */
  readonly standardError: {
    readonly accuracy: number;
    readonly negativeLogLikelihood: number;
    readonly brier: number;
    readonly calibrationError: number;
  };
}

/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean winning probability; 0 in an empty bin. */
  readonly confidence: number;
  readonly accuracy: number;
  /** √(accuracy(1 − accuracy)/count) with one success and one failure added, so that it never vanishes. */
  readonly standardError: number;
}

const least = 1e-300;

function checked(probabilities: Matrix, labels: Int32Array): { readonly winners: Int32Array } {
  const [n, D] = probabilities.shape;
  if (labels.length !== n) throw shapeError("labels", `${n} of them, one per row of probabilities`, `${labels.length}`);
  if (n === 0) throw inputError("probabilities", "at least one row", []);
  const winners = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let c = 0; c < D; c++) {
      const p = probabilities.data[i * D + c]!;
      if (!(p >= 0 && p <= 1 + 1e-9)) throw inputError(`probabilities[${i}][${c}]`, "a number from 0 to 1", p);
      sum += p;
      if (p > probabilities.data[i * D + winners[i]!]!) winners[i] = c;
    }
    if (Math.abs(sum - 1) > 1e-6) throw inputError(`probabilities[${i}]`, "numbers that sum to 1", sum);
    if (!(labels[i]! >= 0 && labels[i]! < D)) throw inputError(`labels[${i}]`, `a class from 0 to ${D - 1}`, labels[i]);
  }
  return { winners };
}

/** Bins (k/B, (k+1)/B] of the winning probability. @throws FinitewidthError (code "input" or "shape"). */
export function reliability(probabilities: Matrix, labels: Int32Array, bins = 10): ReliabilityBin[] {
  const { winners } = checked(probabilities, labels);
  const D = probabilities.shape[1];
  const counts = new Float64Array(bins);
  const confidence = new Float64Array(bins);
  const correct = new Float64Array(bins);
  winners.forEach((winner, i) => {
    const p = probabilities.data[i * D + winner]!;
    const bin = Math.min(Math.max(Math.ceil(p * bins) - 1, 0), bins - 1);
    counts[bin]!++;
    confidence[bin]! += p;
    correct[bin]! += Number(winner === labels[i]);
  });
  return Array.from(counts, (count, k) => {
    const smooth = (correct[k]! + 1) / (count + 2);
    return {
      from: k / bins,
      to: (k + 1) / bins,
      count,
      confidence: count > 0 ? confidence[k]! / count : 0,
      accuracy: count > 0 ? correct[k]! / count : 0,
      standardError: Math.sqrt((smooth * (1 - smooth)) / Math.max(count, 1)),
    };
  });
}

/** Accuracy, negative log likelihood, Brier score and calibration error of M × D probabilities. @throws like `reliability`. O(M D). */
export function classificationScores(probabilities: Matrix, labels: Int32Array, bins = 10): ClassificationScores {
  const { winners } = checked(probabilities, labels);
  const [n, D] = probabilities.shape;
  const correct = Float64Array.from(winners, (winner, i) => Number(winner === labels[i]));
  const negative = new Float64Array(n);
  const brier = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    negative[i] = -Math.log(Math.max(probabilities.data[i * D + labels[i]!]!, least));
    for (let c = 0; c < D; c++) brier[i]! += (probabilities.data[i * D + c]! - Number(c === labels[i])) ** 2;
  }
  const diagram = reliability(probabilities, labels, bins);
  let [calibrationError, variance] = [0, 0];
  for (const { count, confidence, accuracy, standardError } of diagram) {
    calibrationError += (count / n) * Math.abs(accuracy - confidence);
    if (count > 0) variance += ((count / n) * standardError) ** 2;
  }
  const [a, l, b] = [correct, negative, brier].map(meanAndError) as [MeanAndError, MeanAndError, MeanAndError];
  return {
    accuracy: a.mean,
    negativeLogLikelihood: l.mean,
    brier: b.mean,
    calibrationError,
    standardError: { accuracy: a.error, negativeLogLikelihood: l.error, brier: b.error, calibrationError: Math.sqrt(variance) },
  };
}

interface MeanAndError {
  readonly mean: number;
  readonly error: number;
}

function meanAndError(values: Float64Array): MeanAndError {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const scatter = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: n > 1 ? Math.sqrt(scatter / (n - 1) / n) : 0 };
}

/** Counts of true class (row) against most probable class (column). @throws like `reliability`. */
export function confusionMatrix(probabilities: Matrix, labels: Int32Array): Matrix {
  const { winners } = checked(probabilities, labels);
  const D = probabilities.shape[1];
  const out = zeros(D, D);
  winners.forEach((winner, i) => out.data[labels[i]! * D + winner]!++);
  return out;
}

/** Points most confidently given to a wrong class, worst first. O(M (D + log M)). @throws like `reliability`. */
export function mostConfidentlyWrong(
  probabilities: Matrix,
  labels: Int32Array,
  count = 10,
): { readonly point: number; readonly label: number; readonly predicted: number; readonly probability: number }[] {
  const { winners } = checked(probabilities, labels);
  const D = probabilities.shape[1];
  return Array.from(winners, (predicted, point) => ({
    point,
    label: labels[point]!,
    predicted,
    probability: probabilities.data[point * D + predicted]!,
  }))
    .filter(({ label, predicted }) => label !== predicted)
    .toSorted((x, y) => y.probability - x.probability)
    .slice(0, count);
}
