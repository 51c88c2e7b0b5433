import { convolutional, family, fullyConnected, type ScenarioFamily } from "./scenario-family.js";

const importance = (samples: number) => ({ kind: "importance" as const, samples });
const chains = (draws: number) => ({ kind: "chains" as const, chains: 4, draws, warmup: Math.max(300, Math.floor(draws / 4)) });

/** Small networks on which every theory is checked. Widths of 2 to 5 make finite-width effects large; variances differ from 1 so that a wrong one shows. */
export const scenarios: readonly ScenarioFamily[] = [
  // Deep linear networks: exact.
  family({ name: "linear, one hidden layer", theories: [{ name: "exact" }, { name: "effective-action" }], network: fullyConnected("identity", [4], [1.3, 0.7]), points: 4, features: 3, temperature: 0.3, sampling: importance(60_000), seed: 11 }),
  family({ name: "linear, two hidden layers", theories: [{ name: "exact" }], network: fullyConnected("identity", [3, 5], [1.2, 0.8, 1.4]), points: 4, features: 3, temperature: 0.3, sampling: importance(80_000), seed: 12 }),
  family({ name: "linear, biases", theories: [{ name: "exact" }], network: fullyConnected("identity", [3, 4], [1.2, 0.8, 1.3], [0.2, 0.3, 0.4]), points: 4, features: 3, temperature: 0.4, sampling: importance(80_000), seed: 13 }),
  family({ name: "linear, two outputs", theories: [{ name: "exact" }], network: fullyConnected("identity", [4, 3], [1.2, 0.8, 1.3]), points: 4, features: 3, outputs: 2, temperature: 0.4, sampling: importance(100_000), seed: 14 }),
  family({ name: "linear, narrower than its outputs", theories: [{ name: "exact" }], network: fullyConnected("identity", [1, 3], [1.2, 0.8, 1.3]), points: 3, features: 3, outputs: 2, temperature: 0.6, sampling: importance(100_000), seed: 15 }),
  family({
    name: "linear, one-dimensional convolution",
    theories: [{ name: "exact" }],
    network: convolutional({ inputShape: [2, 6], layers: [{ channels: 3, kernelSize: [3], stride: [2] }], readout: "flatten", activation: "identity", weightVariance: [1.3, 0.7] }),
    points: 3,
    features: 12,
    temperature: 0.4,
    sampling: importance(60_000),
    seed: 16,
  }),
  family({
    name: "linear, two-dimensional convolution with pooling",
    theories: [{ name: "exact" }],
    network: convolutional({ inputShape: [1, 4, 4], layers: [{ channels: 2, kernelSize: [3, 3], stride: [2, 2], padding: "zero" }, { channels: 2, kernelSize: [2, 2], padding: "valid" }], readout: "global-average", activation: "identity", weightVariance: [3, 3, 2] }),
    points: 4,
    features: 16,
    tests: 6,
    temperature: 1,
    sampling: importance(120_000),
    seed: 17,
  }),
  // Mean-field scaling: minimiser of the rate function, error O(1/N).
  family({ name: "linear, mean-field scaling", theories: [{ name: "large-deviation" }, { name: "exact" }], network: fullyConnected("identity", [4, 4], [1.6, 1.4, 1.5]), points: 3, features: 3, temperature: 1, scaling: "mean-field", sampling: importance(120_000), factors: [1, 2, 4], seed: 18 }),
  // Perturbation theory: residual beyond the first order.
  family({ name: "erf, one hidden layer", theories: [{ name: "perturbative" }], network: fullyConnected("erf", [8], [1.4, 1.3], [0.1, 0.05]), points: 3, features: 3, temperature: 0.3, sampling: importance(120_000), factors: [1, 2, 4], seed: 21 }),
  family({ name: "erf, two hidden layers", theories: [{ name: "perturbative" }], network: fullyConnected("erf", [10, 8], [1.4, 1.5, 1.3], [0.1, 0.05, 0.05]), points: 3, features: 3, temperature: 0.3, sampling: importance(120_000), factors: [1, 2, 4], seed: 22 }),
  family({ name: "relu, two hidden layers", theories: [{ name: "perturbative" }], network: fullyConnected("relu", [12, 10], [1.4, 1.8, 1.6], [0.1, 0.05, 0.05]), points: 3, features: 3, temperature: 0.3, sampling: importance(120_000), factors: [1, 2, 4], seed: 23 }),
  // Proportional limit and adapted kernels.
  family({ name: "erf, as many points as units", theories: [{ name: "effective-action" }], network: fullyConnected("erf", [16], [1.3, 1.4]), points: 16, features: 8, temperature: 0.1, sampling: chains(1200), seed: 31 }),
  family({ name: "relu, as many points as units", theories: [{ name: "effective-action" }], network: fullyConnected("relu", [16], [1.3, 1.4]), points: 16, features: 8, temperature: 0.1, sampling: chains(2400), seed: 32 }),
  family({ name: "erf, two hidden layers, load 1", theories: [{ name: "effective-action" }], network: fullyConnected("erf", [16, 16], [1.3, 1.4, 1.2]), points: 16, features: 8, temperature: 0.1, sampling: chains(1200), seed: 33, suite: "full" }),
  family({ name: "relu, four points per unit", theories: [{ name: "effective-action" }], network: fullyConnected("relu", [6], [1.3, 1.4]), points: 24, features: 8, temperature: 0.1, sampling: chains(800), seed: 34, suite: "full" }),
  family({ name: "relu, half a point per unit", theories: [{ name: "effective-action" }], network: fullyConnected("relu", [32], [1.3, 1.4]), points: 16, features: 8, temperature: 0.1, sampling: chains(800), seed: 35, suite: "full" }),
  family({ name: "erf, two outputs, load 1", theories: [{ name: "effective-action" }], network: fullyConnected("erf", [16], [1.3, 1.4]), points: 16, features: 8, outputs: 2, temperature: 0.1, sampling: chains(800), seed: 36, suite: "full" }),
  family({ name: "erf, standard scaling", theories: [{ name: "forward-backward" }], network: fullyConnected("erf", [8], [1.4, 1.3], [0.1, 0.05]), points: 3, features: 3, temperature: 0.3, sampling: importance(120_000), factors: [1, 2, 4], seed: 21 }),
  family({ name: "erf, strong data", theories: [{ name: "forward-backward" }], network: fullyConnected("erf", [20], [1.3, 1.4]), points: 4, features: 4, temperature: 0.3, targetScale: (factor) => 1.5 * Math.sqrt(20 * factor), sampling: chains(1500), factors: [1, 2, 4], seed: 41 }),
  family({ name: "erf, mean-field scaling", theories: [{ name: "forward-backward" }], network: fullyConnected("erf", [20], [1.3, 1.4]), points: 4, features: 4, temperature: 0.3, scaling: "mean-field", targetScale: () => 1.5, sampling: chains(1500), factors: [1, 2, 4], seed: 41 }),
  family({ name: "linear, strong data, two hidden layers", theories: [{ name: "forward-backward" }], network: fullyConnected("identity", [20, 16], [1.3, 1.2, 1.1]), points: 4, features: 4, temperature: 0.3, targetScale: (factor) => 1.2 * Math.sqrt(20 * factor), sampling: chains(3000), factors: [1, 2, 4], seed: 42 }),
  family({ name: "linear, strong data, three hidden layers", theories: [{ name: "forward-backward" }], network: fullyConnected("identity", [20, 24, 16], [1.3, 1.2, 1.1, 1.2]), points: 4, features: 4, temperature: 0.3, targetScale: (factor) => 2.2 * Math.sqrt(16 * factor), sampling: chains(1500), factors: [1, 2, 4], seed: 43, suite: "full" }),
  family({ name: "erf, strong data, three hidden layers", theories: [{ name: "forward-backward" }], network: fullyConnected("erf", [20, 20, 20], [1.5, 1.6, 1.5, 1.4]), points: 3, features: 4, temperature: 0.3, targetScale: (factor) => 1.2 * Math.sqrt(20 * factor), sampling: chains(1500), factors: [1, 2, 4], seed: 44, suite: "full" }),
];
