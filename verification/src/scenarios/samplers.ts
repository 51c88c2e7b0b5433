import { family, fullyConnected, type ScenarioFamily } from "../scenario-family.js";
import { importance } from "./sampling.js";

/** The judge of other scenarios judged: chains over the weights against weighted draws from the prior. */
export const samplers: readonly ScenarioFamily[] = [
  family({
    name: "erf, chains against importance sampling",
    theories: [{ name: "monte-carlo", options: { draws: 1500, warmup: 400 } }],
    network: fullyConnected("erf", [2, 3], [1.5, 1.6, 1.8], [0.1, 0.1, 0.2]),
    points: 3,
    features: 3,
    temperature: 0.2,
    targetScale: () => 1.5,
    sampling: importance(60_000),
    seed: 71,
  }),
];
