import { FinitewidthError, type Activation, type FiniteNetwork, type FullyConnectedNetwork, type Matrix } from "@finitewidth/core";

/** A fully connected network of finite width as a function of whitened parameters. @throws FinitewidthError: not available yet. */
export function finiteFullyConnected(network: FullyConnectedNetwork, _activation: Activation, _inputs: Matrix, _outputs: number): FiniteNetwork {
  throw new FinitewidthError(`finite networks of type "${network.type}" are not available yet`, { code: "refused" });
}
