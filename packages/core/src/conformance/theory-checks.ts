import { toMatrix, type MatrixLike } from "../arrays.js";
import { createProblem, type ProblemInput } from "../facade.js";
import { randomLayers } from "../layers.js";
import { resolveArchitecture, type Registry } from "../registry.js";
import type { Problem } from "../problem.js";
import { posteriorFromNpz, posteriorToNpz } from "../npz.js";
import type { Posterior } from "../posterior.js";
import type { Prediction } from "../prediction.js";
import { inlineRun } from "../run.js";
import { priorQuestion } from "../scaling.js";
import type { Matrix } from "../tensor.js";
import { rowRange } from "../tensor.js";
import type { Theory } from "../theory.js";
import { validate } from "../validation.js";
import { demand, demandClose, demandFinite, demandSame, type Check } from "./check.js";

/** A problem that the theory accepts. */
export interface TheoryCase {
  readonly problem: ProblemInput;
  /** At least two rows. */
  readonly testInputs: MatrixLike;
  readonly options?: Readonly<Record<string, unknown>>;
  /**
   * Relative change allowed when the training points are permuted: rounding for closed forms, a few standard errors for samplers.
   * @defaultValue 1e-6
   */
  readonly tolerance?: number;
}

/** Settings of the theory suite. */
export interface TheorySuite {
  readonly registry: Registry;
  readonly cases: readonly TheoryCase[];
  /** A problem that the theory must refuse, if there is one. */
  readonly refused?: ProblemInput;
}

/** What every theory must satisfy. */
export function theoryChecks(theory: Theory, suite: TheorySuite): Check[] {
  const { registry, refused } = suite;
  const checks = suite.cases.flatMap((entry, i) =>
    checksOf(theory, entry, registry).map((check) => ({ ...check, name: `case ${i}: ${check.name}` })),
  );
  checks.push({
    name: "options reject unknown keys",
    run() {
      const result = theory.options["~standard"].validate({ surelyUnknownOption: 1 });
      demand(
        !(result instanceof Promise) && result.issues !== undefined,
        "an unknown option must be rejected (use strictObject): a misspelt option would be ignored in silence",
      );
    },
  });
  if (refused) {
    checks.push({
      name: "refuses what it cannot do, in a sentence",
      run() {
        const reason = theory.refuses(createProblem(refused, registry), validate(theory.options, {}, "options"), registry);
        demand(typeof reason === "string" && reason.length > 20, "refuses() must return a sentence that says why, and what to use instead");
      },
    });
  }
  return checks;
}

function checksOf(
  theory: Theory,
  { problem: input, testInputs: rows, options: rawOptions = {}, tolerance = 1e-6 }: TheoryCase,
  registry: Registry,
): Check[] {
  const testInputs = toMatrix(rows, "testInputs");
  const problem = () => createProblem(input, registry);
  const options = () => validate(theory.options, rawOptions, "options");
  const run = (seed = 1) => inlineRun({ registry, seed });
  const fit = (seed = 1): Promise<Posterior> => theory.fit(problem(), options(), run(seed));
  const predict = (posterior: Posterior, inputs = testInputs): Promise<Prediction> =>
    theory.predict(posterior, inputs, { covariance: false }, run());
  return [
    {
      name: "accepts the problem and gives finite answers of the right shapes",
      async run() {
        const { inputs, targets } = problem();
        const reason = theory.refuses(problem(), options(), registry);
        demand(reason === undefined, `refuses this case: ${reason}`);
        const posterior = await fit();
        const D = targets.shape[1];
        const check = (prediction: Prediction | undefined, rows: number, what: string): void => {
          if (prediction === undefined) return;
          for (const part of ["mean", "variance"] as const) {
            demand(
              prediction[part].shape[0] === rows && prediction[part].shape[1] === D,
              `${what}.${part}: expected ${rows} × ${D}, got ${prediction[part].shape.join(" × ")}`,
            );
            demandFinite(prediction[part].data, `${what}.${part}`);
          }
          demand(
            prediction.variance.data.every((value) => value >= 0),
            `${what}.variance must not be negative; say so in a warning when the theory breaks down`,
          );
        };
        check(await predict(posterior), testInputs.shape[0], "predictive");
        check(posterior.train, inputs.shape[0], "train");
        demand(posterior.theory === theory.name, `posterior.theory must be "${theory.name}"`);
        if (posterior.logEvidence !== undefined) demandFinite([posterior.logEvidence], "logEvidence");
        posterior.hiddenKernels?.forEach((kernel, l) => {
          demand(
            kernel.shape[0] === inputs.shape[0] && kernel.shape[1] === inputs.shape[0],
            `hiddenKernels[${l}]: expected ${inputs.shape[0]} × ${inputs.shape[0]}`,
          );
          demandFinite(kernel.data, `hiddenKernels[${l}]`);
        });
        demand(
          posterior.solver.converged || posterior.warnings.length > 0,
          "an answer that did not converge must carry a warning (or be thrown as an error)",
        );
      },
    },
    {
      name: "derivatives of the log evidence, where they are given without an error, are those of fits",
      async run() {
        const posterior = await fit();
        const found = await theory.evidenceGradient?.(posterior, run());
        if (found === undefined || found.standardError !== undefined) return;
        const { network, temperature } = posterior.problem;
        const readout = randomLayers(resolveArchitecture(registry, network).layers).length - 1;
        const vary = (factor: number): Problem["network"] =>
          registry
            .priorModel(network.type)
            .vary(network, { weightVariance: (variance, layer) => (layer === readout ? factor * variance : variance) }, registry);
        const slope = async (at: (factor: number) => Problem): Promise<number> => {
          const value = async (step: number) => (await theory.fit(at(Math.exp(step)), options(), run())).logEvidence!;
          const central = async (step: number) => ((await value(step)) - (await value(-step))) / (2 * step);
          return (4 * (await central(0.01)) - (await central(0.02))) / 3;
        };
        const wanted = [
          await slope((factor) => ({ ...posterior.problem, network: vary(factor) })),
          temperature > 0 ? await slope((factor) => ({ ...posterior.problem, temperature: factor * temperature })) : 0,
        ];
        // in mean-field scaling too: factors of variances and temperature are the same there
        const given = [found.logWeightVariance[readout]!, found.logTemperature ?? 0];
        demandClose(given, wanted, Math.max(tolerance, 1e-5), "evidenceGradient: log σ_w²(L+1), log T");
      },
    },
    {
      name: "the same seed gives the same numbers, and inputs are left unchanged",
      async run() {
        const before = problem();
        const copy = structuredClone(before);
        const first = await theory.fit(before, options(), run());
        demandSame(before.inputs.data, copy.inputs.data, "inputs", "fit must not write into its arguments");
        demandSame(before.targets.data, copy.targets.data, "targets", "fit must not write into its arguments");
        const second = await fit();
        const [a, b] = [await predict(first), await predict(second)];
        demandSame(
          b.mean.data,
          a.mean.data,
          "predictive.mean",
          "draw all randomness from streams of run.seed, and keep no state between calls",
        );
        demandSame(
          b.variance.data,
          a.variance.data,
          "predictive.variance",
          "draw all randomness from streams of run.seed, and keep no state between calls",
        );
      },
    },
    {
      name: "posteriors are plain data: they survive structured clone and .npz",
      async run() {
        const posterior = await fit();
        const expected = (await predict(posterior)).mean.data;
        let cloned: Posterior;
        try {
          cloned = structuredClone(posterior);
        } catch (cause) {
          throw new Error("the posterior holds a function or a class instance; keep plain objects, numbers and tensors in it", { cause });
        }
        demandSame(
          (await predict(cloned)).mean.data,
          expected,
          "predictive.mean after structured clone",
          "keep everything that predict needs in posterior.state",
        );
        const saved = posteriorFromNpz(posteriorToNpz(posterior));
        demandSame(
          (await predict(saved)).mean.data,
          expected,
          "predictive.mean after .npz",
          "keep everything that predict needs in tensors and plain values",
        );
        const { theory: name, problem: question, options: chosen, state, solver } = saved;
        const bare: Posterior = { theory: name, problem: question, options: chosen, state, solver, diagnostics: {}, warnings: [] };
        const [full, lean] = [await predict(posterior), await predict(bare)];
        demandSame(
          lean.mean.data,
          expected,
          "predictive.mean from problem, options and state alone",
          "predict must read nothing else of a posterior",
        );
        demandSame(
          lean.variance.data,
          full.variance.data,
          "predictive.variance from problem, options and state alone",
          "predict must read nothing else of a posterior",
        );
      },
    },
    {
      name: "predictions do not depend on the size of the block of test points",
      async run() {
        const posterior = await fit();
        const whole = await predict(posterior);
        const D = whole.mean.shape[1];
        const parts = [
          await predict(posterior, rowRange(testInputs, 0, 1)),
          await predict(posterior, rowRange(testInputs, 1, testInputs.shape[0])),
        ];
        demandClose([...parts[0]!.mean.data, ...parts[1]!.mean.data], whole.mean.data, 1e-9, "predictive.mean in two blocks");
        demandClose(
          [...parts[0]!.variance.data, ...parts[1]!.variance.data],
          whole.variance.data,
          1e-9,
          "predictive.variance in two blocks",
        );
        demand(parts[0]!.mean.data.length === D, "one test point must give one row");
      },
    },
    {
      name: "the order of the training points does not matter",
      async run() {
        const original = problem();
        const reversed = { ...original, inputs: reverseRows(original.inputs), targets: reverseRows(original.targets) };
        const [a, b] = [await theory.fit(original, options(), run()), await theory.fit(reversed, options(), run())];
        demandClose(
          (await predict(b)).mean.data,
          (await predict(a)).mean.data,
          tolerance,
          "predictive.mean with the training points reversed",
        );
        if (a.logEvidence !== undefined && b.logEvidence !== undefined)
          demandClose([b.logEvidence], [a.logEvidence], tolerance, "logEvidence with the training points reversed");
      },
    },
    {
      name: "a cancelled run rejects with the reason",
      async run() {
        const controller = new AbortController();
        const reason = new Error("cancelled by the caller");
        controller.abort(reason);
        let thrown: unknown;
        try {
          await theory.fit(problem(), options(), inlineRun({ registry, signal: controller.signal }));
        } catch (error) {
          thrown = error;
        }
        demand(thrown === reason, "fit must call run.signal?.throwIfAborted() at its start and between steps");
      },
    },
    {
      name: "claims are complete, unique and of the right shape",
      async run() {
        const scenario = { name: "conformance", problem: problem(), testInputs };
        const { inputs, targets } = scenario.problem;
        const ids = new Set<string>();
        const posterior = await fit();
        const question = priorQuestion(scenario.problem, registry);
        const answers = theory.prior !== undefined && theory.refusesPrior?.(question, options(), registry) === undefined;
        const prior = answers ? await theory.prior!(question, options(), run()) : undefined;
        for (const claim of theory.claims(
          { scenario, posterior, predictive: await predict(posterior), ...(prior ? { prior } : {}) },
          registry,
        )) {
          demand(!ids.has(claim.id), `claim "${claim.id}" is stated twice`);
          ids.add(claim.id);
          demandFinite(claim.value.data, `claim ${claim.id}`);
          demand(claim.source.length > 0 && claim.statement.length > 0, `claim ${claim.id} needs a statement and a source`);
          const shape = {
            "predictive.mean": [testInputs.shape[0], targets.shape[1]],
            "train.mean": [inputs.shape[0], targets.shape[1]],
            generalizationError: [1],
            hiddenKernel: [inputs.shape[0], inputs.shape[0]],
          }[claim.estimand.quantity as string];
          if (shape)
            demand(
              shape.join() === claim.value.shape.join(),
              `claim ${claim.id}: expected shape ${shape.join(" × ")}, got ${claim.value.shape.join(" × ")}`,
            );
        }
      },
    },
  ];
}

function reverseRows(m: Matrix): Matrix {
  const [rows, columns] = m.shape;
  const data = new Float64Array(m.data.length);
  for (let i = 0; i < rows; i++) data.set(m.data.subarray((rows - 1 - i) * columns, (rows - i) * columns), i * columns);
  return { data, shape: m.shape };
}
