import { readFileSync } from "node:fs";
import { expect } from "vitest";

/**
 * Parsed fixture, e.g. `readFixture("deep-linear/prior-moments")`. Its shape is stated by the caller; fixtures are described in their own
 * `description`.
 */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../verification/fixtures/${name}.json`, import.meta.url), "utf8")) as T;
}

type Nested = number | readonly Nested[] | ArrayLike<number> | { readonly data: ArrayLike<number>; readonly shape: readonly number[] };

/** All numbers of a nested array, typed array or tensor, in row-major order. */
export function flatten(value: Nested): number[] {
  if (typeof value === "number") return [value];
  if ("shape" in value) return Array.from(value.data);
  return Array.from(value as ArrayLike<Nested>).flatMap(flatten);
}

interface NormalSource {
  normals(out: Float64Array): Float64Array;
}

/** rows × columns standard normals, the next ones of `source` in row-major order. */
export function normalMatrix(source: NormalSource, rows: number, columns: number) {
  return { data: source.normals(new Float64Array(rows * columns)), shape: [rows, columns] as const };
}

/** The same as nested lists. */
export const normalRows = (source: NormalSource, rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => [...source.normals(new Float64Array(columns))]);

/** |actual − expected| ≤ absolute + relative·|expected|, entry by entry; the failure names the worst entry. */
export function expectClose(
  actual: Nested,
  expected: Nested,
  tolerance: { readonly relative?: number; readonly absolute?: number },
  what = "value",
): void {
  const a = flatten(actual);
  const e = flatten(expected);
  expect(a.length, `${what}: number of entries`).toBe(e.length);
  let worst = -1;
  let excess = 0;
  for (let i = 0; i < e.length; i++) {
    const allowed = (tolerance.absolute ?? 0) + (tolerance.relative ?? 0) * Math.abs(e[i]!);
    const ratio = a[i] === e[i] ? 0 : Math.abs(a[i]! - e[i]!) / allowed;
    if (!(ratio <= 1) && !(ratio <= excess)) {
      worst = i;
      excess = ratio;
    }
  }
  if (worst >= 0) expect.fail(`${what}[${worst}]: expected ${e[worst]} got ${a[worst]} (${excess.toPrecision(3)} × the tolerance)`);
}

/** |actual − estimate| ≤ z·standardError, entry by entry. */
export function expectWithinStandardErrors(actual: Nested, estimate: Nested, standardError: Nested, z: number, what = "value"): void {
  const a = flatten(actual);
  const e = flatten(estimate);
  const s = flatten(standardError);
  expect(a.length, `${what}: number of entries`).toBe(e.length);
  for (let i = 0; i < e.length; i++) {
    const score = Math.abs(a[i]! - e[i]!) / s[i]!;
    if (!(score <= z)) expect.fail(`${what}[${i}]: |z| = ${score.toPrecision(3)} > ${z} (${a[i]} against ${e[i]} ± ${s[i]})`);
  }
}

/** Geometry of a layer as fixtures have it: always explicit padding, which may wrap around. */
export interface FixtureGeometry {
  readonly size: number[];
  readonly kernel: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly dilation: number[];
  readonly mode: "zero" | "circular";
}

/** A linear convolutional network as fixtures state it. */
export interface ConvolutionFixture {
  readonly readout: "dense" | "gap";
  readonly layers: readonly FixtureGeometry[];
  readonly channels: number[];
  readonly variances: number[];
  /** Points × channels × pixels. */
  readonly X: number[][][];
}

/** The network of a fixture as an experiment file has it. */
export const convolutionOf = ({ readout, layers, channels, variances, X }: ConvolutionFixture) => ({
  type: "convolutional" as const,
  inputShape: [X[0]!.length, ...layers[0]!.size],
  layers: layers.map((layer, l) => ({
    channels: channels[l]!,
    kernelSize: layer.kernel,
    stride: layer.stride,
    padding: layer.mode === "circular" ? ("circular" as const) : layer.padding,
    dilation: layer.dilation,
  })),
  readout: readout === "gap" ? ("global-average" as const) : ("flatten" as const),
  activation: "identity",
  weightVariance: variances,
  biasVariance: variances.map(() => 0),
});
