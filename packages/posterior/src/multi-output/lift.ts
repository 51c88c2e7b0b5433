import { inputError, type Architecture, type Matrix, type MixingLaw, type RandomStream } from "@finitewidth/core";
import { infiniteWidthKernels, mixingLaw } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import {
  addConstantCovariance,
  biasCovariance,
  blockDiagonal,
  chainLayout,
  hasUpperBiases,
  mixingMoments,
  sampleChainFactors,
  type MixingMoments,
} from "@finitewidth/numerics";

/** The prior of D outputs: outputs share the random kernel, so the mixing variable becomes a matrix over (output, site). */
export interface MultiOutputPrior {
  readonly outputs: number;
  /** One draw of the mixing matrix, (D·S) × (D·S). */
  sampleMixing(stream: RandomStream): Matrix;
  /** One draw of the covariance of all outputs at inputs × inputs, biases of every layer included: (D·P) × (D·P), output index first. */
  sampleCovariance(inputs: Matrix, stream: RandomStream): Matrix;
  /** Covariance of the outputs given the mixing matrix; biases beyond layer 1 left out. */
  covariance(mixing: Matrix, inputs: Matrix, others?: Matrix): Matrix;
  /**
   * log density of the mixing matrix where it is known: one output, or one hidden layer at least D wide. @throws FinitewidthError (code
   * "refused").
   */
  logDensity(mixing: Matrix): number;
  /** Exact means and covariances of the entries of the mixing matrix and of the bias part. @throws FinitewidthError (code "memory"). */
  moments(): MixingMoments;
  /** Covariance of all outputs at infinite width: I_D ⊗ K^{L+1}, (D·P) × (D·P). */
  infiniteWidth(inputs: Matrix): Matrix;
}

/**
 * The prior of D outputs of a network. @throws FinitewidthError (code "input") for D < 1 or when the layers have no exact mixing law.
 */
export function multiOutputPrior(architecture: Architecture, outputs: number): MultiOutputPrior {
  if (!(Number.isInteger(outputs) && outputs >= 1)) throw inputError("outputs", "a positive integer", outputs);
  const law = mixingLaw(architecture);
  if (law === undefined) throw inputError("network", "linear layers with a known mixing law", "a network without one");
  return liftLaw(law, outputs, (inputs) => infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!);
}

function liftLaw(law: MixingLaw, outputs: number, infinite: (inputs: Matrix) => Matrix): MultiOutputPrior {
  const layout = chainLayout(law.chain, outputs);
  return {
    outputs,
    sampleMixing: (stream) => law.sample(outputs, stream),
    sampleCovariance: (inputs, stream) => {
      const mixing = sampleChainFactors(layout, stream).map(({ f }) => gram(f));
      const covariance = law.covariance(outputs, mixing[0]!, inputs);
      if (hasUpperBiases(law.chain)) addConstantCovariance(covariance, biasCovariance(law.chain, outputs, mixing));
      return covariance;
    },
    covariance: (mixing, inputs, others) => law.covariance(outputs, mixing, inputs, others),
    logDensity: (mixing) => {
      if (law.logDensity === undefined) throw inputError("outputs", "a mixing matrix whose density is known", outputs);
      return law.logDensity(outputs, mixing);
    },
    moments: () => mixingMoments(law.chain, outputs),
    infiniteWidth: (inputs) => blockDiagonal(infinite(inputs), outputs),
  };
}
