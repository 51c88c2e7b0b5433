import {
  inputError,
  resolveArchitecture,
  shapeError,
  toStandardScaling,
  type FiniteNetworkState,
  type Matrix,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { innerProduct } from "@finitewidth/linalg";
import { gaussianPieces } from "../posterior/gaussian-pieces.js";
import { drawStates, readoutKernel } from "../sampled/network-draws.js";
import { standardError } from "../sampled/standard-error.js";

/** One draw from the prior: the kernel of the outputs on the training points (K̂^{L+1}, P × P) and the values of the observables. */
export interface ObservableDraw {
  readonly kernel: Matrix;
  readonly values: ArrayLike<number>;
}

/** Posterior means of hidden-layer observables to first order, with standard errors of the sampling. */
export interface ObservableCorrection {
  /** E O under the prior. */
  readonly prior: Float64Array;
  /** ½ Σ_cd A_cd Cov(O, K̂_cd). */
  readonly correction: Float64Array;
  /** Their sum, ⟨O⟩. */
  readonly posterior: Float64Array;
  /** Of `correction` and of `posterior`, from 16 batches. */
  readonly standardError: { readonly correction: Float64Array; readonly posterior: Float64Array };
  readonly draws: number;
}

/**
 * Posterior mean of any hidden-layer observable to first order, ⟨O⟩ = E O + ½ Σ_cd A_cd Cov(O, K̂^{L+1}_cd), A = aaᵀ − DΓ⁻¹, Γ = K^{L+1} +
 * T, from draws of (K̂, O) under the prior of any architecture. `kernel`: K^{L+1} at infinite width on the training points. O(draws · P²).
 * Source: docs/theories/perturbative.md §10; J. Zavatone-Veth et al. (2021), eq. 8.
 * @throws FinitewidthError (code "input") for fewer than 32 draws or draws of different sizes.
 */
export function correctObservable(
  draws: Iterable<ObservableDraw>,
  kernel: Matrix,
  targets: Matrix,
  temperature: number,
): ObservableCorrection {
  const { gradient } = gaussianPieces(kernel, targets, temperature);
  const scores: number[] = [];
  const values: Float64Array[] = [];
  for (const draw of draws) {
    if (draw.kernel.data.length !== gradient.data.length)
      throw shapeError("draws[].kernel", gradient.shape.join(" × "), draw.kernel.shape.join(" × "));
    scores.push(0.5 * innerProduct(gradient, draw.kernel));
    values.push(Float64Array.from(draw.values));
    if (values.at(-1)!.length !== values[0]!.length)
      throw shapeError("draws[].values", `${values[0]!.length} numbers`, `${values.at(-1)!.length}`);
  }
  const count = values.length;
  if (count < 2 * batchCount) throw inputError("draws", `at least ${2 * batchCount} draws`, count);
  const whole = moments(scores, values, 0, count);
  const size = Math.floor(count / batchCount);
  const batches = Array.from({ length: batchCount }, (_, b) => moments(scores, values, b * size, (b + 1) * size));
  const sum = ({ prior, correction }: Moments): Float64Array => prior.map((value, i) => value + correction[i]!);
  return {
    ...whole,
    posterior: sum(whole),
    standardError: { correction: standardError(batches.map((batch) => batch.correction)), posterior: standardError(batches.map(sum)) },
    draws: count,
  };
}

const batchCount = 16;

interface Moments {
  readonly prior: Float64Array;
  readonly correction: Float64Array;
}

function moments(scores: readonly number[], values: readonly Float64Array[], from: number, to: number): Moments {
  const count = to - from;
  const size = values[0]!.length;
  const [prior, correction] = [new Float64Array(size), new Float64Array(size)];
  let score = 0;
  for (let s = from; s < to; s++) {
    score += scores[s]! / count;
    for (let i = 0; i < size; i++) prior[i]! += values[s]![i]! / count;
  }
  for (let s = from; s < to; s++)
    for (let i = 0; i < size; i++) correction[i]! += ((scores[s]! - score) * (values[s]![i]! - prior[i]!)) / (count - 1);
  return { prior, correction };
}

/**
 * `correctObservable` for a problem of any registered architecture: networks are drawn from its prior model and `observe` reads the
 * observables off the state of each (hidden kernels, features, …). A third-party architecture gets its corrections without a theory of its
 * own. One forward run a network and O(P²) for its kernel, 4096 networks unless `samples` says otherwise.
 * @throws FinitewidthError (code "input").
 */
export function correctNetworkObservable(
  problem: Problem,
  observe: (state: FiniteNetworkState) => ArrayLike<number>,
  settings: { readonly registry: Registry; readonly samples?: number; readonly seed?: number },
): ObservableCorrection {
  const { network, inputs, targets, temperature } = toStandardScaling(problem, settings.registry);
  const architecture = resolveArchitecture(settings.registry, network);
  const kernel = infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!;
  function* draws(): Generator<ObservableDraw> {
    for (const state of drawStates(architecture, inputs, settings.samples ?? 4096, settings.seed ?? 1))
      yield { kernel: readoutKernel(architecture, state), values: observe(state) };
  }
  return correctObservable(draws(), kernel, targets, temperature);
}
