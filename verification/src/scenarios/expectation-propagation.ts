import { family, fullyConnected, type ScenarioFamily } from "../scenario-family.js";
import { chains } from "./sampling.js";

/** One unit takes the labels: the hidden kernel of Gaussian equivalence is 23 % off, that of infinite width 54 %. */
export const expectationPropagation: readonly ScenarioFamily[] = [
  family({
    name: "erf, strong labels",
    theories: [{ name: "expectation-propagation", options: { particles: 500, sweeps: 40 } }],
    network: fullyConnected("erf", [6], [1.3, 1.4]),
    points: 12,
    features: 16,
    temperature: 0.05,
    targetScale: () => 1.5,
    sampling: chains(1200),
    seed: 47,
  }),
];
