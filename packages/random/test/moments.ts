/** Largest |z| of the sample means of xᵏ, k = 1 … 6, against `moments` (index k, up to k = 12), whose variances m_2k − m_k² are exact. */
export function momentScores(draws: Float64Array, moments: readonly number[]): number[] {
  return [1, 2, 3, 4, 5, 6].map((k) => {
    let sum = 0;
    for (const x of draws) sum += x ** k;
    const variance = moments[2 * k]! - moments[k]! ** 2;
    return (sum / draws.length - moments[k]!) / Math.sqrt(variance / draws.length);
  });
}

/** E xᵏ of N(0, 1), k = 0 … 12. */
export const normalMoments = [1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395];
/** E xᵏ of a uniform variable on [0, 1). */
export const uniformMoments = Array.from({ length: 13 }, (_, k) => 1 / (k + 1));
/** E xᵏ of a gamma variable of unit scale: a (a + 1) … (a + k − 1). */
export const gammaMoments = (shape: number): number[] => {
  const out = [1];
  for (let k = 0; k < 12; k++) out.push(out[k]! * (shape + k));
  return out;
};
