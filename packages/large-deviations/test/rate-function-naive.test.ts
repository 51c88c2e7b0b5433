import { fit, matrixFromRows, type Matrix, type Scaling, type Theory } from "@finitewidth/core";
import { cholesky, identity, solve, solveCholesky } from "@finitewidth/linalg";
import { logMultivariateGamma } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { largeDeviation } from "../src/index.js";
import { testRegistry } from "./registry.ts";

// Everything of this file is written out from the definitions, over (point, output), with the matrices M_1 … M_L as they are.
const registry = testRegistry();
interface Setting {
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly inputs: number[][];
  readonly targets: number[][];
  readonly temperature: number;
  readonly scaling: Scaling;
}
const at = ({ data, shape: [, columns] }: Matrix, i: number, j: number): number => data[i * columns + j]!;
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0);
const column = (values: readonly number[]): Matrix => ({ data: Float64Array.from(values), shape: [values.length, 1] });

/** M_1 (σ_w²(1) x·x'/N0 + σ_b²(1)) + Σ_{l ≥ 2} σ_b²(l) M_l + σ_b²(L+1), rows × columns over (point, output). */
function covarianceOf({ weightVariance: w, biasVariance: b, targets }: Setting, mixing: readonly Matrix[], x: number[][], z: number[][]) {
  const D = targets[0]!.length;
  const entry = (p: number[], a: number, q: number[], c: number): number =>
    at(mixing[0]!, a, c) * ((w[0]! * dot(p, q)) / p.length + b[0]!) +
    mixing.reduce((sum, m, l) => sum + (l === 0 ? 0 : b[l]! * at(m, a, c)), 0) +
    (a === c ? b.at(-1)! : 0);
  const outputs = Array.from({ length: D }, (_, a) => a);
  return matrixFromRows(x.flatMap((p) => outputs.map((a) => z.flatMap((q) => outputs.map((c) => entry(p, a, q, c))))));
}
const noisy = ({ data, shape }: Matrix, temperature: number): Matrix => ({
  data: data.map((value, k) => value + (k % (shape[0] + 1) === 0 ? temperature : 0)),
  shape,
});
/** log det and yᵀ(·)⁻¹y of the data. */
function dataTerms(setting: Setting, mixing: readonly Matrix[]): [number, number] {
  const root = cholesky(noisy(covarianceOf(setting, mixing, setting.inputs, setting.inputs), setting.temperature));
  const y = setting.targets.flat();
  return [root.logDeterminant, dot(y, [...solveCholesky(root, column(y)).data])];
}
/** Σ_l (N_l/N) ½ [tr S⁻¹M − log det S⁻¹M − D] with S_L = σ_w²(L+1), S_l = σ_w²(l+1) M_{l+1}, and the data. */
function action(setting: Setting, mixing: readonly Matrix[]): number {
  const { widths, weightVariance: w, scaling } = setting;
  const N = widths.at(-1)!;
  const [logDeterminant, quadratic] = dataTerms(setting, mixing);
  let value = scaling === "standard" ? (logDeterminant + quadratic) / (2 * N) : quadratic / 2;
  mixing.forEach((m, l) => {
    const D = m.shape[0];
    const above = mixing[l + 1] ?? identity(D);
    const scale: Matrix = { data: above.data.map((v) => w[l + 1]! * v), shape: above.shape };
    const ratio = solve(scale, m);
    const trace = Array.from({ length: D }, (_, a) => at(ratio, a, a)).reduce((sum, v) => sum + v, 0);
    value += ((0.5 * widths[l]!) / N) * (trace - cholesky(m).logDeterminant + cholesky(scale).logDeterminant - D);
  });
  return value;
}
/** All M_l moved along the symmetric unit of coordinate k by `step`. */
function moved(mixing: readonly Matrix[], k: number, step: number): Matrix[] {
  const D = mixing[0]!.shape[0];
  const pairs = Array.from({ length: D }, (_, a) => Array.from({ length: a + 1 }, (_b, b) => [a, b] as const)).flat();
  const [a, b] = pairs[k % pairs.length]!;
  return mixing.map((m, l) =>
    l === Math.floor(k / pairs.length)
      ? { data: m.data.map((v, e) => v + (e === a * D + b || e === b * D + a ? step : 0)), shape: m.shape }
      : m,
  );
}
const meanAt = (setting: Setting, mixing: readonly Matrix[], x: number[][]): number[] => {
  const weights = solve(
    noisy(covarianceOf(setting, mixing, setting.inputs, setting.inputs), setting.temperature),
    column(setting.targets.flat()),
  );
  const cross = covarianceOf(setting, mixing, x, setting.inputs);
  return Array.from({ length: cross.shape[0] }, (_, i) => Array.from(weights.data).reduce((sum, v, k) => sum + at(cross, i, k) * v, 0));
};
const withinAt = (setting: Setting, mixing: readonly Matrix[], x: number[][]): number[][] => {
  const cross = covarianceOf(setting, mixing, setting.inputs, x);
  const solved = solve(noisy(covarianceOf(setting, mixing, setting.inputs, setting.inputs), setting.temperature), cross);
  const own = covarianceOf(setting, mixing, x, x);
  const n = own.shape[0];
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_j, j) => {
      let value = at(own, i, j);
      for (let k = 0; k < cross.shape[0]; k++) value -= at(cross, k, i) * at(solved, k, j);
      return value;
    }),
  );
};

const inputs = [[1, 0.4, -0.2], [-0.3, 1.2, 0.5], [0.8, -0.9, 1], [0.1, 0.2, -1.4]]; // prettier-ignore
const targets = [[1.1, -2.2], [-0.7, 1], [0.4, -1.3], [1.9, 0.6]]; // prettier-ignore
const tests = [[0.5, 0.5, -0.2], [-0.9, 1.4, 0.1], [2, 0, 0.3]]; // prettier-ignore
const solved = async (setting: Setting) => {
  const { widths, weightVariance, biasVariance, inputs: x, targets: y, temperature, scaling } = setting;
  const network = { type: "fully-connected", activation: "identity", widths, weightVariance, biasVariance };
  const found = await fit(largeDeviation as Theory, { network, inputs: x, targets: y, temperature, scaling }, { registry });
  return { ...found, mixing: (found.posterior.state as { readonly mixing: readonly Matrix[] }).mixing };
};

describe.each(["standard", "mean-field"] as const)("two outputs, layers of 13 and 7 units, %s scaling", (scaling) => {
  it.each([
    [[0.3, 0, 0], 0.3],
    [[0.3, 0, 0], 0],
    // a kernel of rank three at four points
    [[0, 0, 0], 0.3],
    [[0.3, 0.5, 0.2], 0.3],
    [[0.3, 0.5, 0.2], 0],
    [[0, 0.4, 0], 0.3],
  ])("biases %j, T = %d", async (biasVariance, temperature) => {
    const setting = { widths: [13, 7], weightVariance: [1.3, 0.7, 1.6], biasVariance, inputs: inputs.slice(temperature === 0 ? 1 : 0), targets: targets.slice(temperature === 0 ? 1 : 0), temperature, scaling }; // prettier-ignore
    const { posterior, predict, mixing } = await solved(setting);
    expect(posterior.warnings).toEqual([]);
    expectClose(posterior.orderParameter as Matrix, mixing[0]!, { relative: 1e-12 });
    expectClose(posterior.diagnostics["action"] as number, action(setting, mixing), { relative: 1e-10 });
    const [step, count] = [1e-3, 6];
    const indices = Array.from({ length: count }, (_, k) => k);
    const at2 = (k: number, s: number, l: number, t: number) => action(setting, moved(moved(mixing, k, s), l, t));
    const hessian = matrixFromRows(
      indices.map((k) =>
        indices.map(
          (l) => (at2(k, step, l, step) - at2(k, step, l, -step) - at2(k, -step, l, step) + at2(k, -step, l, -step)) / (4 * step * step),
        ),
      ),
    );
    // the matrices are where the action is least: a Newton step from there stays there, to the error of the differences
    const fine = 1e-5;
    const gradient = indices.map((k) => (action(setting, moved(mixing, k, fine)) - action(setting, moved(mixing, k, -fine))) / (2 * fine));
    expectClose(solve(hessian, column(gradient)).data, new Float64Array(count), { absolute: 1e-6 });
    expect(cholesky(hessian).logDeterminant).toBeGreaterThan(-Infinity);

    const N = scaling === "mean-field" ? 7 : 1;
    const mean = meanAt(setting, mixing, tests);
    const moves = indices.map((k) => {
      const [up, down] = [meanAt(setting, moved(mixing, k, fine), tests), meanAt(setting, moved(mixing, k, -fine), tests)];
      return up.map((value, i) => (value - down[i]!) / (2 * fine));
    });
    const spread = solve(hessian, matrixFromRows(moves));
    const covariance = withinAt(setting, mixing, tests).map(
      (row, i) =>
      row.map((value, j) => (value + (scaling === "mean-field" ? indices.reduce((sum, k) => sum + moves[k]![i]! * at(spread, k, j), 0) : 0)) / N), // prettier-ignore
    );
    const [found, marginal] = [await predict(tests, { covariance: true }), await predict(tests)];
    expectClose(found.mean, mean, { relative: 1e-7, absolute: 1e-8 });
    const size = Math.max(...covariance.flat());
    expectClose(found.covariance!, covariance, { absolute: 1e-5 * size });
    expectClose(
      marginal.variance,
      covariance.map((row, i) => row[i]!),
      { absolute: 1e-5 * size },
    );
  });
});

describe.each(["standard", "mean-field"] as const)("hidden kernels of three layers, %s scaling", (scaling) => {
  it.each([[[11, 5, 8]], [[8, 2, 5]]])("widths %j, three outputs", async (widths) => {
    const y = targets.map(([a, b], mu) => [a!, b!, 0.5 - mu]);
    const setting = { widths, weightVariance: [1.3, 0.7, 1.6, 0.9], biasVariance: [0.3, 0, 0, 0], inputs, targets: y, temperature: 0.3, scaling }; // prettier-ignore
    const { posterior, mixing } = await solved(setting);
    const mean = meanAt(setting, mixing, inputs);
    const within = withinAt(setting, mixing, inputs);
    // Ĝ^l = (1 − r/N_l) σ_w²(l) Ĝ^{l−1} + E[f M_l⁻¹ fᵀ]/N_l; in mean-field scaling what is of order one, N_l in units of the last
    let kernel = inputs.map((p) => inputs.map((q) => (1.3 * dot(p, q)) / 3 + 0.3));
    widths.forEach((width, l) => {
      const inverse = solve(mixing[l]!, identity(3));
      const keep = (l === 0 ? 1 : setting.weightVariance[l]!) * (scaling === "standard" ? 1 - Math.min(3, width) / width : 1);
      const weight = scaling === "standard" ? 1 / width : widths.at(-1)! / width;
      kernel = kernel.map((row, mu) =>
        row.map((value, nu) => {
          let sum = 0;
          for (let a = 0; a < 3; a++)
            for (let c = 0; c < 3; c++) {
              const [i, j] = [3 * mu + a, 3 * nu + c];
              sum += at(inverse, a, c) * (mean[i]! * mean[j]! + (scaling === "standard" ? within[i]![j]! : 0));
            }
          return keep * value + weight * sum;
        }),
      );
      expectClose(posterior.hiddenKernels![l]!, kernel, { relative: 1e-7, absolute: 1e-8 }, `layer ${l + 1}`);
    });
    const narrow = widths.find((width) => width < 3);
    expect(posterior.warnings).toEqual(narrow === undefined ? [] : [`a layer of ${narrow} units is narrower than its mixing matrix (3): the limit of large widths is far away, prefer "exact"`]); // prettier-ignore
  });
});

/** Log density of u = log(χ²_k/k). */
const logChiSquare = (k: number, u: number): number =>
  0.5 * k * (u + Math.log(k)) - 0.5 * k * Math.exp(u) - 0.5 * k * Math.log(2) - logMultivariateGamma(1, k / 2);
/** Six deviations to either side, 0.8 of one apart: the trapezoid rule is exact to rounding for what is nearly Gaussian. */
const around = (centre: number, deviation: number): number[] => Array.from({ length: 17 }, (_, k) => centre + (k - 8) * 0.8 * deviation);
const logIntegral = ({ log, centre, deviations }: Coordinates): number => {
  let grid: number[][] = [[]];
  centre.forEach((c, k) => (grid = grid.flatMap((x) => around(c, deviations[k]!).map((value) => [...x, value]))));
  const logs = grid.map(log);
  const top = Math.max(...logs);
  return (
    top +
    Math.log(logs.reduce((total, value) => total + Math.exp(value - top), 0)) +
    deviations.reduce((sum, d) => sum + Math.log(0.8 * d), 0)
  );
};
/** Prior × likelihood in coordinates that are linear in those of the Cholesky factors. */
interface Coordinates {
  readonly log: (x: readonly number[]) => number;
  readonly centre: readonly number[];
  readonly deviations: readonly number[];
}
/** Newton to the mode and the Gaussian there, all derivatives by differences. */
function laplace({ log, centre }: Coordinates): number {
  const h = 1e-3;
  const at = (x: readonly number[], ...steps: (readonly [number, number])[]): number => log(x.map((value, i) => value + steps.reduce((sum, [k, s]) => sum + (k === i ? s : 0), 0))); // prettier-ignore
  const curvature = (x: readonly number[]): Matrix =>
    matrixFromRows(
      x.map((_v, i) =>
        x.map(
          (_w, j) => -(at(x, [i, h], [j, h]) - at(x, [i, h], [j, -h]) - at(x, [i, -h], [j, h]) + at(x, [i, -h], [j, -h])) / (4 * h * h),
        ),
      ),
    );
  let x = [...centre];
  for (let k = 0; k < 8; k++) {
    const step = solve(curvature(x), column(x.map((_v, i) => (at(x, [i, h]) - at(x, [i, -h])) / (2 * h)))).data;
    x = x.map((value, i) => value + step[i]!);
  }
  return log(x) + 0.5 * x.length * Math.log(2 * Math.PI) - 0.5 * cholesky(curvature(x)).logDeterminant;
}

describe.each(["standard", "mean-field"] as const)(
  "Laplace's evidence comes to the integral over mixing matrices as 1/N, %s scaling",
  (scaling) => {
    const density = (setting: Setting, mixing: readonly Matrix[]): number => {
      const N = scaling === "mean-field" ? setting.widths.at(-1)! : 1;
      const [logDeterminant, quadratic] = dataTerms(setting, mixing);
      return -0.5 * (logDeterminant + N * quadratic + setting.targets.flat().length * Math.log((2 * Math.PI) / N));
    };
    /** M_1 = R Rᵀ of one layer: R_11² = s e^u, R_22² ~ (s/N) χ²_N, χ²_{N−1}, R_21 ~ N(0, s/N). */
    const wishart = (setting: Setting, [first]: readonly Matrix[]): Coordinates => {
      const [N, s] = [setting.widths[0]!, setting.weightVariance[1]!];
      const [a0 = 0, , b0 = 0, c0 = 0] = cholesky(first!).factor.data;
      return {
        centre: [Math.log((a0 * a0) / s), Math.log((c0 * c0 * N) / (s * (N - 1))), b0],
        deviations: [Math.sqrt(2 / N), Math.sqrt(2 / N), Math.hypot(b0, c0) / Math.sqrt(N)],
        log: ([u = 0, v = 0, b = 0]) => {
          const a = Math.sqrt(s * Math.exp(u));
          const mixing = [matrixFromRows([[a * a, a * b], [a * b, b * b + ((s * (N - 1)) / N) * Math.exp(v)]])]; // prettier-ignore
          const prior = logChiSquare(N, u) + logChiSquare(N - 1, v) - (0.5 * N * b * b) / s - 0.5 * Math.log((2 * Math.PI * s) / N);
          return prior + density(setting, mixing);
        },
      };
    };
    /** M_2 ~ (s_3/N_2) χ²_{N_2}, M_1 ~ (s_2 M_2/N_1) χ²_{N_1} of one output. */
    const product = (setting: Setting, [first, second]: readonly Matrix[]): Coordinates => {
      const { widths, weightVariance: w } = setting;
      const one = (value: number) => matrixFromRows([[value]]);
      return {
        centre: [Math.log(first!.data[0]! / (w[1]! * second!.data[0]!)), Math.log(second!.data[0]! / w[2]!)],
        deviations: widths.map((n) => Math.sqrt(2 / n)),
        log: ([u = 0, v = 0]) => {
          const above = w[2]! * Math.exp(v);
          const mixing = [one(w[1]! * Math.exp(u) * above), one(above)];
          return logChiSquare(widths[0]!, u) + logChiSquare(widths[1]!, v) + density(setting, mixing);
        },
      };
    };
    it.each([
      ["two outputs", [20], [1.3, 0.7], [0.3, 0], 2, wishart],
      ["two outputs, biases of the readout", [20], [1.3, 0.7], [0.3, 0.5], 2, wishart],
      ["one output, two layers", [30, 20], [1.3, 0.7, 1.6], [0.3, 0, 0], 1, product],
      ["one output, two layers, biases", [30, 20], [1.3, 0.7, 1.6], [0.3, 0.5, 0.2], 1, product],
    ] as const)("%s", async (name, base, weightVariance, biasVariance, outputs, coordinates) => {
      const y = targets.slice(0, 2).map((row) => row.slice(0, outputs));
      const [small, large] = [1, 4].map((factor): Setting => ({ widths: base.map((n) => factor * n), weightVariance, biasVariance, inputs: inputs.slice(0, 2), targets: y, temperature: 0.4, scaling })); // prettier-ignore
      const errors = [];
      for (const setting of [small!, large!]) {
        const { posterior, mixing } = await solved(setting);
        const route = coordinates(setting, mixing);
        errors.push(Math.abs(posterior.logEvidence! - logIntegral(route)));
        // one output without biases is expanded around the minimum of J, with the moments of its layers
        if (name !== "one output, two layers") expectClose(posterior.logEvidence!, laplace(route), { absolute: 2e-5 });
      }
      expect(errors[0]!).toBeLessThan(0.06);
      expect(errors[1]!).toBeLessThan(errors[0]! / 3);
    });
  },
);
