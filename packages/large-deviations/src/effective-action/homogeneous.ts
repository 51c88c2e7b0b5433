import { FinitewidthError } from "@finitewidth/core";
import { newtonRoot } from "@finitewidth/numerics";
import { hasHiddenBias, type Closure } from "./deep-problem.js";
import { scalarAction } from "./scalar-action.js";
import type { ScalarSpectrum } from "./scalar-problem.js";

/** Renormalised readout kernel R = (Π Q_l^{e_l}) σ_w² G^L: the whole recursion is one factor. */
export interface HomogeneousProblem {
  /** K^{L+1} without the readout bias, in its eigenbasis; its `width` is not used. */
  readonly spectrum: ScalarSpectrum;
  readonly widths: readonly number[];
  /** e_l. */
  readonly exponents: readonly number[];
}

/** A stationary point of the action: Q_1 … Q_L and 𝒜. */
export interface DeepMinimum {
  readonly orderParameters: Float64Array;
  readonly action: number;
}

/**
 * Exponents e_l of the renormalised kernel, or undefined when the recursion is not homogeneous. "product": 1. "nested" with
 * φ(ch) = c^g φ(h) and no biases in layers 2 … L: e_l = g^{L−l}, since a factor Q on R^l becomes Q^g on G(R^l).
 */
export function homogeneityExponents(
  closure: Closure,
  degree: number | undefined,
  biasVariance: readonly number[],
): readonly number[] | undefined {
  const depth = biasVariance.length - 1;
  if (closure === "product") return Array.from({ length: depth }, () => 1);
  if (closure === "affine" || degree === undefined || hasHiddenBias(biasVariance)) return undefined;
  return Array.from({ length: depth }, (_, l) => degree ** (depth - 1 - l));
}

/**
 * All minima of 𝒜 = Σ N_l(Q_l − log Q_l) + E(π), π = Π Q_l^{e_l}, E = log det A + yᵀA⁻¹y. At a stationary point N_l(Q_l − 1) = e_l λ, so
 * one unknown remains: λ + dE/d log π = 0. Scanned in u = log Q_j of the narrowest layer, refined by bracketed Newton. O(P) an evaluation.
 * `gradient` and `hessian` are those of 𝒜 in log Q_l.
 * @throws FinitewidthError (code "not-converged") when the order parameters are driven to 0 (T = 0, P ≥ N_l, targets that vanish).
 */
export function homogeneousMinima({ spectrum, widths, exponents }: HomogeneousProblem): {
  readonly minima: readonly [DeepMinimum, ...DeepMinimum[]];
  readonly gradient: (minimum: DeepMinimum) => Float64Array;
  readonly hessian: (minimum: DeepMinimum) => Float64Array;
  readonly iterations: number;
} {
  const { width } = spectrum;
  let pivot = 0;
  widths.forEach((n, l) => {
    if (exponents[l]! * widths[pivot]! > exponents[pivot]! * n) pivot = l;
  });
  const pivotRatio = widths[pivot]! / exponents[pivot]!;
  const ordersAt = (u: number): Float64Array => {
    const lambda = pivotRatio * Math.expm1(u);
    // The pivot itself without the cancellation of 1 + λ/N near Q = 0.
    return Float64Array.from(widths, (n, l) => (l === pivot ? Math.exp(u) : 1 + (exponents[l]! * lambda) / n));
  };
  const factor = (orders: Float64Array): number => orders.reduce((product, q, l) => product * q ** exponents[l]!, 1);
  /** dE/d log π and d²E/d log π² from the scalar action, whose S holds E/N. */
  const energy = (pi: number) => {
    const s = scalarAction(spectrum, pi);
    return { value: width * (s.value - pi + Math.log(pi)), first: width * (s.first - pi + 1), second: width * (s.second - pi) };
  };
  let iterations = 0;
  const balance = (u: number): { readonly value: number; readonly slope: number } => {
    iterations++;
    const orders = ordersAt(u);
    const { first, second } = energy(factor(orders));
    const growth = pivotRatio * Math.exp(u);
    let logSlope = 0;
    orders.forEach((q, l) => (logSlope += ((exponents[l]! * exponents[l]!) / widths[l]! / q) * growth));
    return { value: pivotRatio * Math.expm1(u) + first, slope: growth + second * logSlope };
  };
  const [lower, upper] = pivotBracket(spectrum, pivotRatio, (u) => balance(u).value);
  const points = 800;
  const found: DeepMinimum[] = [];
  const grid = Array.from({ length: points }, (_, i) => lower + ((upper - lower) * i) / (points - 1));
  const values = grid.map((u) => balance(u).value);
  for (let i = 0; i + 1 < points; i++) {
    const right = i + 2 === points ? Math.max(values[i + 1]!, Number.MIN_VALUE) : values[i + 1]!;
    if (!(values[i]! <= 0 && right > 0)) continue;
    const orderParameters = ordersAt(newtonRoot(balance, grid[i]!, grid[i + 1]!).root);
    let action = energy(factor(orderParameters)).value;
    orderParameters.forEach((q, l) => (action += widths[l]! * (q - Math.log(q))));
    found.push({ orderParameters, action });
  }
  found.sort((a, b) => a.action - b.action);
  const [first, ...rest] = found;
  if (first === undefined) throw new FinitewidthError("no minimum of the action was found in its bracket", { code: "not-converged" });
  const gradient = ({ orderParameters: Q }: DeepMinimum): Float64Array => {
    const slope = energy(factor(Q));
    return Q.map((q, l) => widths[l]! * (q - 1) + exponents[l]! * slope.first);
  };
  const hessian = ({ orderParameters: Q }: DeepMinimum): Float64Array => {
    const { second } = energy(factor(Q));
    return Float64Array.from({ length: Q.length ** 2 }, (_, at) => {
      const [i, j] = [Math.floor(at / Q.length), at % Q.length];
      return second * exponents[i]! * exponents[j]! + (i === j ? widths[i]! * Q[i]! : 0);
    });
  };
  return { minima: [first, ...rest], gradient, hessian, iterations };
}

/**
 * Interval of log Q_j of the pivot layer that contains every stationary point, N_j/e_j being `ratio`; the lower end is searched for at T =
 * 0.
 */
function pivotBracket(spectrum: ScalarSpectrum, ratio: number, balance: (u: number) => number): readonly [lower: number, upper: number] {
  const { temperature, eigenvalues: k, targets: z, rank } = spectrum;
  let data = 0;
  let trace = 0;
  k.forEach((value, i) => {
    data += temperature > 0 ? z[i]! ** 2 / (4 * temperature) : z[i]! ** 2 / value;
    trace += value;
  });
  const upper = Math.log1p((data + 1) / ratio);
  const floor = Math.max(temperature > 0 ? 1 / (1 + trace / (ratio * temperature)) : 0, rank < ratio ? 1 - rank / ratio : 0);
  if (floor > 0) return [Math.log(floor) - 1e-6, upper];
  let lower = Math.log(1e-3);
  while (balance(lower) > -1e-13 * ratio) {
    lower -= 2;
    if (lower < -280) {
      throw new FinitewidthError(
        "the action has no minimum: T = 0 and P ≥ N with targets that vanish drive the order parameters to 0; raise the temperature",
        { code: "not-converged" },
      );
    }
  }
  return [lower, upper];
}
