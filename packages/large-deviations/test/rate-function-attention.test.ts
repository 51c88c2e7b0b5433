import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, multiplyTransposedLeft, solveCholesky } from "@finitewidth/linalg";
import { stackFeatures } from "@finitewidth/numerics";
import { attentionMixing, attentionModel, attentionPaths } from "@finitewidth/prior-attention";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { caseOf, type AttentionCase } from "../../prior-attention/test/fixtures.ts";
import { chainRateMinima, siteChainData } from "../src/rate-function/index.js";

describe("rate function over attention paths", () => {
  it("fixture attention-large-deviation: minimisers in both scalings, and the predictor", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: AttentionCase & { referenceWidth: number };
      expected: Record<"mean-field" | "proportional", { M: number[][][]; predictorMean: number[]; rate: number }>;
      tolerance: { absolutePlusRelative: number };
    }>("attention-residual/attention-large-deviation");
    const close = { absolute: tolerance.absolutePlusRelative, relative: tolerance.absolutePlusRelative };
    const { network, rows } = caseOf(inputs);
    const model = attentionModel(network);
    const law = attentionMixing(model, attentionPaths(model.heads, model.readout));
    const targets = matrixFromRows(inputs.targets!);
    for (const [scaling, e] of [
      ["mean-field", expected["mean-field"]],
      ["standard", expected.proportional],
    ] as const) {
      const data = siteChainData(law.chain, stackFeatures(law.reducedFeatures!(rows)), targets, inputs.temperature!);
      const [best] = chainRateMinima({ chain: law.chain, data, referenceWidth: inputs.referenceWidth, scaling });
      expect(best.converged).toBe(true);
      best.mixing.forEach((m, l) => expectClose(m, e.M[l]!, close, `${scaling}, M_${l + 1}`));
      const covariance: Matrix = law.covariance(1, best.mixing[0]!, rows);
      const alpha = solveCholesky(cholesky(addDiagonal(covariance, inputs.temperature!)), targets);
      expectClose(multiplyTransposedLeft(covariance, alpha), e.predictorMean, close, `${scaling}, predictor`);
    }
  });
});
