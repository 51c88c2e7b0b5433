import type { FiniteNetwork, Observation } from "@finitewidth/core";
import type { LogDensity } from "@finitewidth/numerics";

/**
 * log p(Y | f_θ(X)) over all whitened weights θ ~ N(0, 1), readout included (it cannot be integrated out), and its gradient by
 * backpropagation. NaN where the network overflows. Cost: one forward run and one pullback.
 */
export function networkTarget(network: FiniteNetwork, observation: Observation): LogDensity {
  const { points, latents } = observation;
  const slopes = new Float64Array(points * latents);
  const cotangent = { data: slopes, shape: [points, latents] as const };
  return {
    dimension: network.parameters,
    evaluate: (theta, gradient) => {
      const state = network.forward(theta);
      const value = observation.evaluate(state.outputs.data, { gradient: slopes });
      network.pullback(theta, state, cotangent, gradient);
      return value;
    },
  };
}
