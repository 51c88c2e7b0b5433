/** An estimate, and what it is with each independent unit left out. */
export interface LeftOut {
  readonly value: number;
  readonly left: readonly number[];
}

/**
 * plain − β(plain − full) of two estimates of the same number from the same units, without and with the whole of their control variates; β
 * is the regression coefficient of the leave-one-out values, which leaves the least jackknife error. Without `full`, or where it never
 * differs, the plain one. O(units).
 */
export function regressed(plain: LeftOut, full: LeftOut | undefined): LeftOut {
  if (!full) return plain;
  const gap = plain.left.map((value, g) => value - full.left[g]!);
  const centred = (values: readonly number[]): readonly number[] => {
    const centre = values.reduce((sum, value) => sum + value / values.length, 0);
    return values.map((value) => value - centre);
  };
  const [deviations, gaps] = [centred(plain.left), centred(gap)];
  const variance = gaps.reduce((sum, value) => sum + value * value, 0);
  const beta = deviations.reduce((sum, value, g) => sum + value * gaps[g]!, 0) / variance;
  if (!Number.isFinite(beta)) return plain;
  return { value: plain.value - beta * (plain.value - full.value), left: plain.left.map((value, g) => value - beta * gap[g]!) };
}
