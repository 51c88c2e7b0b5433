import { complexExp, gammaFactor, logDensityOfLogProduct, mellinNodes, noncentralFactor, type Complex } from "@finitewidth/numerics";
import type { ScalarLaw } from "./law.js";

/** E[Ĝˡ | f, q] = kernel·K + outer·f fᵀ/q for one layer. */
export interface HiddenCoefficients {
  readonly kernel: number;
  readonly outer: number;
}

/**
 * Coefficients of every layer 1 … L given u = log q (and log p(u)). Dense layers: E[Ĝˡ] = (1 − 1/N_l) s_{l−1} E[Ĝ^{l−1}] + f M_l⁺ fᵀ/N_l
 * with E[q/M_l | u] by shifting the shapes of the factors below. With skips by Mellin inversion, see `throughSkips`. One density of log q,
 * `logDensityOfLogProduct`, for every layer. Source: docs/theories/exact.md, "Hidden kernels"; docs/theories/residual.md §4.
 */
export function hiddenCoefficients(law: ScalarLaw, u: number, logPrior: number): HiddenCoefficients[] {
  if (law.skips.some((skip) => skip !== undefined)) return throughSkips(law, u);
  let previous: HiddenCoefficients = { kernel: 1, outer: 0 };
  return law.widths.map((width, l) => {
    const keep = (1 - 1 / width) * (l === 0 ? 1 : law.variances[l - 1]!);
    previous = { kernel: keep * previous.kernel, outer: keep * previous.outer + meanPartialProduct(law, l, u, logPrior) / width };
    return previous;
  });
}

/** E[Π_{k<l} q_k | u] for a 0-based layer l of dense layers: Π s_k · p(u; a_k + 1 for k < l)/p(u; a), given log p(u). */
function meanPartialProduct({ widths, variances }: ScalarLaw, layer: number, u: number, logPrior: number): number {
  if (layer === 0) return 1;
  let shift = 0;
  let scale = 1;
  const counts = new Map<number, number>();
  for (const [k, n] of widths.entries()) {
    const shape = k < layer ? n / 2 + 1 : n / 2;
    // rate N/2s: the mean is shape times its inverse
    shift += Math.log((shape * 2 * variances[k]!) / n);
    if (k < layer) scale *= variances[k]!;
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  const factors = Array.from(counts, ([shape, count]) => ({ factor: gammaFactor(shape, 1), count }));
  return scale * Math.exp(logDensityOfLogProduct({ factors, shift }, u) - logPrior);
}

/** Entries of the matrix by which one layer multiplies (k, ψ, ξ) at a node: k ← κk, ψ ← x₁ξ + κψ + eξ, ξ ← x₁ξ; x₀ to leave it out. */
interface Transition {
  readonly x0: Complex;
  readonly x1: Complex;
  readonly kappa: Complex;
  readonly e: Complex;
}

const times = ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c];
const plus = (a: Complex, b: Complex): Complex => [a[0] + b[0], a[1] + b[1]];
const scaled = (factor: number, [a, b]: Complex): Complex => [factor * a, factor * b];

/** Transition from layer l to l + 1 at the nodes c + i t_k, in units of E x^c. */
function transitions(law: ScalarLaw, l: number, c: number, step: number, count: number): Transition[] {
  const [width, s, skip] = [law.widths[l]!, law.variances[l]!, law.skips[l]];
  const nodes = Array.from({ length: count }, (_, k) => k * step);
  if (skip === undefined) {
    const factor = gammaFactor(width / 2, s);
    const [low, high] = [factor.line(c), factor.line(c + 1)];
    const top = low.at(0)[0];
    const keep = ((law.widths[l + 1]! - 1) * s) / width;
    return nodes.map((t) => {
      const x0 = complexExp(plus(low.at(t), [-top, 0]));
      return { x0, x1: complexExp(plus(high.at(t), [-top, 0])), kappa: scaled(keep, x0), e: [0, 0] };
    });
  }
  const square = skip * skip;
  if (s === 0)
    return nodes.map((t) => {
      const x0 = complexExp([0, t * Math.log(square)]);
      return { x0, x1: scaled(square, x0), kappa: scaled(square, x0), e: scaled(-square, x0) };
    });
  const factor = noncentralFactor(width, skip, Math.sqrt(s));
  const [low, high] = [factor.line(c), factor.line(c + 1)];
  const top = low.at(0)[0];
  return nodes.map((t) => {
    const { plain, weighted } = low.pair(t);
    const x0 = complexExp(plus(plain, [-top, 0]));
    // E[x^z s²/(N − 1)], s² the share of the new vector outside the old one
    const g: Complex = width > 1 ? complexExp(plus(weighted, [-top, 0])) : [0, 0];
    return {
      x0,
      x1: complexExp(plus(high.at(t), [-top, 0])),
      kappa: plus(scaled(square + s * (1 - 1 / width), x0), scaled(-square, g)),
      e: scaled(-square, plus(x0, scaled(-width, g))),
    };
  });
}

/**
 * E[k_l | u] and E[ψ_l | u] of E[Ĝˡ | f, q, factors] = (k_l K + ψ_l f fᵀ/q)/N_l: Mellin inversions of the product of the transition
 * matrices below l and the transforms of the factors above, over p(u). O(nodes × (layers + terms of the distinct layers)).
 */
function throughSkips(law: ScalarLaw, u: number): HiddenCoefficients[] {
  const { c, step, count } = mellinNodes(law.product, u);
  const depth = law.widths.length;
  const known = new Map<string, Transition[]>();
  const layers = Array.from({ length: depth - 1 }, (_, l) => {
    const key = `${law.widths[l]} ${law.variances[l]} ${law.skips[l]} ${law.widths[l + 1]}`;
    if (!known.has(key)) known.set(key, transitions(law, l, c, step, count));
    return known.get(key)!;
  });
  const readout = gammaFactor(law.widths[depth - 1]! / 2, law.variances[depth - 1]!).line(c);
  const top = readout.at(0)[0];
  const sums = Array.from({ length: depth }, () => ({ kernel: 0, outer: 0 }));
  let density = 0;
  for (let node = 0; node < count; node++) {
    const t = node * step;
    const half = node === 0 ? 0.5 : 1;
    // above[l]: transforms of the factors of layers l … L, and e^{−zu}
    const above: Complex[] = [complexExp(plus(readout.at(t), [-top, -t * u]))];
    for (let l = depth - 2; l >= 0; l--) above.unshift(times(above[0]!, layers[l]![node]!.x0));
    density += half * above[0]![0];
    let [k, psi, xi]: Complex[] = [
      [law.widths[0]! - 1, 0],
      [1, 0],
      [1, 0],
    ];
    for (let l = 0; l < depth; l++) {
      if (l > 0) {
        const { x1, kappa, e } = layers[l - 1]![node]!;
        const moved = times(x1, xi!);
        [k, psi, xi] = [times(kappa, k!), plus(plus(moved, times(kappa, psi!)), times(e, xi!)), moved];
      }
      sums[l]!.kernel += half * times(above[l]!, k!)[0];
      sums[l]!.outer += half * times(above[l]!, psi!)[0];
    }
  }
  return sums.map(({ kernel, outer }, l) => ({ kernel: kernel / (density * law.widths[l]!), outer: outer / (density * law.widths[l]!) }));
}
