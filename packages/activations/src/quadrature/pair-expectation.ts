import { rootDeterminant } from "../pair-geometry.js";
import type { ActivationFunction } from "./function.js";
import { gaussianRule } from "./gaussian-rule.js";

/**
 * E p(h1) q(h2) for (h1, h2) ~ N(0, [[a, c], [c, b]]), p and q derivatives of φ (or φ times a polynomial): outer rule over the larger
 * variance, inner rule over the other given it, so that correlation ±1 is an ordinary case. 10³–10⁵ evaluations, accurate to about 1e-15
 * of the root mean squares for analytic φ, 1e-10 at kinks. `even`: p(−x)q(−y) = p(x)q(y), which halves the work.
 */
export function pairExpectation(
  f: ActivationFunction,
  p: (h: number) => number,
  q: (h: number) => number,
  a: number,
  c: number,
  b: number,
  even: boolean,
): number {
  if (b > a) return pairExpectation(f, q, p, b, c, a, even);
  if (!(a > 0)) return p(0) * q(0);
  const ratio = c / a;
  const root = rootDeterminant(a, c, b);
  const rest = root * (root / a);
  const kinks = f.kinks ?? [];
  // the inner mean crosses a kink of q on a layer of width √rest/|ratio| around its image
  const layer = Math.sqrt(rest) / Math.abs(ratio);
  const breaks =
    ratio === 0 ? kinks : [...kinks, ...kinks.flatMap((kink) => [-6, -2, 0, 2, 6].map((offset) => kink / ratio + offset * layer))];
  const outer = gaussianRule(f, 0, a, breaks);
  const n = outer.nodes.length;
  const half = even && kinks.length === 0;
  let total = 0;
  const centred = gaussianRule(f, 0, rest);
  for (let i = half ? (n - 1) / 2 : 0; i < n; i++) {
    const x = outer.nodes[i]!;
    const weight = outer.weights[i]! * (half && 2 * i !== n - 1 ? 2 : 1);
    if (weight < 1e-18) continue;
    const mean = ratio * x;
    const inner = centred.shiftable ? centred : gaussianRule(f, mean, rest);
    const shift = centred.shiftable ? mean : 0;
    let sum = 0;
    for (let j = 0; j < inner.nodes.length; j++) {
      const w = inner.weights[j]!;
      if (w * weight > 1e-19) sum += w * q(shift + inner.nodes[j]!);
    }
    total += weight * p(x) * sum;
  }
  return total;
}
