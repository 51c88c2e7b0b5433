/**
 * Shape k of the generalised Pareto law fitted to the largest importance weights (Zhang and Stephens 2009); above 0.7 averages are not to be
 * trusted. −∞ for fewer than 5 distinct tail weights.
 */
export function paretoShape(weights: Float64Array): number {
  const sorted = weights.toSorted();
  const n = sorted.length;
  const tail = Math.floor(Math.min(0.2 * n, 3 * Math.sqrt(n)));
  const threshold = sorted[n - tail - 1] ?? 0;
  const x = sorted.slice(n - tail).map((value) => value - threshold).filter((value) => value > 0);
  const m = x.length;
  if (m < 5) return -Infinity;
  const count = 20 + Math.floor(Math.sqrt(m));
  const scale = 3 * x[Math.floor(m / 4 + 0.5) - 1]!;
  const candidates = Array.from({ length: count }, (_, j) => 1 / x[m - 1]! + (1 - Math.sqrt(count / (j + 0.5))) / scale);
  const shapeAt = (b: number): number => x.reduce((sum, value) => sum + Math.log1p(-b * value), 0) / m;
  const profile = candidates.map((b) => m * (Math.log(-b / shapeAt(b)) - shapeAt(b) - 1));
  const posterior = profile.map((value) => 1 / profile.reduce((sum, other) => sum + Math.exp(other - value), 0));
  const mass = posterior.reduce((sum, value) => sum + value, 0);
  return shapeAt(candidates.reduce((sum, b, j) => sum + b * posterior[j]!, 0) / mass);
}

/** Split R̂ and effective sample size of one coordinate from several chains of equal length (Gelman et al., Bayesian Data Analysis, 11.4–11.5). */
export function splitDiagnostics(chains: readonly Float64Array[]): { readonly rHat: number; readonly effectiveSampleSize: number } {
  const half = Math.floor(chains[0]!.length / 2);
  const parts = chains.flatMap((chain) => [chain.subarray(0, half), chain.subarray(half, 2 * half)]);
  const m = parts.length;
  const means = parts.map((part) => part.reduce((sum, value) => sum + value, 0) / half);
  const grand = means.reduce((sum, value) => sum + value, 0) / m;
  const within = parts.reduce((sum, part, i) => sum + part.reduce((total, value) => total + (value - means[i]!) ** 2, 0) / (half - 1), 0) / m;
  const between = (half * means.reduce((sum, value) => sum + (value - grand) ** 2, 0)) / (m - 1);
  if (!(within > 0)) return { rHat: 1, effectiveSampleSize: m * half };
  const pooled = ((half - 1) / half) * within + between / half;
  const correlation = (lag: number): number => {
    let sum = 0;
    parts.forEach((part, i) => {
      for (let t = 0; t + lag < half; t++) sum += (part[t]! - means[i]!) * (part[t + lag]! - means[i]!);
    });
    return 1 - (within - sum / (m * (half - 1))) / pooled;
  };
  let time = 1;
  // Geyer's initial positive sequence: pairs of correlations are summed while they are positive
  for (let lag = 1; lag + 1 < half; lag += 2) {
    const pair = correlation(lag) + correlation(lag + 1);
    if (pair <= 0) break;
    time += 2 * pair;
  }
  return { rHat: Math.sqrt(pooled / within), effectiveSampleSize: (m * half) / time };
}
