import { createRegistry, inlineRun, matrixFromRows, type Matrix, type Problem } from "@finitewidth/core";
import {
  attentionMixing,
  attentionModel,
  attentionPaths,
  headScores,
  pathWeights,
  plugin,
  type AttentionMixingLaw,
} from "@finitewidth/prior-attention";
import { addDiagonal, cholesky, multiplyTransposedLeft, solveCholesky, symmetricEigen } from "@finitewidth/linalg";
import { mixingMoments, stackFeatures } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, flatten, readFixture } from "../../../tools/testing.ts";
import { caseOf, reductionOf, type AttentionCase } from "../../prior-attention/test/fixtures.ts";
import { fitScalar } from "../src/exact/scalar-theory.js";
import { plainChain } from "../src/index.js";
import { predictFromScalar } from "../src/exact/scalar-theory.js";
import { fitSiteChain, partScores, predictSiteChain, prunedMeans, siteWeights, storedDraws } from "../src/site-chain/index.js";
import { siteProblem } from "../src/site-chain/problem.js";

const run = inlineRun({ registry: createRegistry([plugin]), seed: 1 });

interface Estimate {
  readonly estimate: Nested;
  readonly standardError: Nested;
}
type Nested = number | Nested[];

/** Problem and law of a case; paths merged over its examples unless asked not to. */
function setUp(c: AttentionCase, reduce: boolean): { problem: Problem; law: AttentionMixingLaw; test: Matrix } {
  const { network, rows } = caseOf(c);
  const model = attentionModel(network);
  const p = c.targets!.length;
  const columns = rows.shape[1];
  const part = (from: number, to: number): Matrix => ({ data: rows.data.slice(from * columns, to * columns), shape: [to - from, columns] });
  const paths = attentionPaths(model.heads, model.readout, reduce ? reductionOf(c, model.parse(rows).maps) : undefined);
  return {
    // the maps of the fixtures are softmax maps: their rows sum to one
    law: attentionMixing({ ...model, stochastic: true }, paths),
    problem: { network, inputs: part(0, p), targets: matrixFromRows(c.targets!), temperature: c.temperature!, scaling: "standard" },
    test: part(p, rows.shape[0]),
  };
}

const compare = (
  what: string,
  value: ArrayLike<number>,
  error: ArrayLike<number>,
  { estimate, standardError }: Estimate,
  z: number,
): void =>
  expectWithinStandardErrors(
    value,
    flatten(estimate),
    flatten(standardError).map((e, i) => Math.hypot(e, error[i]!)),
    z,
    what,
  );

describe("posterior of attention networks", () => {
  it.each(["two-layers", "two-outputs", "bias"])("fixture attention-posterior-%s", async (name) => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: AttentionCase;
      expected: Record<"logEvidence" | "predictiveMean" | "predictiveSecondMoment", Estimate>;
      tolerance: { zScore: number };
    }>(`attention-residual/attention-posterior-${name}`);
    const { problem, law, test } = setUp(inputs, true);
    const posterior = await fitSiteChain(problem, law, { draws: 20_000 }, run);
    compare("evidence", [posterior.logEvidence!], [posterior.standardError?.logEvidence ?? 0], expected.logEvidence, tolerance.zScore);
    const { mean, variance, standardError } = predictSiteChain(posterior.state, problem, law, test, false, run);
    compare("mean", mean.data, standardError!.mean.data, expected.predictiveMean, tolerance.zScore);
    compare(
      "second moment",
      variance.data.map((value, i) => value + mean.data[i]! ** 2),
      standardError!.variance.data.map((value, i) => Math.hypot(value, 2 * mean.data[i]! * standardError!.mean.data[i]!)),
      expected.predictiveSecondMoment,
      tolerance.zScore,
    );
  });

  it("fixture attention-single-site: one head, or identical heads, by quadrature", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: { cases: AttentionCase[] };
      expected: { cases: { logEvidence: number; predictiveMean: number[]; predictiveCovariance: number[][] }[] };
      tolerance: { absolutePlusRelative: number };
    }>("attention-residual/attention-single-site");
    const close = { absolute: tolerance.absolutePlusRelative, relative: tolerance.absolutePlusRelative };
    for (const [k, c] of inputs.cases.entries()) {
      const { problem, law, test } = setUp(c, true);
      const posterior = fitScalar(problem, law, plainChain(law.chain)!, false, {}, run);
      const e = expected.cases[k]!;
      expectClose(posterior.logEvidence!, e.logEvidence, close, `evidence ${k}`);
      const { mean, covariance } = predictFromScalar(posterior.state, problem, law, test, true, run);
      expectClose(mean, e.predictiveMean, close, `mean ${k}`);
      expectClose(covariance!, e.predictiveCovariance, close, `covariance ${k}`);
    }
  });

  it("fixture attention-pruning: path weights, head scores, evidence without a head", async () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: AttentionCase & { keep: number[] };
      expected: {
        ablations: { layer: number; head: number; logEvidence: Estimate }[];
        headScores: number[][];
        logEvidence: Estimate;
        pathWeights: Estimate;
        prunedMean: Estimate;
      };
      tolerance: { zScore: number };
    }>("attention-residual/attention-pruning");
    const { problem, law, test } = setUp(inputs, false);
    const posterior = await fitSiteChain(problem, law, { draws: 60_000 }, run);
    compare("evidence", [posterior.logEvidence!], [posterior.standardError!.logEvidence!], expected.logEvidence, tolerance.zScore);
    const heads = law.paths.heads;
    const variances = inputs.variances ?? [1, 1, 1, 1];
    const weights = pathWeights(posterior.orderParameter as Matrix, 1, heads, variances);
    const errors = pathWeights(posterior.standardError!.orderParameter as Matrix, 1, heads, variances);
    compare("path weights", weights.data, errors.data, expected.pathWeights, tolerance.zScore);
    const sites = siteProblem(problem, law, posterior.state.rotation);
    const features = stackFeatures(law.reducedFeatures!(test));
    const removed = [{ label: "kept 0", sites: inputs.keep.flatMap((keep, site) => (keep === 0 ? [site] : [])) }];
    const [all, pruned] = prunedMeans(sites, storedDraws(posterior.state), removed, features);
    const full = predictSiteChain(posterior.state, problem, law, test, false, run);
    expectClose(all!, full.mean, { relative: 1e-9, absolute: 1e-10 }, "nothing removed");
    // a fraction of the weights moves the mean as much as the weights themselves
    compare("pruned mean", pruned!, full.standardError!.mean.data, expected.prunedMean, tolerance.zScore);
    const estimated = matrixFromRows(expected.pathWeights.estimate as number[][]);
    expectClose(headScores(estimated, heads), expected.headScores, { relative: 1e-9 }, "scores of the weights of the fixture");
    // a score sums |w| over pairs of paths: its error is at most the sum of theirs
    const sumOf = (error: Matrix): number[] => headScores(error, heads).flat();
    const fixtureErrors = sumOf(matrixFromRows(expected.pathWeights.standardError as number[][]));
    expectWithinStandardErrors(
      headScores(weights, heads).flat(),
      expected.headScores.flat(),
      sumOf(errors).map((e, i) => Math.hypot(e, fixtureErrors[i]!)),
      3,
      "head scores",
    );
    for (const { layer, head, logEvidence } of expected.ablations) {
      const without = inputs.attention.map((maps, l) =>
        maps.map((all) => all.map((map, h) => (l === layer - 1 && h === head ? map.map((row) => row.map(() => 0)) : map))),
      );
      const ablated = setUp({ ...inputs, attention: without }, true);
      const fitted = await fitSiteChain(ablated.problem, ablated.law, { draws: 10_000 }, run);
      compare(`without ${layer}, ${head}`, [fitted.logEvidence!], [fitted.standardError?.logEvidence ?? 0], logEvidence, tolerance.zScore);
    }
    expect(posterior.hiddenKernels).toHaveLength(1);
    const own = siteWeights(law, posterior.orderParameter as Matrix, 1);
    expectClose(own, weights, { relative: 1e-12 }, "weights of sites");
    expectClose(partScores(own, law.parts!), headScores(weights, heads).flat(), { relative: 1e-12 }, "scores of parts");
    expect(posterior.diagnostics["heads"]).toHaveLength(4);
  });
});

describe("first order in 1/N", () => {
  it("fixture attention-first-order: from the exact covariance of the mixing matrix", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: AttentionCase;
      expected: { logEvidence: number; logEvidenceShift: number; predictiveMean: number[]; predictiveMeanShift: number[] };
      tolerance: { absolutePlusRelative: number };
    }>("attention-residual/attention-first-order");
    const { problem, law, test } = setUp(inputs, false);
    const moments = mixingMoments(law.chain, 1);
    const p = problem.targets.shape[0];
    /** log likelihood and predictive mean at a mixing matrix. */
    const at = (m: Matrix): readonly [number, number] => {
      const root = cholesky(addDiagonal(law.covariance(1, m, problem.inputs), problem.temperature));
      const alpha = solveCholesky(root, problem.targets);
      const quadratic = multiplyTransposedLeft(problem.targets, alpha).data[0]!;
      const cross = law.covariance(1, m, problem.inputs, test);
      return [-0.5 * (quadratic + root.logDeterminant + p * Math.log(2 * Math.PI)), multiplyTransposedLeft(cross, alpha).data[0]!];
    };
    const { values, vectors } = symmetricEigen(moments.covariance);
    const [l0, m0] = at(moments.mean);
    let [evidence, mean] = [0, 0];
    const h = 1e-3 / Math.sqrt(values.at(-1)!);
    values.forEach((value, k) => {
      if (value < 1e-12 * values.at(-1)!) return;
      const along = (step: number) =>
        at({
          data: moments.mean.data.map((entry, i) => entry + step * Math.sqrt(value) * vectors.data[i * values.length + k]!),
          shape: moments.mean.shape,
        });
      const [[lp, mp], [lm, mm]] = [along(h), along(-h)];
      const gradient = (lp - lm) / (2 * h);
      evidence += 0.5 * ((lp - 2 * l0 + lm) / (h * h) + gradient * gradient);
      mean += (0.5 * (mp - 2 * m0 + mm)) / (h * h) + ((mp - mm) / (2 * h)) * gradient;
    });
    expectClose(
      [l0, evidence, m0, mean],
      [expected.logEvidence, expected.logEvidenceShift, expected.predictiveMean[0]!, expected.predictiveMeanShift[0]!],
      { absolute: tolerance.absolutePlusRelative, relative: tolerance.absolutePlusRelative },
    );
  });
});
