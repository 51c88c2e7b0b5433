import type { Matrix } from "./tensor.js";

/** A real network drawn from the prior with its readout integrated out: what observables are functions of. Index point·D + output. */
export interface NetworkDraw {
  /** K̂^{L+1} between the training inputs and then the test inputs (none for questions about the prior), readout bias included: n × n. */
  readonly kernel: Matrix;
  /** Number of training inputs, P. */
  readonly points: number;
  /** P* × D, where generalisation errors are asked for. */
  readonly testTargets?: Matrix;
  /** Ĝ¹ … Ĝ^L over the training inputs, P × P each. */
  hiddenKernels(): readonly Matrix[];
  /** Law of the outputs given the hidden layers and the targets; left out for questions about the prior. */
  readonly conditional?: {
    /**
     * E[f | hidden layers, Y] at all inputs, n × D. Under likelihoods other than Gaussian noise the readout is drawn too: f itself (logits
     * for softmax), without variance.
     */
    readonly mean: Matrix;
    /** Covariance that every output has by itself, n × n, worked out when asked for. */
    covariance(): Matrix;
    /** Its diagonal: n numbers. */
    readonly variance: Float64Array;
    /**
     * E[Σ_n a_n a_nᵀ | hidden layers, Y]/N_L of the readout weights a_n in units of their prior, D × D, when asked for: the order
     * parameter of one hidden layer. Left out under likelihoods other than Gaussian noise.
     */
    readonly readoutNorm?: () => Matrix;
    /** p(class | f), n × classes, for likelihoods of classes. */
    readonly probabilities?: Matrix;
  };
}

/** Averages of terms over networks, with the likelihood of the targets as their weight (posterior) or weight 1 (prior). */
export interface TermAverages {
  /** @throws Error when no observable asked for that term. */
  of(term: string): Float64Array;
  /** log of the mean weight. */
  readonly logMeanWeight: number;
}

/** Plug-in kind: a number of the posterior or prior that sampled networks can estimate, and that theories may make claims about. */
export interface Observable {
  /** Name in `Claim.estimand.quantity`, as in the result files: "predictive.mean". */
  readonly name: string;
  readonly of: "prior" | "posterior";
  /** One line for people. */
  readonly label: string;
  /** One observable for each hidden layer, told apart by `layer` = 1 … L. */
  readonly perLayer?: boolean;
  /** Functions of one draw whose averages are needed, by names that other observables may share. */
  terms(draw: NetworkDraw, layer: number): Readonly<Record<string, Float64Array>>;
  /** The observable from these averages; P training inputs. */
  value(averages: TermAverages, points: number, layer: number): Float64Array;
}
