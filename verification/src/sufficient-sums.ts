import type { Observable, TermAverages } from "@finitewidth/core";

/**
 * Weighted sums over sampled networks of one chunk, from which every observable follows. Weights are likelihoods of the targets given the
 * sampled readout kernel (1 for prior questions), stored relative to exp(logScale).
 */
export interface SufficientSums {
  readonly samples: number;
  readonly logScale: number;
  /** Σ w, and Σ w² for the effective sample size. */
  readonly weight: number;
  readonly weightSquared: number;
  /** Σ w·term, by name. */
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
  /** Of the standard errors: chunks less one; left out where they are known as well as makes no difference. */
  readonly degreesOfFreedom?: number;
}

/** Estimate of an observable with a jackknife standard error over the chunks (at least 20 of them). O(chunks² · entries) at most. */
export function estimate(chunks: readonly SufficientSums[], observable: Observable, points: number, layer = 0): Estimate {
  const evaluate = (sums: SufficientSums): Float64Array => observable.value(averagesOf(sums), points, layer);
  const total = combineSums(chunks);
  const value = evaluate(total);
  const count = chunks.length;
  const mean = new Float64Array(value.length);
  const squares = new Float64Array(value.length);
  for (const chunk of chunks) {
    const without = evaluate(subtract(total, chunk));
    for (let i = 0; i < value.length; i++) {
      const deviation = without[i]! - value[i]!;
      mean[i]! += deviation / count;
      squares[i]! += deviation * deviation;
    }
  }
  const standardError = squares.map((sum, i) => Math.sqrt(((count - 1) / count) * Math.max(0, sum - count * mean[i]! ** 2)));
  return { value, standardError, effectiveSamples: total.weight ** 2 / total.weightSquared, degreesOfFreedom: count - 1 };
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

function averagesOf({ samples, logScale, weight, sums }: SufficientSums): TermAverages {
  return {
    of(term) {
      const values = sums[term];
      if (values === undefined) throw new Error(`the term "${term}" was not sampled`);
      return values.map((value) => value / weight);
    },
    logMeanWeight: logScale + Math.log(weight / samples),
  };
}

/** Terms of one draw, added with weight w. */
export function accumulate(sums: Record<string, Float64Array>, terms: Readonly<Record<string, Float64Array>>, weight: number): void {
  for (const [key, values] of Object.entries(terms)) {
    const total = (sums[key] ??= new Float64Array(values.length));
    for (let i = 0; i < values.length; i++) total[i]! += weight * values[i]!;
  }
}
