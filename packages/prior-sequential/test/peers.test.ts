import { matrixFromRows } from "@finitewidth/core";
import { composition, fullKernels } from "@finitewidth/kernels";
import { describe, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { architecture, fixtures, type NetworkInput } from "./helpers.js";

const peers = fixtures<{ network: NetworkInput; inputs: number[][] }, { kernel: number[][] }>("peer-");

describe("kernels of another library", () => {
  for (const { case: name, inputs, expected, tolerance } of peers) {
    it(name, () => {
      const network = architecture(inputs.network);
      const x = matrixFromRows(inputs.inputs);
      expectClose(fullKernels(composition(network), x).layers.at(-1)!, expected.kernel, tolerance, "all sites");
    });
  }
});
