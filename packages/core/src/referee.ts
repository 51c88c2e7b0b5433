import type { Matrix, Tensor } from "./tensor.js";
import type { Json } from "./json.js";
import type { Problem } from "./problem.js";
import type { Run } from "./run.js";

/** How far a number of a theory can be believed. */
export type VerdictStatus = "confirmed" | "doubtful" | "contradicted" | "unchecked";

/** Verdict on a quantity: plain data, as it stands in result files. */
export interface Verdict {
  readonly status: VerdictStatus;
  /** Estimated |theory − truth|. */
  readonly error: number | null;
  readonly standardError: number | null;
  /** One sentence: how it is known. */
  readonly how: string;
}

/** Numbers of one fitted method: what it cannot give is left out. */
export interface FittedMethod {
  /** Latent outputs at the test inputs (at the training inputs when there are no others), P* × D. */
  readonly predictive?: {
    readonly mean: Matrix;
    readonly variance: Matrix;
    readonly probabilities?: Matrix;
    /** Of sampled predictions. */
    readonly standardError?: { readonly mean: Matrix; readonly variance: Matrix; readonly probabilities?: Matrix };
    readonly replicates?: readonly { readonly mean: Matrix; readonly variance: Matrix }[];
  };
  readonly logEvidence?: number;
  readonly logEvidenceStandardError?: number;
  readonly hiddenKernels?: readonly Matrix[];
  /** Of sampled kernels. */
  readonly hiddenKernelStandardErrors?: readonly Matrix[];
  readonly orderParameter?: number | Tensor;
  /** Separate modes of the posterior, where the method found several. */
  readonly modes?: number;
}

/** Where outputs are compared. */
export interface RefereeTests {
  readonly inputs: Matrix;
  /** P* × D. */
  readonly targets?: Matrix;
}

/** Options of a referee. */
export interface RefereeOptions {
  /** Draws per chain at the first look. @defaultValue 14 */
  readonly draws?: number;
  /** Looks at most; later ones go on with the same chains, to 4 and 14 times as many draws. @defaultValue 3 */
  readonly looks?: number;
  /** Independent chains. @defaultValue 32 */
  readonly chains?: number;
  /** Relative errors up to this do not count. @defaultValue 0.05 */
  readonly tolerance?: number;
  /** Work that it may take, in seconds of a machine of 10 Gflop/s: counted, not timed. @defaultValue 10 */
  readonly seconds?: number;
}

/** Verdicts on the quantities that a method gives. */
export interface MethodVerdict {
  readonly predictive?: Verdict;
  readonly generalizationError?: Verdict;
  readonly logEvidence?: Verdict;
  readonly hiddenKernels?: Verdict;
  readonly orderParameter?: Verdict;
}

/** Verdicts by method, and the referee's own numbers. */
export interface RefereeReport {
  readonly verdicts: Readonly<Record<string, MethodVerdict>>;
  readonly referee: { readonly [key: string]: Json };
}

/** Plug-in kind: who judges the answers of theories, by asking the network itself. */
export interface Referee {
  readonly name: string;
  readonly summary: string;
  /** Judges all methods on the same evidence; the same numbers for the same seed and options. Without `tests`, at the training inputs. */
  judge(
    problem: Problem,
    methods: Readonly<Record<string, FittedMethod>>,
    tests: RefereeTests | undefined,
    options: RefereeOptions,
    run: Run,
  ): Promise<RefereeReport>;
}
