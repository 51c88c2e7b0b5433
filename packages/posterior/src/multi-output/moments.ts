import { inputError, type Matrix } from "@finitewidth/core";
import { solve } from "@finitewidth/linalg";
import { logGamma } from "@finitewidth/numerics";

/** Widths N_1 … N_L and variances s_1 … s_L (σ_w² of layers 2 … L+1, default 1) of a deep linear network. */
export interface LinearChain {
  readonly widths: readonly number[];
  readonly variances?: readonly number[];
}

function check({ widths, variances }: LinearChain): { readonly widths: readonly number[]; readonly scale: number } {
  for (const [l, n] of widths.entries()) if (!(Number.isInteger(n) && n >= 1)) throw inputError(`widths[${l}]`, "a positive integer", n);
  if (variances !== undefined && variances.length !== widths.length)
    throw inputError("variances", `${widths.length} numbers, one per width`, variances);
  for (const [l, s] of (variances ?? []).entries())
    if (!(s > 0 && Number.isFinite(s))) throw inputError(`variances[${l}]`, "a positive number", s);
  return { widths, scale: (variances ?? []).reduce((product, s) => product * s, 1) };
}

const product = (widths: readonly number[], factor: (n: number) => number): number => widths.reduce((total, n) => total * factor(n), 1);

/**
 * Moments E q^k, k = 0 … order, of the mixing variable of one output: Π_l s_l^k Π_{j<k} (1 + 2j/N_l).
 * @throws FinitewidthError (code "input") for widths or variances that are not a network's. Source: docs/theories/exact.md, "Prior".
 */
export function scalarMixingMoments(chain: LinearChain, order: number): Float64Array {
  const { widths, scale } = check(chain);
  const out = new Float64Array(order + 1);
  out[0] = 1;
  for (let k = 1; k <= order; k++) out[k] = out[k - 1]! * scale * product(widths, (n) => 1 + (2 * (k - 1)) / n);
  return out;
}

/** Cumulants c_0 = 0, c_1 … from moments m_0 = 1, m_1 …: c_n = m_n − Σ_{j<n} C(n−1, j−1) c_j m_{n−j}. */
export function cumulantsFromMoments(moments: ArrayLike<number>): Float64Array {
  const out = new Float64Array(moments.length);
  for (let n = 1; n < moments.length; n++) {
    let value = moments[n]!;
    let binomial = 1;
    for (let j = 1; j < n; j++) {
      value -= binomial * out[j]! * moments[n - j]!;
      binomial = (binomial * (n - j)) / j;
    }
    out[n] = value;
  }
  return out;
}

/** Σ over pairings of `points` of the product of K at the pairs: (2k − 1)!! terms. */
export function sumOverPairings(kernel: Matrix, points: readonly number[]): number {
  const [first, ...others] = points;
  if (first === undefined) return 1;
  const n = kernel.shape[0];
  return others.reduce((sum, other, i) => sum + kernel.data[first * n + other]! * sumOverPairings(kernel, others.toSpliced(i, 1)), 0);
}

/**
 * E f_{μ1} … f_{μ2k} of one output at the listed points (0-based rows of K, P × P), or with `cumulant` their joint cumulant: E[q^k] (or the
 * k-th cumulant of q) times the sum over pairings of K; 0 for an odd number of points. (2k − 1)!! terms. Source: docs/theories/exact.md,
 * "Prior".
 */
export function outputMoment(
  chain: LinearChain,
  kernel: Matrix,
  points: readonly number[],
  options: { readonly cumulant?: boolean } = {},
): number {
  if (points.length % 2 === 1) return 0;
  const k = points.length / 2;
  const moments = scalarMixingMoments(chain, k);
  return (options.cumulant ? cumulantsFromMoments(moments) : moments)[k]! * sumOverPairings(kernel, points);
}

/**
 * E Q_ab Q_cd = alpha δ_ab δ_cd + beta (δ_ac δ_bd + δ_ad δ_bc): beta = (p − m)/3, alpha = (p + 2m)/3, p = Π(1 + 2/N), m = Π(1 − 1/N), times
 * Π s².
 */
export function mixingSecondMoment(chain: LinearChain): { readonly alpha: number; readonly beta: number } {
  const { widths, scale } = check(chain);
  const p = product(widths, (n) => 1 + 2 / n);
  const m = product(widths, (n) => 1 - 1 / n);
  return { alpha: (scale * scale * (p + 2 * m)) / 3, beta: (scale * scale * (p - m)) / 3 };
}

/** A factor of a fourth moment: output a (0-based) at point μ. */
export interface OutputAt {
  readonly output: number;
  readonly point: number;
}

/** E f_a(μ) f_b(ν) f_c(ρ) f_d(σ) of several outputs: Σ over the three pairings of E[Q Q] K K. */
export function outputFourthMoment(chain: LinearChain, kernel: Matrix, at: readonly [OutputAt, OutputAt, OutputAt, OutputAt]): number {
  const { alpha, beta } = mixingSecondMoment(chain);
  const n = kernel.shape[0];
  const same = (x: OutputAt, y: OutputAt): number => (x.output === y.output ? 1 : 0);
  const pair = (x: OutputAt, y: OutputAt, z: OutputAt, w: OutputAt): number =>
    (alpha * same(x, y) * same(z, w) + beta * (same(x, z) * same(y, w) + same(x, w) * same(y, z))) *
    kernel.data[x.point * n + y.point]! *
    kernel.data[z.point * n + w.point]!;
  const [a, b, c, d] = at;
  return pair(a, b, c, d) + pair(a, c, b, d) + pair(a, d, b, c);
}

/**
 * [E (tr Q)³, E tr Q tr Q², E tr Q³] for D outputs, from zonal polynomials: E C_λ(Q) = C_λ(I) Π_l (2/N_l)³ (N_l/2)_λ.
 * Source: docs/theories/exact.md, "Prior".
 */
export function mixingThirdTraces(chain: LinearChain, outputs: number): readonly [number, number, number] {
  const { widths, scale } = check(chain);
  const zonal: Matrix = { data: Float64Array.from([1, 6, 8, 9, 9, -18, 5, -15, 10], (c) => c / 15), shape: [3, 3] };
  const identityTraces = [outputs ** 3, outputs ** 2, outputs];
  const factors = [
    product(widths, (n) => (1 + 2 / n) * (1 + 4 / n)),
    product(widths, (n) => (1 + 2 / n) * (1 - 1 / n)),
    product(widths, (n) => (1 - 1 / n) * (1 - 2 / n)),
  ];
  const expected = Float64Array.from(
    factors,
    (factor, i) => factor * identityTraces.reduce((sum, trace, j) => sum + zonal.data[3 * i + j]! * trace, 0),
  );
  const [a, b, c] = solve(zonal, { data: expected, shape: [3, 1] }).data;
  return [scale ** 3 * a!, scale ** 3 * b!, scale ** 3 * c!];
}

/**
 * log E |Q|^power = Σ_l [D·power·log(2 s_l/N_l) + log Γ_D(N_l/2 + power) − log Γ_D(N_l/2)]; needs all N_l ≥ D and N_l/2 + power > (D −
 * 1)/2. O(L D).
 * @throws FinitewidthError (code "input") where the moment vanishes or diverges.
 */
export function logDeterminantMoment(chain: LinearChain, outputs: number, power: number): number {
  const { widths } = check(chain);
  return widths.reduce((sum, n, l) => {
    if (n < outputs) throw inputError(`widths[${l}]`, `at least ${outputs}, the number of outputs (det Q vanishes for narrower layers)`, n);
    if (!(n / 2 + power > (outputs - 1) / 2)) throw inputError("power", `more than ${(outputs - 1 - n) / 2} (the moment diverges)`, power);
    let value = outputs * power * Math.log((2 * (chain.variances?.[l] ?? 1)) / n);
    for (let i = 0; i < outputs; i++) value += logGamma((n - i) / 2 + power) - logGamma((n - i) / 2);
    return sum + value;
  }, 0);
}
