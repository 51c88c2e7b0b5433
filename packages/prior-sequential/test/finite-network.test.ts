import { matrixFromRows } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { describe, it } from "vitest";
import { expectClose, flatten } from "../../../tools/testing.ts";
import { architecture, fixtures, type NetworkInput } from "./helpers.js";

interface Group {
  readonly weights: number[];
  readonly scores?: number[];
  readonly biases?: number[];
}
interface Finite {
  readonly network: NetworkInput;
  readonly inputs: number[][];
  readonly parameters: readonly Group[];
  readonly cotangent: number[][];
}

const inOrder = ({ weights, scores, biases }: Group): number[] => [weights, scores ?? [], biases ?? []].flatMap((part) => flatten(part));

describe("networks with given parameters", () => {
  for (const { case: name, inputs, expected, tolerance } of fixtures<Finite, { outputs: number[][]; parameterGradients: readonly Group[] }>(
    "finite-",
  )) {
    it(name, () => {
      const cotangent = matrixFromRows(inputs.cotangent);
      const network = realise(architecture(inputs.network), matrixFromRows(inputs.inputs), cotangent.shape[1]);
      const theta = Float64Array.from(inputs.parameters.flatMap(inOrder));
      const state = network.forward(theta);
      expectClose(state.outputs, expected.outputs, tolerance, "outputs");
      const gradient = new Float64Array(network.parameters);
      network.pullback(theta, state, cotangent, gradient);
      expectClose(gradient, expected.parameterGradients.flatMap(inOrder), tolerance, "gradient");
    });
  }
});
