/** Ticks of a logarithmic axis: powers of ten, with 2 and 5 in between where there are fewer than three; none without a logarithm. */
export function logTicks(low: number, high: number): number[] {
  if (!(low > 0 && high >= low && high < Infinity)) return [];
  const within = (factors: readonly number[]): number[] => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const factor of factors) {
        const tick = Number((factor * 10 ** power).toPrecision(3));
        if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
      }
    return ticks;
  };
  const decades = within([1]);
  if (decades.length >= 3) return decades.length > 8 ? decades.filter((_, i) => i % Math.ceil(decades.length / 6) === 0) : decades;
  const more = within([1, 2, 5]);
  return more.length >= 3 ? more : within([1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]);
}

/**
 * Whether the label of each of some vertical lines stands on its left: on the side where the next line is farther, so that it is seen whose
 * it is; where it would leave the frame, 0 to `pixels`, on the other.
 */
export const leftOfLine = (lines: readonly { readonly at: number; readonly needed: number }[], pixels: number): boolean[] =>
  lines.map(({ at, needed }) => {
    const others = lines.map((other) => other.at).filter((place) => place !== at);
    const before = at - Math.max(0, ...others.filter((place) => place < at));
    const after = Math.min(pixels, ...others.filter((place) => place > at)) - at;
    return at < needed ? false : pixels - at < needed || before > after;
  });

/** Whether positions span at least a decade and are all positive: then an axis is logarithmic. */
export const spansDecade = (values: readonly number[]): boolean =>
  values.length > 1 && values.every((value) => value > 0) && Math.max(...values) / Math.min(...values) >= 10;

/** Ticks at the positions themselves while they have room, or undefined. */
export function ownTicks(values: readonly number[], room: number): readonly number[] | undefined {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  return distinct.length <= room ? distinct : undefined;
}

/**
 * Range of the values that carry a figure: the middle of all values, widened by as much again, cut where the values end. One value that is
 * off by orders of magnitude does not flatten the others; it is drawn at the edge.
 */
export function robustRange(values: readonly number[]): readonly [number, number] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return [0, 1];
  const quantile = (p: number): number => {
    const at = p * (sorted.length - 1);
    const [low, high] = [Math.floor(at), Math.ceil(at)];
    return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
  };
  const [from, to] = [quantile(0.1), quantile(0.9)];
  const reach = 1.5 * (to - from) || 0.1 * Math.abs(to) || 1;
  let [low, high] = [Math.max(sorted[0]!, from - reach), Math.min(sorted.at(-1)!, to + reach)];
  if (low === high) [low, high] = [low - 0.5 * (Math.abs(low) || 1), high + 0.5 * (Math.abs(high) || 1)];
  return [low, high];
}
