import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { activationChecks, likelihoodChecks, theoryChecks, type Check } from "../src/conformance/index.js";
import {
  createRegistry,
  matrixFromRows,
  strictObject,
  type Activation,
  type Claim,
  type EvidenceGradient,
  type Likelihood,
  type Matrix,
  type Posterior,
  type Prediction,
  type PriorModel,
  type Problem,
  type Theory,
} from "../src/index.js";

/** Names of the checks that fail, without the number of their case. */
async function failing(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of checks)
    try {
      await run();
    } catch {
      failed.push(name.replace(/^case \d+: /, ""));
    }
  return failed;
}

describe("the suite of activations", () => {
  /** φ(h) = h²: E φφ′ = ab + 2c², E φ = k, E φ⁴ = 105 k⁴. */
  const square = {
    name: "square",
    value: (h: number) => h * h,
    derivative: (h: number) => 2 * h,
    smooth: true,
    odd: false,
    degree: 2,
    moments: {
      kernel: (a: number, c: number, b: number) => a * b + 2 * c * c,
      kernelSlope: (_a: number, c: number) => 4 * c,
      kernelCurvature: (_a: number, _c: number, b: number) => 2 * b,
      diagonal: (k: number) => 3 * k * k,
      diagonalSlope: (k: number) => 6 * k,
      mean: (k: number) => k,
      fourth: (k: number) => 105 * k ** 4,
    },
  } as unknown as Activation;
  const { moments } = square;
  let calls = 0;

  it.each<[string, object, object, string[]]>([
    ["a sound one", {}, {}, []],
    ["a value that is not finite", { value: (h: number) => (h > 4 ? Number.NaN : h * h) }, {}, ["values and derivatives are finite and agree", "flags `odd` and `degree` tell the truth", "kernel, mean and slope agree with quadrature"]], // prettier-ignore
    ["a derivative that is not finite", { derivative: (h: number) => (h > 4 ? Infinity : 2 * h), smooth: false }, {}, ["values and derivatives are finite and agree"]], // prettier-ignore
    ["a derivative without its factor", { derivative: (h: number) => h }, {}, ["values and derivatives are finite and agree", "kernel, mean and slope agree with quadrature"]], // prettier-ignore
    ["oddness that is not there", { odd: true }, {}, ["flags `odd` and `degree` tell the truth"]],
    ["another degree", { degree: 1 }, {}, ["flags `odd` and `degree` tell the truth"]],
    ["a hidden state", {}, { kernel: (a: number, c: number, b: number) => moments.kernel(a, c, b) * (1 + 1e-14 * (calls++ % 2)) }, ["the same argument gives the same number"]], // prettier-ignore
    ["another mean", {}, { mean: (k: number) => 1.001 * k }, ["kernel, mean and slope agree with quadrature"]],
    ["another fourth moment", {}, { fourth: (k: number) => 3 * k ** 4 }, ["kernel, mean and slope agree with quadrature"]],
    ["another slope", {}, { kernelSlope: (_a: number, c: number) => 2 * c }, ["kernel, mean and slope agree with quadrature", "derivatives of the kernel agree with differences"]], // prettier-ignore
    ["another curvature", {}, { kernelCurvature: (_a: number, _c: number, b: number) => b }, ["derivatives of the kernel agree with differences"]], // prettier-ignore
    ["another slope of the diagonal", {}, { diagonalSlope: (k: number) => 3 * k }, ["derivatives of the kernel agree with differences"]],
    ["another diagonal", {}, { diagonal: (k: number) => 3.001 * k * k, diagonalSlope: (k: number) => 6.002 * k }, ["the diagonal is the kernel at equal arguments, without NaN at correlation ±1 or zero variance"]], // prettier-ignore
    ["NaN at zero variance", {}, { kernel: (a: number, c: number, b: number) => (a === 0 ? Number.NaN : moments.kernel(a, c, b)) }, ["the diagonal is the kernel at equal arguments, without NaN at correlation ±1 or zero variance", "the kernel is symmetric in its arguments and bounded by Cauchy–Schwarz"]], // prettier-ignore
    ["an asymmetric kernel", {}, { kernel: (a: number, c: number, b: number) => moments.kernel(a, c, b) * (1 + 1e-9 * (a - b)) }, ["the kernel is symmetric in its arguments and bounded by Cauchy–Schwarz"]], // prettier-ignore
  ])("%s", async (_what, change, moment, expected) => {
    const quadrature = "kernel, mean and slope agree with quadrature";
    // the dear one where it should fail, and of the sound one
    const wanted = ({ name }: Check): boolean => name !== quadrature || expected.length === 0 || expected.includes(quadrature);
    const checks = activationChecks({ ...square, ...change, moments: { ...moments, ...moment } });
    expect(await failing(checks.filter(wanted))).toEqual(expected);
  });
});

describe("the suite of likelihoods", () => {
  const p = (f: number): number => 1 / (1 + Math.exp(-f));
  const column = (...values: number[]): Matrix => matrixFromRows(values.map((value) => [value]));
  /** Two classes, labels ±1. */
  const logistic = {
    name: "logistic",
    latents: () => 1,
    classes: () => 2,
    check: (targets: Matrix, path = "targets") => {
      if (!targets.data.every((y) => Math.abs(y) === 1)) throw new Error(`${path}: no sign`);
    },
    observe: ({ data: y }: Matrix) => ({
      evaluate(f: Float64Array, out: { perPoint?: Float64Array; gradient?: Float64Array; curvature?: Float64Array } = {}) {
        const each = y.map((own, i) => -Math.log1p(Math.exp(-own * f[i]!)));
        out.perPoint?.set(each);
        out.gradient?.set(y.map((own, i) => own * p(-own * f[i]!)));
        out.curvature?.set(f.map((own) => p(own) * p(-own)));
        return each.reduce((a, b) => a + b, 0);
      },
      curvatureSlope(f: Float64Array, S: Float64Array, out: Float64Array) {
        out.set(f.map((own, i) => S[i]! * p(own) * p(-own) * (p(-own) - p(own))));
      },
    }),
    labels: ({ data }: Matrix) => Int32Array.from(data, (y) => (y + 1) / 2),
    encode: (labels: ArrayLike<number>) => column(...Array.from(labels, (c) => 2 * c - 1)),
    probabilities: ({ data }: Matrix) => matrixFromRows([...data].map((f) => [p(-f), p(f)])),
  } as unknown as Likelihood;
  const targets = column(1, -1, 1);
  const refused = [column(1, 0.5, 1)];
  /** The same with another answer. */
  const answering = (
    change: (out: { value: number; perPoint: Float64Array; gradient: Float64Array; curvature: Float64Array }) => void,
  ): object => ({
    // prettier-ignore
    observe: (own: Matrix) => ({
      ...logistic.observe(own),
      evaluate(f: Float64Array, out: object = {}) {
        const arrays = { perPoint: new Float64Array(3), gradient: new Float64Array(3), curvature: new Float64Array(3) };
        const value = logistic.observe(own).evaluate(f, arrays);
        const all = { value, ...arrays };
        change(all);
        for (const key of ["perPoint", "gradient", "curvature"] as const) (out as Record<string, Float64Array>)[key]?.set(all[key]);
        return all.value;
      },
    }),
  });
  const [sums, derivatives, concave, belong, checked] = ["the log density is the sum over points, finite also far out", "gradient, curvature and its contraction are derivatives", "log-concave", "classes, their targets and probabilities belong together", "targets are checked"]; // prettier-ignore

  it.each<[string, object, string[]]>([
    ["a sound one", {}, []],
    ["parts that do not add up", answering((out) => (out.perPoint[1]! += 1e-6)), [sums!]],
    ["a gradient that is not finite", answering((out) => (out.gradient[2] = Number.NaN)), [sums!, derivatives!]],
    ["another gradient", answering((out) => (out.gradient[0]! *= 1.001)), [derivatives!]],
    ["another curvature", answering((out) => (out.curvature[1]! *= 1.01)), [derivatives!]],
    ["a curvature of the wrong sign", answering((out) => (out.curvature[1]! *= -1)), [derivatives!, concave!]],
    ["another contraction", { observe: (own: Matrix) => ({ ...logistic.observe(own), curvatureSlope: (_f: unknown, _S: unknown, out: Float64Array) => void out.fill(0.1) }) }, [derivatives!]], // prettier-ignore
    ["classes in another order", { probabilities: ({ data }: Matrix) => matrixFromRows([...data].map((f) => [p(f), p(-f)])) }, [belong!]],
    ["labels that encode does not undo", { labels: ({ data }: Matrix) => Int32Array.from(data, (y) => (1 - y) / 2) }, [belong!]],
    ["classes without probabilities", { probabilities: undefined }, [belong!]],
    ["any target taken", { check: () => undefined }, [checked!]],
    ["an error without its path", { check: (own: Matrix) => logistic.check(own, "y") }, [checked!]],
    ["good targets refused", { check: () => { throw new Error("targets: no"); } }, [checked!]], // prettier-ignore
  ])("%s", async (_what, change, expected) => {
    expect(await failing(likelihoodChecks({ likelihood: { ...logistic, ...change }, targets, refused }))).toEqual(expected);
  });
});

describe("the suite of theories", () => {
  const flat: PriorModel = {
    name: "flat",
    summary: "no hidden layer",
    schema: v.looseObject({ type: v.literal("flat"), weightVariance: v.array(v.number()) }) as never,
    architecture: ({ weightVariance }: never) =>
      ({ layers: [{ kind: "random", weightVariance: weightVariance[0], biasVariance: 0 }] }) as never,
    vary: (network, { weightVariance }) => ({ ...network, weightVariance: (network as never as { weightVariance: number[] }).weightVariance.map((w, l) => weightVariance?.(w, l) ?? w) }) as never, // prettier-ignore
  };
  const registry = createRegistry([{ name: "flat", priorModels: [flat] }]);
  const sum = (n: number, of: (i: number) => number): number => Array.from({ length: n }, (_, i) => of(i)).reduce((a, b) => a + b, 0);
  /** K + T for two points, its inverse, and (K + T)⁻¹Y. */
  function conditioned({ network, inputs, targets, temperature }: Problem) {
    const w = (network as never as { weightVariance: number[] }).weightVariance[0]!;
    const x = (i: number): number[] => [...inputs.data.subarray(2 * i, 2 * i + 2)];
    const k = (a: number[], b: number[]): number => (w * (a[0]! * b[0]! + a[1]! * b[1]!)) / 2;
    const [p, q, r] = [k(x(0), x(0)) + temperature, k(x(0), x(1)), k(x(1), x(1)) + temperature];
    const determinant = p * r - q * q;
    const inverse = [[r / determinant, -q / determinant], [-q / determinant, p / determinant]]; // prettier-ignore
    const D = targets.shape[1];
    const alpha = inverse.map((row) => Array.from({ length: D }, (_, d) => row[0]! * targets.data[d]! + row[1]! * targets.data[D + d]!));
    return { x, k, determinant, inverse, alpha, D };
  }
  const at = ({ problem }: Pick<Posterior, "problem">, rows: number[][]): Prediction => {
    const { x, k, inverse, alpha, D } = conditioned(problem);
    const cross = rows.map((row) => [k(row, x(0)), k(row, x(1))]);
    return {
      mean: matrixFromRows(cross.map((c) => Array.from({ length: D }, (_, d) => c[0]! * alpha[0]![d]! + c[1]! * alpha[1]![d]!))),
      variance: matrixFromRows(rows.map((row, i) => Array.from({ length: D }, () => k(row, row) - sum(2, (a) => sum(2, (b) => cross[i]![a]! * inverse[a]![b]! * cross[i]![b]!))))), // prettier-ignore
    };
  };
  const rowsOf = ({ data, shape }: Matrix): number[][] => Array.from({ length: shape[0] }, (_, i) => [...data.subarray(2 * i, 2 * i + 2)]);
  const ridge: Theory = {
    name: "ridge",
    summary: "ridge regression",
    options: strictObject({}) as never,
    refuses: ({ temperature }) => (temperature === 0 ? "needs noise, where there is none; use another theory" : undefined),
    async fit(problem, options, run) {
      run.signal?.throwIfAborted();
      const { determinant, alpha, D } = conditioned(problem);
      const quadratic = sum(2, (i) => sum(D, (d) => problem.targets.data[i * D + d]! * alpha[i]![d]!));
      const train = at({ problem }, rowsOf(problem.inputs));
      const logEvidence = -0.5 * (quadratic + D * Math.log(determinant) + 2 * D * Math.log(2 * Math.PI));
      const solver = { converged: true, iterations: 0, residual: 0, jitter: 0 };
      return { theory: "ridge", problem, options, state: {}, solver, train, logEvidence, diagnostics: {}, warnings: [] };
    },
    predict: async (posterior, inputs) => at(posterior, rowsOf(inputs)),
    async evidenceGradient({ problem }): Promise<EvidenceGradient> {
      const { inverse, alpha, D } = conditioned(problem);
      const T = problem.temperature;
      const noise = 0.5 * T * (sum(2, (i) => sum(D, (d) => alpha[i]![d]! ** 2)) - D * (inverse[0]![0]! + inverse[1]![1]!));
      const all = 0.5 * (sum(2, (i) => sum(D, (d) => problem.targets.data[i * D + d]! * alpha[i]![d]!)) - 2 * D);
      return { logWeightVariance: [all - noise], logBiasVariance: [null], logTemperature: noise, widths: [] };
    },
    *claims({ predictive }): Iterable<Claim> {
      yield { id: "mean", statement: "it is", source: "here", estimand: { of: "posterior", quantity: "predictive.mean" }, value: predictive.mean, error: "exact" }; // prettier-ignore
    },
  };
  const problem = { network: { type: "flat", weightVariance: [1.4] }, inputs: [[1, 0.5], [-0.3, 2]], targets: [[1, 0.2, -1], [0.4, -2, 3]], temperature: 0.3 }; // prettier-ignore
  const testInputs = matrixFromRows([[0.2, 1], [1, -1], [2, 0.1]]); // prettier-ignore
  const suite = { registry, cases: [{ problem, testInputs }], refused: { ...problem, temperature: 0 } };
  /** The fitted posterior, or the predictions, changed. */
  const fitting = (change: (posterior: Posterior) => object): object => ({ fit: async (...call: Parameters<Theory["fit"]>) => { const own = await ridge.fit(...call); return { ...own, ...change(own) }; } }); // prettier-ignore
  const predicting = (change: (own: Prediction, inputs: Matrix, posterior: Posterior) => object): object => ({ predict: async (posterior: Posterior, inputs: Matrix) => { const own = at(posterior, rowsOf(inputs)); return { ...own, ...change(own, inputs, posterior) }; } }); // prettier-ignore
  const claiming = (change: object, more: object[] = []): object => ({ claims: (...call: Parameters<Theory["claims"]>) => [...[...ridge.claims(...call)].map((claim) => ({ ...claim, ...change })), ...more] }); // prettier-ignore
  const scaled = (m: Matrix, factor: number): Matrix => ({ data: m.data.map((value) => factor * value), shape: m.shape });
  let calls = 0;
  const accepts = "accepts the problem and gives finite answers of the right shapes";
  const seed = "the same seed gives the same numbers, and inputs are left unchanged";
  const plain = "posteriors are plain data: they survive structured clone and .npz";
  const blocks = "predictions do not depend on the size of the block of test points";
  const order = "the order of the training points does not matter";
  const slopes = "derivatives of the log evidence, where they are given without an error, are those of fits";
  const claims = "claims are complete, unique and of the right shape";
  const refuses = "refuses what it cannot do, in a sentence";

  it.each<[string, object, string[]]>([
    ["a sound one", {}, []],
    ["a refusal", { refuses: () => "never, whatever you ask me" }, [accepts]],
    ["no refusal", { refuses: () => undefined }, [refuses]],
    ["a short refusal", { refuses: ({ temperature }: Problem) => (temperature === 0 ? "no" : undefined) }, [refuses]],
    ["another name", fitting(() => ({ theory: "other" })), [accepts]],
    ["an evidence that is not finite", fitting(() => ({ logEvidence: Infinity })), [accepts, slopes, order]],
    ["training rows of another number", fitting(({ train }) => ({ train: { mean: train!.mean, variance: matrixFromRows([[1, 1, 1]]) } })), [accepts]], // prettier-ignore
    ["hidden kernels of another size", fitting(() => ({ hiddenKernels: [matrixFromRows([[1]])] })), [accepts]],
    ["no convergence and no warning", fitting(({ solver }) => ({ solver: { ...solver, converged: false } })), [accepts]],
    ["no convergence and a warning", fitting(({ solver }) => ({ solver: { ...solver, converged: false }, warnings: ["so"] })), []],
    ["a negative variance", predicting(({ variance }) => ({ variance: scaled(variance, -1) })), [accepts]],
    [
      "outputs left out",
      predicting(({ mean }) => ({ mean: { data: mean.data, shape: [mean.data.length, 1] } })),
      [accepts, blocks, claims],
    ],
    ["another slope in the variance", { evidenceGradient: async (...call: Parameters<NonNullable<Theory["evidenceGradient"]>>) => ({ ...(await ridge.evidenceGradient!(...call))!, logWeightVariance: [0.1] }) }, [slopes]], // prettier-ignore
    ["another slope in the temperature", { evidenceGradient: async (...call: Parameters<NonNullable<Theory["evidenceGradient"]>>) => ({ ...(await ridge.evidenceGradient!(...call))!, logTemperature: null }) }, [slopes]], // prettier-ignore
    ["inputs written to", fitting(({ problem: own }) => (own.inputs.data.fill(1), {})), [seed]],
    ["a mean of its own at every call", predicting(({ mean }) => ({ mean: scaled(mean, 1 + 1e-12 * calls++) })), [seed, plain]],
    [
      "a variance of its own at every call",
      predicting(({ variance }) => ({ variance: scaled(variance, 1 + 1e-12 * calls++) })),
      [seed, plain],
    ],
    ["a function in the posterior", fitting(() => ({ state: { now: () => 1 } })), [plain]],
    ["predictions that read more than they may", predicting(({ mean }, _inputs, { train }) => ({ mean: scaled(mean, train ? 1 : 2) })), [plain]], // prettier-ignore
    ["variances that read more than they may", predicting(({ variance }, _inputs, { train }) => ({ variance: scaled(variance, train ? 1 : 2) })), [plain]], // prettier-ignore
    ["means by the number of test points", predicting(({ mean }, { shape }) => ({ mean: scaled(mean, shape[0]) })), [blocks]],
    ["variances by the number of test points", predicting(({ variance }, { shape }) => ({ variance: scaled(variance, shape[0]) })), [blocks]], // prettier-ignore
    ["means by the first training point", predicting(({ mean }, _inputs, { problem: own }) => ({ mean: scaled(mean, own.inputs.data[0]!) })), [order]], // prettier-ignore
    ["an evidence by the first training point", fitting(({ problem: own, logEvidence }) => ({ logEvidence: logEvidence! + own.inputs.data[0]! })), [order]], // prettier-ignore
    ["no way to cancel", { fit: (...[own, options]: Parameters<Theory["fit"]>) => ridge.fit(own, options, { registry } as never) }, ["a cancelled run rejects with the reason"]], // prettier-ignore
    ["a claim twice", claiming({}, [{ id: "mean", statement: "s", source: "s", estimand: {}, value: { data: [], shape: [] } }]), [claims]],
    ["a claim without a source", claiming({ source: "" }), [claims]],
    ["a claim of another shape", claiming({ value: matrixFromRows([[1]]) }), [claims]],
    ["a claim that is no number", claiming({ value: { data: Float64Array.of(Number.NaN), shape: [1] }, estimand: { quantity: "other" } }), [claims]], // prettier-ignore
    ["options that are not looked at", { options: v.looseObject({}) }, ["options reject unknown keys"]],
  ])("%s", async (_what, change, expected) => {
    expect((await failing(theoryChecks({ ...ridge, ...change } as Theory, suite))).toSorted()).toEqual(expected.toSorted());
  });

  it("test inputs may be lists of rows", async () => {
    const cases = suite.cases.map((one) => ({ ...one, testInputs: rowsOf(one.testInputs) }));
    expect(await failing(theoryChecks(ridge as Theory, { ...suite, cases }))).toEqual([]);
  });
});
