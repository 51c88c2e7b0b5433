import { inlineRun, matrixFromRows, resolveArchitecture, resolveNetworkInput, type PriorResult, type Tensor } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { samplePrior } from "../src/index.js";
import { randomMatrix, registry } from "./helpers.js";

const network = resolveNetworkInput(
  { type: "fully-connected", widths: [3, 5], activation: "erf", weightVariance: [1.5, 1.2, 0.9], biasVariance: [0.1, 0, 0.2] } as { type: string }, // prettier-ignore
  registry,
);
const inputs = randomMatrix(2, 3, 1);
const flat = (value: unknown): number[] =>
  typeof value === "number" ? [value] : Array.from((value as Tensor).data ?? (value as Float64Array));
const quantities = ["secondMoment", "kernelMeanShift", "excessKurtosis", "kernelCovariance", "fourthCumulant", "logDensity"] as const;
const ask = (seed: number, samples: number, at: number): Promise<PriorResult> =>
  samplePrior(
    { network, inputs, outputs: 2, evaluateAt: [matrixFromRows([[0.1, -0.4], [0.3, 0.2]]), matrixFromRows([[at, 0], [0, -at]])], samples }, // prettier-ignore
    inlineRun({ registry, seed }),
  );

describe("errors of the sampled prior", () => {
  it("are the scatter over seeds, for every quantity", async () => {
    const runs: PriorResult[] = [];
    for (let seed = 1; seed <= 40; seed++) runs.push(await ask(seed, 800, 1));
    for (const quantity of quantities) {
      const values = runs.map((run) => flat(run[quantity]));
      const errors = runs.map((run) => flat(run.standardError![quantity]));
      const logs = values[0]!.map((_, i) => {
        const mean = values.reduce((sum, row) => sum + row[i]! / values.length, 0);
        const scatter = values.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / (values.length - 1);
        return Math.log(errors.reduce((sum, row) => sum + row[i]! ** 2 / errors.length, 0) / scatter);
      });
      const typical = Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length);
      // 39/χ²₃₉ lies within these with probability 0.99 for a single entry; half or twice the error are 1/4 and 4
      expect(typical, quantity).toBeGreaterThan(0.56);
      expect(typical, quantity).toBeLessThan(2);
    }
  });

  it("shrink with the root of the number of networks, and are not to be trusted where few of them count", async () => {
    const [few, many] = [await ask(1, 400, 1), await ask(1, 6400, 1)];
    for (const quantity of ["secondMoment", "logDensity"] as const) {
      const ratio = flat(few.standardError![quantity])[0]! / flat(many.standardError![quantity])[0]!;
      expect(ratio, quantity).toBeGreaterThan(3);
      expect(ratio, quantity).toBeLessThan(5.5);
    }
    expect(many.warnings).toEqual([]);
    expect(many.diagnostics).toEqual({ samples: 6400 });
    const far = (await ask(1, 400, 6)).warnings.filter((warning) => warning.includes("count for its density"));
    expect(far).toEqual([expect.stringMatching(/^evaluateAt\[1\]: only \d+ of 400 networks/)]);
  });
});

it("is what a loop over the drawn networks says: moments, cumulants, densities; singular kernels count as density 0", async () => {
  const relu = resolveNetworkInput({ type: "fully-connected", widths: [3], activation: "relu", weightVariance: [1.5, 1.2] } as { type: string }, registry); // prettier-ignore
  const architecture = resolveArchitecture(registry, relu);
  const [samples, seed] = [43, 4];
  const at = matrixFromRows([[0.1, -0.4], [0.3, 0.2]]); // prettier-ignore
  const found = await samplePrior({ network: relu, inputs: matrixFromRows([[1, 0.4], [0.3, 1]]), outputs: 2, evaluateAt: [at], samples }, inlineRun({ registry, seed })); // prettier-ignore
  const real = realise(architecture, matrixFromRows([[1, 0.4], [0.3, 1]]), 1); // prettier-ignore
  const kernels: number[][] = [];
  // eight chunks, of five networks or six
  for (let chunk = 0; chunk < 8; chunk++) {
    const random = stream(seed, 2, chunk);
    const theta = new Float64Array(real.parameters);
    for (let s = Math.floor((chunk * samples) / 8); s < Math.floor(((chunk + 1) * samples) / 8); s++) {
      random.normals(theta.subarray(0, real.parameters - real.readoutParameters));
      const { data } = real.forward(theta).features;
      kernels.push([0, 1].flatMap((a) => [0, 1].map((b) => [0, 1, 2].reduce((sum, k) => sum + data[3 * a + k]! * data[3 * b + k]!, 0))));
    }
  }
  expect(kernels).toHaveLength(samples);
  const mean = [0, 1, 2, 3].map((i) => kernels.reduce((sum, k) => sum + k[i]! / samples, 0));
  const covariance = (i: number, j: number): number => kernels.reduce((sum, k) => sum + (k[i]! - mean[i]!) * (k[j]! - mean[j]!), 0) / (samples - 1); // prettier-ignore
  const expected = Array.from({ length: 16 }, (_, k) => covariance(k >> 2, k & 3));
  expectClose(found.secondMoment!, mean, { relative: 1e-11 });
  expectClose(found.kernelCovariance!, expected, { relative: 1e-9, absolute: 1e-14 });
  const cumulant = expected.map((_, k) => {
    const [a, b, c, d] = [8, 4, 2, 1].map((place) => Math.floor(k / place) % 2) as [number, number, number, number];
    return covariance(2 * a + b, 2 * c + d) + covariance(2 * a + c, 2 * b + d) + covariance(2 * a + d, 2 * b + c);
  });
  expectClose(found.fourthCumulant!, cumulant, { relative: 1e-9, absolute: 1e-14 });
  expectClose(found.excessKurtosis!, [0, 3].map((i) => (3 * covariance(i, i)) / mean[i]! ** 2), { relative: 1e-10 }); // prettier-ignore
  const densities = kernels.map(([a, b, , c]) => {
    const determinant = a! * c! - b! * b!;
    if (!(determinant > 1e-14 * a! * c!)) return 0;
    const [square, cross, other] = [0.1 ** 2 + 0.4 ** 2, 0.1 * 0.3 - 0.4 * 0.2, 0.3 ** 2 + 0.2 ** 2];
    return Math.exp(-0.5 * ((c! * square - 2 * b! * cross + a! * other) / determinant)) / ((2 * Math.PI) ** 2 * determinant);
  });
  const average = densities.reduce((sum, p) => sum + p / samples, 0);
  expectClose(found.logDensity!, [Math.log(average)], { relative: 1e-9 });
  const relative = densities.reduce((sum, p) => sum + (p / average - 1) ** 2, 0) / samples ** 2;
  expectClose(found.standardError!["logDensity"] as Float64Array, [Math.sqrt(relative)], { relative: 1e-9 });
  const singular = densities.filter((p) => p === 0).length;
  // or nearly so: their density underflows
  expect(singular).toBeGreaterThanOrEqual(17);
  expect(found.warnings).toEqual([
    expect.stringMatching(/^the kernels of 17 of 43 networks were singular/),
    expect.stringMatching(/^evaluateAt\[0\]: only \d+ of 43 networks/),
  ]);
});

it("whether there is a density does not depend on one network: rectifiers that are dead in some are alive in others", async () => {
  const of = async (widths: number[], activation: string, seed: number) =>
    (await samplePrior({ network: resolveNetworkInput({ type: "fully-connected", widths, activation } as { type: string }, registry), inputs: matrixFromRows([[1, 0.4], [0.3, 1]]), outputs: 1, evaluateAt: [matrixFromRows([[0.1], [0.3]])], samples: 20 }, inlineRun({ registry, seed }))).logDensity !== undefined; // prettier-ignore
  for (let seed = 1; seed <= 8; seed++) expect(await of([3], "relu", seed), `seed ${seed}`).toBe(true);
  for (let seed = 1; seed <= 4; seed++) expect(await of([1], "relu", seed), `seed ${seed}`).toBe(false);
});
