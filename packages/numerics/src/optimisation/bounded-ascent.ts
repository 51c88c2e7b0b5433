/** A point of a box that has been looked at. */
export interface BoundedPoint {
  readonly point: readonly number[];
  readonly value: number;
  /** Derivatives where they are known; differences are taken of the others. */
  readonly gradient?: readonly (number | null)[];
}

/** How a bounded maximisation ended. */
export interface BoundedMaximum extends BoundedPoint {
  readonly gradient: readonly number[];
  readonly converged: boolean;
  readonly iterations: number;
}

/** Settings of a bounded maximisation. */
export interface BoundedOptions {
  readonly lower: readonly number[];
  readonly upper: readonly number[];
  /** Step of central differences. @defaultValue 1e-3 */
  readonly step?: number;
  /** Stop when no coordinate moves by more. @defaultValue 1e-3 */
  readonly tolerance?: number;
  /** @defaultValue 40 */
  readonly maxIterations?: number;
}

const clamp = (value: number, lower: number, upper: number): number => Math.min(upper, Math.max(lower, value));

/**
 * Local maximum of an expensive function in a box, evaluated asynchronously: projected BFGS with backtracking; coordinates that press
 * against a bound are held there. Gradients as far as the function gives them, central differences (one-sided at a bound) for the rest. An
 * iteration evaluates the function once to eight times for the step and twice for every derivative that it does not give.
 */
export async function maximiseInBox(
  f: (point: readonly number[]) => Promise<BoundedPoint>,
  start: readonly number[],
  { lower, upper, step = 1e-3, tolerance = 1e-3, maxIterations = 40 }: BoundedOptions,
): Promise<BoundedMaximum> {
  const n = start.length;
  const inside = (point: readonly number[]): number[] => point.map((value, i) => clamp(value, lower[i]!, upper[i]!));
  const withGradient = async (at: BoundedPoint): Promise<{ readonly at: BoundedPoint; readonly gradient: number[] }> => {
    const gradient: number[] = [];
    for (let i = 0; i < n; i++) {
      const known = at.gradient?.[i];
      if (known !== undefined && known !== null) {
        gradient.push(known);
        continue;
      }
      const moved = (direction: number): number[] => inside(at.point.map((value, j) => (j === i ? value + direction * step : value)));
      const [up, down] = [moved(1), moved(-1)];
      const rise = (up[i] === at.point[i] ? at : await f(up)).value - (down[i] === at.point[i] ? at : await f(down)).value;
      gradient.push(rise / (up[i]! - down[i]!));
    }
    return { at, gradient };
  };
  let { at, gradient } = await withGradient(await f(inside(start)));
  let inverse = identityOf(n);
  let converged = false;
  let iterations = 0;
  for (; iterations < maxIterations && !converged; iterations++) {
    const free = gradient.map((slope, i) => !((at.point[i] === upper[i] && slope >= 0) || (at.point[i] === lower[i] && slope <= 0)));
    const slopes = gradient.map((slope, i) => (free[i] ? slope : 0));
    let direction = slopes.map((_, i) =>
      free[i] ? slopes.reduce((sum, slope, j) => sum + (free[j] ? inverse[i]![j]! * slope : 0), 0) : 0,
    );
    if (!(direction.reduce((sum, value, i) => sum + value * slopes[i]!, 0) > 0)) direction = slopes;
    const longest = Math.max(0, ...direction.map(Math.abs));
    if (longest === 0) {
      converged = true;
      break;
    }
    // at most one unit at once, a factor of e in logarithms
    let length = Math.min(1, 1 / longest);
    let next: BoundedPoint | undefined;
    for (let trial = 0; trial < 8 && !next; trial++, length /= 3) {
      const point = inside(at.point.map((value, i) => value + length * direction[i]!));
      if (point.every((value, i) => Math.abs(value - at.point[i]!) < 0.1 * tolerance)) break;
      const found = await f(point);
      const gain = point.reduce((sum, value, i) => sum + (value - at.point[i]!) * slopes[i]!, 0);
      if (found.value >= at.value + 1e-4 * gain) next = found;
    }
    if (!next) {
      converged = longest * Math.min(1, 1 / longest) < 10 * tolerance || iterations > 0;
      break;
    }
    const moved = await withGradient(next);
    const s = next.point.map((value, i) => value - at.point[i]!);
    const y = gradient.map((slope, i) => slope - moved.gradient[i]!);
    inverse = updated(inverse, s, y);
    converged = s.every((value) => Math.abs(value) < tolerance);
    ({ at, gradient } = moved);
  }
  return { ...at, gradient, converged, iterations };
}

const identityOf = (n: number): number[][] => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));

/** BFGS update of the inverse Hessian of −f; skipped without positive curvature. */
function updated(inverse: number[][], s: readonly number[], y: readonly number[]): number[][] {
  const sy = s.reduce((sum, value, i) => sum + value * y[i]!, 0);
  if (!(sy > 1e-12)) return inverse;
  const hy = inverse.map((row) => row.reduce((sum, value, j) => sum + value * y[j]!, 0));
  const yhy = hy.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return inverse.map((row, i) =>
    row.map((value, j) => value + ((1 + yhy / sy) * s[i]! * s[j]!) / sy - (hy[i]! * s[j]! + s[i]! * hy[j]!) / sy),
  );
}

/**
 * Maximum over integers of a unimodal function on a geometric scale, by golden sections until neighbours are within 5 % or one apart;
 * evaluates each integer once. At most two evaluations a section, which leaves 0.62 of the range of log n.
 */
export async function maximiseOverIntegers(
  f: (n: number) => Promise<number>,
  lower: number,
  upper: number,
): Promise<{ readonly point: number; readonly value: number }> {
  const known = new Map<number, number>();
  const at = async (n: number): Promise<number> => {
    if (!known.has(n)) known.set(n, await f(n));
    return known.get(n)!;
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  const between = (share: number, low: number, high: number): number =>
    Math.round(Math.exp(Math.log(low) + share * (Math.log(high) - Math.log(low))));
  let [low, high] = [lower, upper];
  while (high - low > 2 && high / low > 1.05) {
    const left = between(1 - golden, low, high);
    const right = Math.max(left + 1, between(golden, low, high));
    if ((await at(left)) < (await at(right))) low = left;
    else high = right;
  }
  for (let n = low; n <= high; n += Math.max(1, Math.round((high - low) / 2))) await at(n);
  await at(lower);
  await at(upper);
  const [point, value] = [...known].reduce((a, b) => (b[1] > a[1] ? b : a));
  return { point, value };
}
