import type { Estimand, Matrix, Tensor } from "@finitewidth/core";

/**
 * Weighted sums over sampled networks of one chunk, from which every estimand follows. Weights are likelihoods of the targets given the
 * sampled readout kernel (1 for prior questions), stored relative to exp(logScale).
 */
export interface SufficientSums {
  readonly samples: number;
  readonly logScale: number;
  /** Σ w, and Σ w² for the effective sample size. */
  readonly weight: number;
  readonly weightSquared: number;
  /** Σ w·quantity, by name. */
  readonly sums: Readonly<Record<string, Float64Array>>;
}

/** Sum of chunks with a common scale. */
export function combineSums(chunks: readonly SufficientSums[]): SufficientSums {
  const logScale = Math.max(...chunks.map((chunk) => chunk.logScale));
  const sums: Record<string, Float64Array> = {};
  let [samples, weight, weightSquared] = [0, 0, 0];
  for (const chunk of chunks) {
    const factor = Math.exp(chunk.logScale - logScale);
    samples += chunk.samples;
    weight += factor * chunk.weight;
    weightSquared += factor * factor * chunk.weightSquared;
    for (const [key, values] of Object.entries(chunk.sums)) {
      const total = (sums[key] ??= new Float64Array(values.length));
      for (let i = 0; i < values.length; i++) total[i]! += factor * values[i]!;
    }
  }
  return { samples, logScale, weight, weightSquared, sums };
}

/** An estimate with its standard error, entry by entry. */
export interface Estimate {
  readonly value: Float64Array;
  readonly standardError: Float64Array;
  /** Effective number of independent draws. */
  readonly effectiveSamples: number;
}

/** Estimate of an estimand with a jackknife standard error over the chunks (at least 20 of them). O(chunks² · entries) at most. */
export function estimate(chunks: readonly SufficientSums[], estimand: Estimand, points: number): Estimate {
  const total = combineSums(chunks);
  const value = evaluate(total, estimand, points);
  const count = chunks.length;
  const mean = new Float64Array(value.length);
  const squares = new Float64Array(value.length);
  for (const chunk of chunks) {
    const without = evaluate(subtract(total, chunk), estimand, points);
    for (let i = 0; i < value.length; i++) {
      const deviation = without[i]! - value[i]!;
      mean[i]! += deviation / count;
      squares[i]! += deviation * deviation;
    }
  }
  const standardError = squares.map((sum, i) => Math.sqrt(((count - 1) / count) * Math.max(0, sum - count * mean[i]! ** 2)));
  return { value, standardError, effectiveSamples: total.weight ** 2 / total.weightSquared };
}

function subtract(total: SufficientSums, chunk: SufficientSums): SufficientSums {
  const factor = Math.exp(chunk.logScale - total.logScale);
  return {
    samples: total.samples - chunk.samples,
    logScale: total.logScale,
    weight: total.weight - factor * chunk.weight,
    weightSquared: total.weightSquared - factor * factor * chunk.weightSquared,
    sums: Object.fromEntries(
      Object.entries(total.sums).map(([key, values]) => [key, values.map((value, i) => value - factor * (chunk.sums[key]?.[i] ?? 0))]),
    ),
  };
}

function evaluate(total: SufficientSums, { quantity, layer }: Estimand, points: number): Float64Array {
  const mean = (key: string): Float64Array => {
    const sums = total.sums[key];
    if (sums === undefined) throw new Error(`quantity "${key}" was not sampled`);
    return sums.map((value) => value / total.weight);
  };
  const variance = (prefix: string): Float64Array => {
    const first = mean(`${prefix}.mean`);
    return mean(`${prefix}.square`).map((value, i) => value - first[i]! ** 2);
  };
  const P = points;
  switch (quantity) {
    case "logEvidence":
      return Float64Array.of(total.logScale + Math.log(total.weight / total.samples));
    case "predictive.mean":
    case "train.mean":
      return mean(quantity);
    case "predictive.variance":
      return variance("predictive");
    case "train.variance":
      return variance("train");
    case "hiddenKernel":
      return mean(`hidden.${layer}`);
    case "secondMoment":
    case "kernelMean":
      return mean("kernel");
    case "excessKurtosis": {
      const [kernel, products] = [mean("kernel"), mean("kernelProducts")];
      return Float64Array.from({ length: P }, (_, a) => 3 * (products[((a * P + a) * P + a) * P + a]! / kernel[a * P + a]! ** 2 - 1));
    }
    case "kernelCovariance": {
      const [kernel, products] = [mean("kernel"), mean("kernelProducts")];
      return products.map((value, i) => value - kernel[Math.floor(i / (P * P))]! * kernel[i % (P * P)]!);
    }
    case "fourthMoment": {
      const products = mean("kernelProducts");
      const at = (a: number, b: number, c: number, d: number): number => products[((a * P + b) * P + c) * P + d]!;
      return Float64Array.from({ length: P ** 4 }, (_, i) => {
        const [a, b, c, d] = [Math.floor(i / P ** 3), Math.floor(i / P ** 2) % P, Math.floor(i / P) % P, i % P];
        return at(a, b, c, d) + at(a, c, b, d) + at(a, d, b, c);
      });
    }
  }
}

/** Matrices and tensors of one draw, added with weight w. */
export function accumulate(sums: Record<string, Float64Array>, key: string, values: Float64Array | Matrix | Tensor, weight: number): void {
  const data = values instanceof Float64Array ? values : values.data;
  const total = (sums[key] ??= new Float64Array(data.length));
  for (let i = 0; i < data.length; i++) total[i]! += weight * data[i]!;
}
