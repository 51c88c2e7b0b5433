import { isConvolutional, isFullyConnected, type Network, type Scenario } from "@finitewidth/core";

/** A deliberate mistake: the theory is asked about a slightly different network and must be found wrong by the same samples. */
export interface Fault {
  readonly name: string;
  /** "width" faults are expected to show only in quantities that depend on the width. */
  readonly kind: "width" | "variance";
  apply(scenario: Scenario): Scenario | undefined;
}

const withNetwork = (scenario: Scenario, network: Network): Scenario => ({ ...scenario, problem: { ...scenario.problem, network } });

function withWidths(scenario: Scenario, change: (width: number) => number): Scenario | undefined {
  const { network } = scenario.problem;
  if (isFullyConnected(network)) return withNetwork(scenario, { ...network, widths: network.widths.map(change) } as Network);
  if (isConvolutional(network))
    return withNetwork(scenario, {
      ...network,
      layers: network.layers.map((layer) => ({ ...layer, channels: change(layer.channels) })),
    } as Network);
  return undefined;
}

/** The faults of the power check. */
export const faults: readonly Fault[] = [
  { name: "N → N − 1", kind: "width", apply: (scenario) => withWidths(scenario, (width) => Math.max(1, width - 1)) },
  { name: "N → 2N", kind: "width", apply: (scenario) => withWidths(scenario, (width) => 2 * width) },
  {
    name: "σ_w² → 1/σ_w²",
    kind: "variance",
    apply: (scenario) => {
      const { network } = scenario.problem;
      return withNetwork(scenario, { ...network, weightVariance: network.weightVariance.map((variance) => 1 / variance) });
    },
  },
  {
    name: "readout σ_w² → 1.5 σ_w²",
    kind: "variance",
    apply: (scenario) => {
      const { network } = scenario.problem;
      return withNetwork(scenario, {
        ...network,
        weightVariance: network.weightVariance.map((variance, l, all) => (l === all.length - 1 ? 1.5 * variance : variance)),
      });
    },
  },
];
