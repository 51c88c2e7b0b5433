import { FinitewidthError, type Scaling } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";
import { outputRate, outputRateSlope, type OutputRate } from "./output-rate.js";
import { dataWeight } from "./spectral-data.js";

/** One output: eigenvalues κ_i of the kernel (variances of the layers absorbed), squares ŷ_i² of the targets, n_l = N_l/N. */
export interface ScalarRateProblem {
  readonly eigenvalues: Float64Array;
  readonly squares: Float64Array;
  readonly temperature: number;
  /** N_1 … N_L, real numbers allowed. */
  readonly widths: readonly number[];
  /** k_l = α²/β² of layers that skip. @defaultValue all 0 */
  readonly skips?: readonly number[];
  readonly referenceWidth: number;
  readonly scaling: Scaling;
}

/** A local minimum of J(u), u = log q. */
export interface ScalarMinimum {
  readonly logQ: number;
  readonly action: number;
  /** J″. */
  readonly curvature: number;
  readonly rate: OutputRate;
}

/** J, J′, J″ at u. */
export interface ActionValue {
  readonly action: number;
  readonly slope: number;
  readonly curvature: number;
  readonly rate: OutputRate;
}

/** J(u) = φ(u) + data: (1/2N) Σ [log v_i + ŷ_i²/v_i] in standard scaling, ½ Σ ŷ_i²/v_i in mean-field scaling, v_i = e^u κ_i + T. O(P). */
export function scalarRateAction(problem: ScalarRateProblem, u: number): ActionValue {
  const { eigenvalues, squares, temperature, widths, skips, referenceWidth, scaling } = problem;
  const { weight, logDeterminant } = dataWeight(scaling, referenceWidth);
  const rate = outputRate(
    u,
    widths.map((width) => width / referenceWidth),
    skips,
  );
  const q = Math.exp(u);
  let [value, slope, curvature] = [0, 0, 0];
  for (let i = 0; i < eigenvalues.length; i++) {
    const v = q * eigenvalues[i]! + temperature;
    const share = (q * eigenvalues[i]!) / v;
    const fit = squares[i]! / v;
    const bend = share * (1 - share);
    value += logDeterminant * Math.log(v) + fit;
    slope += share * (logDeterminant - fit);
    curvature += logDeterminant * bend - fit * (bend - share * share);
  }
  return {
    action: rate.value + 0.5 * weight * value,
    slope: rate.slope + 0.5 * weight * slope,
    curvature: rate.curvature + 0.5 * weight * curvature,
    rate,
  };
}

/** J′ alone: what the scan needs of the many points where nothing happens. O(P), without logarithms for layers of equal widths. */
function slopeAlong({
  eigenvalues,
  squares,
  temperature,
  widths,
  skips,
  referenceWidth,
  scaling,
}: ScalarRateProblem): (u: number) => number {
  const { weight, logDeterminant } = dataWeight(scaling, referenceWidth);
  const ratios = widths.map((width) => width / referenceWidth);
  return (u) => {
    const q = Math.exp(u);
    let slope = 0;
    for (let i = 0; i < eigenvalues.length; i++) {
      const scaled = q * eigenvalues[i]!;
      const v = scaled + temperature;
      slope += (scaled / v) * (logDeterminant - squares[i]! / v);
    }
    return outputRateSlope(u, ratios, skips) + 0.5 * weight * slope;
  };
}

const [scanStep, furthest] = [0.02, 690];

/**
 * All local minima of J, lowest first: J′ is scanned from u = −40 to 40 (further where it still points outwards) and every upward sign
 * change refined by Brent's method. Deep networks at high temperature can have two. @throws FinitewidthError (code "not-converged") when J
 * has no minimum (T = 0 with vanishing targets and P ≥ N). Cost: 4000 evaluations of O(P). Source: docs/theories/large-deviation.md §2.
 */
export function scalarRateMinima(problem: ScalarRateProblem): readonly [ScalarMinimum, ...ScalarMinimum[]] {
  const slope = slopeAlong(problem);
  let [left, right] = [-40, 40];
  while (!(slope(left) < 0) && left > -furthest) left -= 40;
  while (!(slope(right) > 0) && right < furthest) right += 40;
  const minima: ScalarMinimum[] = [];
  const steps = Math.round((right - left) / scanStep);
  let [previous, before] = [left, slope(left)];
  for (let k = 1; k <= steps; k++) {
    const u = left + ((right - left) * k) / steps;
    const here = slope(u);
    if (before < 0 && here >= 0) {
      const root = here === 0 ? u : brentRoot(slope, previous, u, { tolerance: 1e-15 }).root;
      const { action, curvature, rate } = scalarRateAction(problem, root);
      minima.push({ logQ: root, action, curvature, rate });
    }
    [previous, before] = [u, here];
  }
  const [first, ...rest] = minima.sort((a, b) => a.action - b.action);
  if (first === undefined)
    throw new FinitewidthError("[large-deviation] the action has no minimum: q runs to 0 because the targets vanish and T = 0; use T > 0", {
      code: "not-converged",
    });
  return [first, ...rest];
}

/** Leading corrections at finite N around the global minimum. */
export interface ScalarCorrections {
  /** c_u: E log q = u* + c_u/N + O(1/N²). */
  readonly meanLogQ: number;
  /** c_q: E q = q*(1 + c_q/N + …). */
  readonly meanQ: number;
  /** Laplace approximation of the log evidence, its O(1) terms included; error O(1/N). */
  readonly logEvidence: number;
}

/**
 * c_u = −J₁′/J″ − J‴/(2J″²), c_q = c_u + 1/(2J″), and log Z ≈ −N J + ½ log(φ″/J″) − ½ Σ log P_l − (r/2) log 2π, in mean-field
 * scaling + (r/2) log N − ½ Σ log v_i as well. J₁ = ½ Σ log P_l − ½ log φ″ [+ ½ Σ log v_i], P_l = 1 + λ/n_l of a dense layer. Source:
 * docs/theories/large-deviation.md §3.
 */
export function scalarRateCorrections(problem: ScalarRateProblem, minimum: ScalarMinimum): ScalarCorrections {
  const { eigenvalues, squares, temperature, referenceWidth: N, scaling } = problem;
  const { weight, logDeterminant } = dataWeight(scaling, N);
  const { logQ, action, curvature, rate } = minimum;
  const q = Math.exp(logQ);
  let [third, shares, logs] = [0, 0, 0];
  for (let i = 0; i < eigenvalues.length; i++) {
    const v = q * eigenvalues[i]! + temperature;
    const r = (q * eigenvalues[i]!) / v;
    const bend = r * (1 - r);
    third += logDeterminant * bend * (1 - 2 * r) - (squares[i]! / v) * (r ** 3 - 3 * r * bend + bend * (1 - 2 * r));
    shares += r;
    logs += Math.log(v);
  }
  // dλ/du = 2φ″
  const fluctuation =
    (scaling === "mean-field" ? 0.5 * shares : 0) + rate.prefactorSlope * rate.curvature - (0.5 * rate.third) / rate.curvature;
  const thirdDerivative = rate.third + 0.5 * weight * third;
  const meanLogQ = -fluctuation / curvature - thirdDerivative / (2 * curvature * curvature);
  const rank = eigenvalues.length;
  const constant = scaling === "mean-field" ? 0.5 * rank * Math.log(N / (2 * Math.PI)) - 0.5 * logs : -0.5 * rank * Math.log(2 * Math.PI);
  return {
    meanLogQ,
    meanQ: meanLogQ + 0.5 / curvature,
    logEvidence: -N * action + 0.5 * Math.log(rate.curvature / curvature) - 0.5 * rate.logPrefactor + constant,
  };
}
