import type { FittedMethod, Matrix, Verdict } from "@finitewidth/core";
import { jackknifeError } from "@finitewidth/numerics";
import { decide, effectRule, rounding, squaredDistance, visibleErrors, worstStatus, type Comparison, type Rule } from "./judgement.js";
import { about, notChecked } from "./verdicts.js";

/** Ĝ¹ … Ĝ^L of every chain, layer by layer. */
type ChainKernels = readonly (readonly Float64Array[])[];

interface LayerVerdict {
  readonly status: Comparison["status"] | "unresolved";
  /** Frobenius distances with their errors: of the theory, of infinite width, and the norm. */
  readonly error: number;
  readonly standardError: number;
  readonly shift: number;
  readonly norm: number;
}

/** Root of a square that may be lost in its noise, and its error: d(√x) = dx/2√x, √dx at most. */
export function rootOf(square: number, standardError: number): { readonly value: number; readonly standardError: number } {
  const value = Math.sqrt(Math.max(square, 0));
  return { value, standardError: Math.min(standardError / (2 * value || Number.MIN_VALUE), Math.sqrt(standardError)) };
}

/**
 * With Ḡ the mean kernel over chains: d² = |Ḡ − G_theory|² and s² = |Ḡ − G_∞|², both by the U-statistic, and d² − (0.2 s)² with the
 * jackknife error of the difference decides. Unresolved where not even the truth could be confirmed and d² does not stand out of its noise.
 */
function judgeLayer(
  chains: readonly Float64Array[],
  controls: readonly (Float64Array | undefined)[],
  theory: Matrix,
  ownError: Matrix | undefined,
  unlearned: Matrix | undefined,
  rule: Rule,
): LayerVerdict {
  const size = theory.data.length;
  const distanceTo = (kernel: Float64Array) => squaredDistance(chains, controls, kernel);
  const distance = distanceTo(theory.data);
  // a sampled kernel is off by its own noise, which is no fault of it
  const own = ownError ? ownError.data.reduce((sum, error) => sum + error * error, 0) / size : 0;
  const norm = distanceTo(new Float64Array(size));
  const shift = unlearned && distanceTo(unlearned.data);
  // without a reference point, the norm is the yardstick
  const [yardstick, allowed] = shift ? [shift, effectRule.part ** 2] : [norm, rule.tolerance ** 2];
  const excess = distance.left.map((value, g) => value - allowed * yardstick.left[g]!);
  const excessError = Math.hypot(jackknifeError(excess), own);
  // without scatter, as at zero inputs, there is no other noise
  const floor = rounding ** 2 * norm.value;
  const status = decide(distance.value - own - allowed * yardstick.value, excessError, floor, chains.length, rule, true);
  const distanceError = Math.hypot(jackknifeError(distance.left), own);
  // whether the truth itself could be confirmed, or else the theory is seen to be off
  const decidable = decide(-allowed * yardstick.value, excessError, floor, chains.length, rule, true) === "confirmed";
  const resolved = decidable || distance.value - own > visibleErrors(chains.length, "distance") * distanceError;
  const root = rootOf((distance.value - own) * size, distanceError * size);
  return {
    status: status === "doubtful" && !resolved ? "unresolved" : status,
    error: root.value,
    standardError: root.standardError,
    shift: Math.sqrt(Math.max((shift ?? norm).value * size, 0)),
    norm: Math.sqrt(norm.value * size),
  };
}

/**
 * Hidden kernels against what the layers have learned: the Frobenius distance from the network's may be a fifth of the network's own
 * distance from infinite width, layer by layer; the worst layer counts. Unchecked where learning is too weak for this run to see.
 * `controls`: control variates of the first layer. O(chains L P²).
 */
export function judgeKernels(
  { hiddenKernels, hiddenKernelStandardErrors: own }: FittedMethod,
  chains: ChainKernels,
  unlearned: readonly Matrix[] | undefined,
  rule: Rule,
  controls: readonly (Float64Array | undefined)[] = [undefined],
): Verdict {
  const layers = hiddenKernels!.map((kernel, l) => {
    const sampled = chains.map((each) => each[l]!);
    return judgeLayer(sampled, l === 0 ? controls : [undefined], kernel, own?.[l], unlearned?.[l], rule);
  });
  const statuses = layers.flatMap(({ status }) => (status === "unresolved" ? [] : [status]));
  const ratio = ({ error, shift }: LayerVerdict): number => error / (shift || Number.MIN_VALUE);
  const worst = layers.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
  const { error, standardError, shift, norm } = worst;
  const layer = layers.indexOf(worst) + 1;
  const against = unlearned ? `where learning moved it by ${about(shift)}, norm ${about(norm)}` : `norm ${about(norm)}`;
  const how = `${chains.length} chains of the real network: kernel of layer ${layer} differs by ${about(error)} ± ${about(standardError)} in Frobenius norm, ${against}`;
  if (statuses.length < layers.length && !statuses.includes("contradicted"))
    return { ...notChecked(`${how}: too little is learned for so short a run to see`), error, standardError };
  return { status: worstStatus(statuses), error, standardError, how };
}
