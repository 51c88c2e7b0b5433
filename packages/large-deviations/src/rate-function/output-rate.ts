import { newtonRoot } from "@finitewidth/numerics";

/** Rate function of one eigenvalue of the mixing matrix with its derivatives. */
export interface OutputRate {
  /** φ(x). */
  readonly value: number;
  /** φ′ = λ/2. */
  readonly slope: number;
  /** φ″ = ½/Σ_l 1/(n_l + λ). */
  readonly curvature: number;
  /** λ. */
  readonly multiplier: number;
  /** e^{t_l} = 1 + λ/n_l: what each layer contributes to q = e^x. */
  readonly layerFactors: Float64Array;
}

/**
 * φ(x) = ½ min { Σ_l n_l (e^{t_l} − t_l − 1) : Σ t_l = x }: rate at which the mixing variable of a deep linear network is e^x, in units of
 * a reference width N, with n_l = N_l/N and unit variances. The minimiser has n_l (e^{t_l} − 1) = λ for all l. Solved in w with
 * λ = n_min (e^w − 1), which keeps 1 + λ/n_min = e^w exact for very negative x. Source: docs/theories/large-deviation.md §1.
 */
export function outputRate(x: number, ratios: ArrayLike<number>): OutputRate {
  const n = Float64Array.from(ratios);
  const least = n.reduce((a, b) => Math.min(a, b), Infinity);
  const sum = (of: (nl: number) => number): number => n.reduce((all, nl) => all + of(nl), 0);
  // log(1 + λ/n_l) and n_l + λ without cancellation
  const logFactor = (nl: number, w: number): number => (nl === least ? w : Math.log1p((least * Math.expm1(w)) / nl));
  const shifted = (nl: number, w: number): number => least * Math.exp(w) + (nl - least);
  const equal = n.every((nl) => nl === least);
  const w = equal
    ? x / n.length
    : newtonRoot(
        (at) => ({ value: sum((nl) => logFactor(nl, at)) - x, slope: sum((nl) => (least * Math.exp(at)) / shifted(nl, at)) }),
        Math.min(x, 0),
        Math.max(x, 0),
        { tolerance: 1e-16 },
      ).root;
  const multiplier = least * Math.expm1(w);
  return {
    value: 0.5 * sum((nl) => rateTerm(nl, multiplier, logFactor(nl, w))),
    slope: multiplier / 2,
    curvature: 0.5 / sum((nl) => 1 / shifted(nl, w)),
    multiplier,
    layerFactors: n.map((nl) => Math.exp(logFactor(nl, w))),
  };
}

/** n(e^t − 1 − t) with n(e^t − 1) = λ; a series near t = 0, where the two terms cancel. */
function rateTerm(n: number, multiplier: number, t: number): number {
  if (Math.abs(t) > 0.02) return multiplier - n * t;
  return n * t * t * (1 / 2 + t * (1 / 6 + t * (1 / 24 + t * (1 / 120 + t * (1 / 720 + t * (1 / 5040 + t / 40320))))));
}
