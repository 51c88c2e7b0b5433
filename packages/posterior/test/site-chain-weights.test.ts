import { createRegistry, resolveArchitecture, resolveNetworkInput, type Network, type Problem } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { mixingLaw } from "@finitewidth/kernels";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { gram, solveLower } from "@finitewidth/linalg";
import { learnedFeatureCovariance } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { conditionOnChain } from "../src/site-chain/conditional.js";
import { predictGiven, predictJointly, testKernels, trainGiven } from "../src/site-chain/predict.js";
import { siteProblem } from "../src/site-chain/problem.js";
import { siteTarget } from "../src/site-chain/target.js";
import { conditionOnWeights, learnedWeightCovariance } from "../src/site-chain/weight-space.js";

const random = stream(9);

const registry = createRegistry([activations, priorConv]);
const network = (outputs: number): Network =>
  resolveNetworkInput(
    {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [5, 4].map((channels) => ({ channels, kernelSize: 2, stride: 2 })),
      activation: "identity",
      weightVariance: [1.2, 0.8, 1.1 + outputs],
      biasVariance: [0.3, 0, 0],
    },
    registry,
  );

describe.each([1, 2])("weights in place of points, %i outputs", (outputs) => {
  const problem: Problem = {
    network: network(outputs),
    inputs: normalMatrix(random, 30, 4),
    targets: normalMatrix(random, 30, outputs),
    temperature: 0.4,
    scaling: "standard",
  };
  const law = mixingLaw(resolveArchitecture(registry, network(outputs)))!;
  const sites = siteProblem(problem, law);
  const { weights, ...onPoints } = sites;
  const x = random.normals(new Float64Array(sites.layout.dimension));

  it("give the likelihood and gradient that points give", () => {
    expect(weights).toBeDefined();
    const [a, b] = [sites, onPoints].map((model) => {
      const gradients = { prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) };
      return { value: siteTarget(model).evaluate(x, gradients), gradients };
    });
    expectClose(a!.value.logLikelihood, b!.value.logLikelihood, { relative: 1e-12 });
    expectClose(a!.gradients.likelihood, b!.gradients.likelihood, { relative: 1e-9, absolute: 1e-10 });
  });

  it("give the predictions and learned features that points give", () => {
    const [w, p] = [conditionOnWeights(sites, weights!, x)!, conditionOnChain(onPoints, x)!];
    const test = testKernels(law, problem.inputs, normalMatrix(random, 6, 4), false);
    for (const [a, b] of [
      [trainGiven(sites, w), trainGiven(sites, p)],
      [predictGiven(sites, w, test), predictGiven(sites, p, test)],
    ] as const) {
      expectClose(a.mean, b.mean, { relative: 1e-10, absolute: 1e-11 });
      expectClose(a.variance, b.variance, { relative: 1e-9, absolute: 1e-11 });
    }
    const [a, b] = [predictJointly(sites, w, test), predictJointly(sites, p, test)];
    expectClose(a.mean, b.mean, { relative: 1e-10, absolute: 1e-11 });
    expectClose(a.covariance, b.covariance, { relative: 1e-9, absolute: 1e-11 });
    if (sites.covariance.kind !== "features") throw new Error("features expected");
    const { features } = sites.covariance;
    const exact = learnedFeatureCovariance(features, p.factors[0]!.f, 5, {
      alpha: p.alpha,
      weight: 1,
      whiten: (b) => solveLower(p.root.factor, b),
    });
    expectClose(learnedWeightCovariance(sites, w, features.width, 5), exact, { relative: 1e-9, absolute: 1e-10 });
    expectClose(gram(w.factors[0]!.f), gram(p.factors[0]!.f), { relative: 1e-14 });
  });

  it("are not used without noise, or where there are more of them than targets", () => {
    expect(siteProblem({ ...problem, temperature: 1e-12 }, law).weights).toBeUndefined();
    expect(
      siteProblem({ ...problem, inputs: normalMatrix(random, 4, 4), targets: normalMatrix(random, 4, outputs) }, law).weights,
    ).toBeUndefined();
  });
});
