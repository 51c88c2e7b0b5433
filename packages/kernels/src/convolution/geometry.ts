import { inputError } from "@finitewidth/core";
import { tapTable, type FilterGeometry, type TapTable } from "./taps.js";

/** Tap tables of the hidden layers 1 … L of a network, and the size of its input. */
export interface ConvolutionGeometry {
  readonly channels: number;
  readonly inputSites: number;
  readonly layers: readonly TapTable[];
}

/** Tap tables of all layers. @throws FinitewidthError (code "input") when a filter does not fit or reads nothing but padding. */
export function convolutionGeometry(network: {
  readonly inputShape: readonly number[];
  readonly layers: readonly FilterGeometry[];
}): ConvolutionGeometry {
  const [channels = 1, ...space] = network.inputShape;
  let size: readonly number[] = space;
  const layers = network.layers.map((layer, l) => {
    const table = tapTable(layer, size);
    if (table.outputSites === 0)
      throw inputError(
        `network.layers[${l}].kernelSize`,
        `a filter that fits the ${size.join(" × ")} sites of its padded input`,
        [...layer.kernelSize].join(" × "),
      );
    if (table.taps.every((site) => site < 0))
      throw inputError(`network.layers[${l}].padding`, "padding that leaves at least one site of the input in view", layer.padding);
    size = table.outputSize;
    return table;
  });
  return { channels, inputSites: space.reduce((all, extent) => all * extent, 1), layers };
}
