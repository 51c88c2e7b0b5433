import { newtonRoot } from "@finitewidth/numerics";

/** Rate function of one eigenvalue of the mixing matrix with its derivatives. */
export interface OutputRate {
  /** φ(x). */
  readonly value: number;
  /** φ′ = λ/2. */
  readonly slope: number;
  /** φ″ = ½/Σ_l A_l, A_l = d log x_l/dλ: 1/(n_l + λ) for a dense layer. */
  readonly curvature: number;
  /** φ‴. */
  readonly third: number;
  /** λ. */
  readonly multiplier: number;
  /** What each layer contributes to q = e^x in units of its variance: 1 + λ/n_l for a dense layer, w_l(1 + k_l w_l) for one with a skip. */
  readonly layerFactors: Float64Array;
  /** Σ_l log P_l with Π P_l^{−½} the prefactor of Laplace's approximation of the moments of the layers, and its derivative in λ. */
  readonly logPrefactor: number;
  readonly prefactorSlope: number;
}

/** One layer at a multiplier λ, with v = w − 1 and the logarithms as they do not cancel. */
interface LayerAt {
  readonly rate: number;
  readonly logFactor: number;
  readonly slope: number;
  readonly slopeDerivative: number;
  readonly logPrefactor: number;
  readonly prefactorSlope: number;
}

/**
 * φ(x) = ½ min { Σ_l n_l [w_l − 1 − log w_l + k_l (w_l − 1)²] : Σ log w_l(1 + k_l w_l) = x }: rate at which the mixing variable of a linear
 * network is e^x, in units of a reference width N, with n_l = N_l/N, k_l = α_l²/β_l² of a layer that skips (0 for a dense one, w = e^t) and
 * unit variances (β_l² = 1). The minimiser has n_l (w_l − 1)(1 + k_l w_l) = λ for all l. Solved in y with λ = n_min (e^y − 1), which keeps
 * 1 + λ/n_min = e^y exact for very negative x. O(L) a step of the root search. Source: docs/theories/large-deviation.md §1,
 * docs/theories/residual.md §5.
 */
export function outputRate(x: number, ratios: ArrayLike<number>, skips: ArrayLike<number> = []): OutputRate {
  const { y, least } = multiplierRoot(x, ratios, skips);
  const layers = Array.from(ratios, (n, l) => layerAt(n, skips[l] ?? 0, least, y));
  const multiplier = least * Math.expm1(y);
  const total = sumOver(layers, (layer) => layer.slope);
  return {
    value: sumOver(layers, (layer) => layer.rate),
    slope: multiplier / 2,
    curvature: 0.5 / total,
    third: (-0.5 * sumOver(layers, (layer) => layer.slopeDerivative)) / total ** 3,
    multiplier,
    layerFactors: Float64Array.from(layers, (layer) => Math.exp(layer.logFactor)),
    logPrefactor: sumOver(layers, (layer) => layer.logPrefactor),
    prefactorSlope: sumOver(layers, (layer) => layer.prefactorSlope),
  };
}

/** φ′ alone, for scans: O(1) for dense layers of equal widths. */
export function outputRateSlope(x: number, ratios: ArrayLike<number>, skips: ArrayLike<number> = []): number {
  const { y, least } = multiplierRoot(x, ratios, skips);
  return 0.5 * least * Math.expm1(y);
}

/** y with λ = n_min (e^y − 1). */
function multiplierRoot(x: number, ratios: ArrayLike<number>, skips: ArrayLike<number>): { readonly y: number; readonly least: number } {
  const count = ratios.length;
  let [least, equal, rest] = [Infinity, true, 0];
  for (let l = 0; l < count; l++) {
    const skip = skips[l] ?? 0;
    least = Math.min(least, ratios[l]!);
    equal &&= skip === 0 && ratios[l] === ratios[0];
    rest += Math.log1p(skip);
  }
  if (equal) return { y: x / count, least };
  const distance = (y: number): { readonly value: number; readonly slope: number } => {
    let [value, slope] = [-x, 0];
    for (let l = 0; l < count; l++) {
      const layer = layerAt(ratios[l]!, skips[l] ?? 0, least, y);
      value += layer.logFactor;
      slope += layer.slope;
    }
    return { value, slope: least * Math.exp(y) * slope };
  };
  return { y: newtonRoot(distance, Math.min(x - rest, 0), Math.max(x - rest, 0), { tolerance: 1e-16 }).root, least };
}

const sumOver = (layers: readonly LayerAt[], of: (layer: LayerAt) => number): number => layers.reduce((all, layer) => all + of(layer), 0);

function layerAt(n: number, k: number, least: number, y: number): LayerAt {
  const multiplier = least * Math.expm1(y);
  // n + λ and log(1 + λ/n) without cancellation
  const shifted = least * Math.exp(y) + (n - least);
  if (k === 0) {
    const t = n === least ? y : Math.log1p(multiplier / n);
    return {
      rate: 0.5 * rateTerm(n, multiplier, t),
      logFactor: t,
      slope: 1 / shifted,
      slopeDerivative: -1 / (shifted * shifted),
      logPrefactor: t,
      prefactorSlope: 1 / shifted,
    };
  }
  const root = Math.sqrt((1 + k) ** 2 + (4 * k * multiplier) / n);
  // w − 1 from its own equation, w itself from the other one where it is small
  const v = (2 * multiplier) / n / (1 + k + root);
  const w = k < 1 && v < -0.5 ? (2 * shifted) / n / (1 - k + root) : 1 + v;
  const logW = v < -0.5 ? Math.log(w) : Math.log1p(v);
  // n (1 − k + 2kw) = dλ/dw
  const bend = 1 - k + 2 * k * w;
  const step = 1 / (n * bend);
  const slope = ((1 + 2 * k * w) / (w * (1 + k * w))) * step;
  return {
    rate: 0.5 * (rateTerm(n, n * v, logW) + n * k * v * v),
    logFactor: logW + Math.log1p(k * w),
    slope,
    slopeDerivative: slope * step * ((2 * k) / (1 + 2 * k * w) - 1 / w - k / (1 + k * w) - (2 * k) / bend),
    logPrefactor: logW + Math.log(bend / (1 + k * w)),
    prefactorSlope: step * (1 / w + (2 * k) / bend - k / (1 + k * w)),
  };
}

/** n(e^t − 1 − t) with n(e^t − 1) = λ; a series near t = 0, where the two terms cancel. */
function rateTerm(n: number, multiplier: number, t: number): number {
  if (Math.abs(t) > 0.02) return multiplier - n * t;
  return n * t * t * (1 / 2 + t * (1 / 6 + t * (1 / 24 + t * (1 / 120 + t * (1 / 720 + t * (1 / 5040 + t / 40320))))));
}
