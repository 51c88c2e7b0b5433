import { inputError } from "@finitewidth/core";
import { logGamma, newtonRoot } from "@finitewidth/numerics";
import type { MultiOutputSpectrum } from "./multi-output-problem.js";
import { biasAt } from "./scalar-action.js";
import { targetsOutOfReach } from "./scalar-posterior.js";

/** Nodes in u = log Q with normalised weights and the moments of ξ given Q. */
export interface MeanNodes {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
  /** E[ξ | Q], E[ξ² | Q]. */
  readonly xi: Float64Array;
  readonly xiSquare: Float64Array;
}
export interface MeanIntegral extends MeanNodes {
  readonly logEvidence: number;
  /** E Q, E ξ, E ξ². */
  readonly mean: number;
  readonly xiMean: number;
  readonly xiSquareMean: number;
  /** |log p(y)| difference to the rule with every other node. */
  readonly error: number;
}

/** Quantities at one Q, with the readout bias projected out: ⟨x, y⟩ = xᵀ(T + b11ᵀ + QK_c)⁻¹y. */
interface Slice {
  /** ½ log det(T + b11ᵀ + QK_c) + ½ min_ξ quadratic. */
  readonly base: number;
  /** The quadratic is base + ½ stiffness (ξ − centre)². */
  readonly stiffness: number;
  readonly centre: number;
}

function slice(problem: MultiOutputSpectrum, Q: number): Slice {
  const {
    eigenvalues: k,
    targets: { data: z },
    ones: w,
    temperature,
    biasVariance: b,
  } = problem;
  const m = problem.mean!;
  const bias = biasAt(problem, Q, m);
  let [logDeterminant, mm, mz] = [Math.log(bias.factor), 0, 0];
  for (let i = 0; i < k.length; i++) {
    const d = temperature + Q * k[i]!;
    const projected = (m[i]! - bias.mean * w[i]!) / d;
    logDeterminant += Math.log(d);
    mm += projected * m[i]!;
    mz += projected * z[i]!;
  }
  const centre = mm > 0 ? mz / mm : 0;
  const rest = z.map((value, i) => value - centre * m[i]!);
  const c = biasAt(problem, Q, rest).mean;
  let quadratic = b > 0 ? (c * c) / b : 0;
  for (let i = 0; i < k.length; i++) quadratic += (rest[i]! - c * w[i]!) ** 2 / (temperature + Q * k[i]!);
  return { base: 0.5 * (logDeterminant + quadratic), stiffness: mm, centre };
}

/**
 * log of E[exp(−½ stiffness (ξ − centre)²) | Q] and the moments of ξ under it; t = ξ/√(NQ) has density ∝ (1 − t²)^{(N−3)/2}, t = tanh s.
 */
function innerIntegral(
  { stiffness, centre }: Slice,
  Q: number,
  width: number,
): { readonly log: number; readonly xi: number; readonly xiSquare: number } {
  const radius = Math.sqrt(width * Q);
  const energy = (t: number): number => 0.5 * stiffness * (radius * t - centre) ** 2;
  if (width === 1) {
    const [a, b] = [-energy(-1), -energy(1)];
    const top = Math.max(a, b);
    const [ea, eb] = [Math.exp(a - top), Math.exp(b - top)];
    return { log: top + Math.log(0.5 * (ea + eb)), xi: (radius * (eb - ea)) / (ea + eb), xiSquare: radius * radius };
  }
  // Mode of −(N−1) log sech s + energy, a convex problem in t: its slope (N−1)t/(1−t²) + stiffness radius (radius t − centre)
  const slope = (s: number) => {
    const t = Math.tanh(s);
    const e = 1 / Math.cosh(s) ** 2;
    const force = stiffness * radius * (radius * t - centre);
    return { value: (width - 1) * t + e * force, slope: e * (width - 1 - 2 * t * force + e * stiffness * radius * radius) };
  };
  const mode = newtonRoot(slope, -350, 350, { start: Math.atanh(Math.min(Math.max(centre / radius, -0.99), 0.99)), tolerance: 1e-10 }).root;
  const cost = (s: number): number => (width - 1) * logCosh(s) + energy(Math.tanh(s));
  const lowest = cost(mode);
  const h = Math.min(0.2, 0.4 / Math.sqrt(Math.max(slope(mode).slope, 1e-300)));
  let [sum, first, second] = [0, 0, 0];
  for (const direction of [-1, 1]) {
    for (let j = direction === 1 ? 0 : 1; j < 100_000; j++) {
      const s = mode + direction * j * h;
      const excess = cost(s) - lowest;
      if (excess > 42) break;
      const weight = Math.exp(-excess);
      const xi = radius * Math.tanh(s);
      sum += weight;
      first += weight * xi;
      second += weight * xi * xi;
    }
  }
  // ∫ sech^{N−1} s ds = √π Γ((N−1)/2)/Γ(N/2)
  const normalisation = 0.5 * Math.log(Math.PI) + logGamma(0.5 * (width - 1)) - logGamma(0.5 * width);
  const xiSquare = second / sum;
  // targets far below the prior's scale tilt the weights of ±ξ by less than these resolve: first order in the tilt
  const xi = Math.abs(stiffness * centre) * radius < 1e-8 ? stiffness * centre * xiSquare : first / sum;
  return { log: Math.log(sum * h) - lowest - normalisation, xi, xiSquare };
}

const logCosh = (s: number): number => Math.abs(s) + Math.log1p(Math.exp(-2 * Math.abs(s))) - Math.LN2;

/**
 * Posterior of (ξ, Q) for one output and an activation with a mean, exact within the Gaussian equivalence: f | ξ, Q ~ N(ξm, Q K_c), NQ ~
 * χ²_N, ξ/√(NQ) one coordinate of a point on the N-sphere. Trapezoid rules in log Q (O(P) a node) and, at each node, in s =
 * artanh(ξ/√(NQ)), where the likelihood is quadratic (O(1) a node); both converge exponentially. `starts` are values of Q near the maxima,
 * e.g. the saddles'.
 * @throws FinitewidthError (code "input") without a mean, for D > 1 or N < 1; (code "not-converged") where the likelihood is not finite.
 */
export function meanIntegral(problem: MultiOutputSpectrum, starts: readonly number[]): MeanIntegral {
  const { width } = problem;
  if (!problem.mean || problem.targets.shape[1] !== 1)
    throw inputError("problem", "one output and an activation with a mean", "something else");
  if (width < 1 || (width > 1 && width < 1.5)) throw inputError("width", "1, or a number ≥ 1.5", width);
  const constant = 0.5 * width * Math.log(0.5 * width) - logGamma(0.5 * width) - 0.5 * problem.eigenvalues.length * Math.log(2 * Math.PI);
  const cache = new Map<number, { readonly log: number; readonly xi: number; readonly xiSquare: number }>();
  const at = (u: number) => {
    let value = cache.get(u);
    if (!value) {
      const Q = Math.exp(u);
      const s = slice(problem, Q);
      if (!Number.isFinite(s.base + s.stiffness)) throw targetsOutOfReach();
      const inner = innerIntegral(s, Q, width);
      value = { ...inner, log: constant + 0.5 * width * (u - Q) - s.base + inner.log };
      cache.set(u, value);
    }
    return value;
  };
  // Coarse grid outwards from the start until the density has fallen by e^45 on both sides
  const coarse = Math.min(0.25, 0.5 / Math.sqrt(width));
  const logs: { readonly u: number; readonly log: number }[] = [];
  let top = -Infinity;
  const probe = (u: number): number => {
    const { log } = at(u);
    top = Math.max(top, log);
    logs.push({ u, log });
    return log;
  };
  const origins = starts.map(Math.log);
  const [left, right] = [Math.min(...origins), Math.max(...origins)];
  for (const u of origins) probe(u);
  for (let u = left + coarse; u < right; u += coarse) probe(u);
  for (const [origin, direction] of [
    [left, -1],
    [right, 1],
  ] as const) {
    let beyond = 0;
    for (let j = 1; j < 4000 && beyond < 3; j++) beyond = probe(origin + direction * j * coarse) < top - 45 ? beyond + 1 : 0;
  }
  const inside = logs.filter(({ log }) => log > top - 45).map(({ u }) => u);
  const [low, high] = [Math.min(...inside) - coarse, Math.max(...inside) + coarse];
  // Finer until the estimate of the evidence stands still
  let intervals = 64;
  let previous = Number.NaN;
  for (;;) {
    const h = (high - low) / intervals;
    // a peak between the coarse points may be much higher than they are
    for (let i = 0; i <= intervals; i++) top = Math.max(top, at(low + i * h).log);
    let sum = 0;
    for (let i = 0; i <= intervals; i++) sum += Math.exp(at(low + i * h).log - top);
    const log = top + Math.log(sum * h);
    const error = Math.abs(log - previous);
    if (error < 1e-11 || intervals >= 4096)
      return collect(
        Array.from({ length: intervals + 1 }, (_, i) => low + i * h),
        at,
        top,
        log,
        Number.isFinite(error) ? error : 0,
      );
    previous = log;
    intervals *= 2;
  }
}

function collect(
  grid: readonly number[],
  at: (u: number) => { readonly log: number; readonly xi: number; readonly xiSquare: number },
  top: number,
  logEvidence: number,
  error: number,
): MeanIntegral {
  const values = grid.map(at);
  const raw = values.map(({ log }) => Math.exp(log - top));
  const total = raw.reduce((sum, value) => sum + value, 0);
  const weights = Float64Array.from(raw, (value) => value / total);
  const nodes = Float64Array.from(grid, Math.exp);
  const xi = Float64Array.from(values, (value) => value.xi);
  const xiSquare = Float64Array.from(values, (value) => value.xiSquare);
  const expectation = (x: Float64Array): number => x.reduce((sum, value, i) => sum + weights[i]! * value, 0);
  return {
    nodes,
    weights,
    xi,
    xiSquare,
    logEvidence,
    mean: expectation(nodes),
    xiMean: expectation(xi),
    xiSquareMean: expectation(xiSquare),
    error,
  };
}
