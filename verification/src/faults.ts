import { hiddenWidths, resolveArchitecture, type Network, type NetworkVariation, type Registry, type Scenario } from "@finitewidth/core";
import type { Comparison } from "./judge.js";

/** A deliberate mistake: the theory is asked about a slightly different network and must be found wrong by the same samples. */
export interface Fault {
  readonly name: string;
  /** "width" faults are expected to show only in quantities that depend on the width. */
  readonly kind: "width" | "variance";
  /** `depth`: number of hidden layers of weights. */
  variation(depth: number): NetworkVariation;
}

/**
 * The scenario with its network changed, and nothing else: in mean-field scaling a change of the last width N_L → N' would change what the
 * targets mean, so that variances of the readout and the temperature are multiplied by N'/N_L. Then infinite width is the lazy limit, as it
 * is in standard scaling.
 */
export function applyFault(fault: Fault, scenario: Scenario, registry: Registry): Scenario {
  const { network, scaling, temperature } = scenario.problem;
  const widths = (of: Network): readonly number[] => hiddenWidths(resolveArchitecture(registry, of));
  const model = registry.priorModel(network.type);
  const depth = widths(network).length;
  const changed = model.vary(network, fault.variation(depth), registry);
  if (scaling !== "mean-field") return { ...scenario, problem: { ...scenario.problem, network: changed } };
  const ratio = widths(changed).at(-1)! / widths(network).at(-1)!;
  const readout = (variance: number, layer: number): number => (layer === depth ? ratio * variance : variance);
  const kept = model.vary(changed, { weightVariance: readout, biasVariance: readout }, registry);
  return { ...scenario, problem: { ...scenario.problem, network: kept, temperature: ratio * temperature } };
}

/** The faults of the power check. */
export const faults: readonly Fault[] = [
  { name: "N → N − 1", kind: "width", variation: () => ({ width: (width) => Math.max(1, width - 1) }) },
  { name: "N → 2N", kind: "width", variation: () => ({ width: (width) => 2 * width }) },
  { name: "σ_w² → 1/σ_w²", kind: "variance", variation: () => ({ weightVariance: (variance) => 1 / variance }) },
  {
    name: "readout σ_w² → 1.5 σ_w²",
    kind: "variance",
    variation: (depth) => ({ weightVariance: (variance, layer) => (layer === depth ? 1.5 * variance : variance) }),
  },
];

/**
 * The fault of a theory that knows no finite width, taken from what it says at N and 2N: v + 2(v_2N − v) is its value at N → ∞ up to
 * O(1/N²), without a fit that would have to draw networks of so many units. A
 * theory at infinite width has no error of sampled corrections; that of the claim at 2N stands in for the noise of this difference.
 */
export const infiniteWidth = {
  name: "N → ∞",
  kind: "width",
  of: "N → 2N",
  comparison: (own: Comparison, doubled: Comparison): Comparison => ({
    ...doubled,
    claimed: own.claimed.map((value, i) => 2 * doubled.claimed[i]! - value),
  }),
} as const;
