import { transpose } from "@finitewidth/linalg";
import { fitLatentPosterior, predictLatentPosterior, type LatentPosteriorState, type OutputChain } from "@finitewidth/likelihoods";
import { isOdd, newPoints, trainKernel, type Setting } from "../setting.js";
import { outputArrays, requireArrays, type Regime } from "./regime.js";

/** q or Q: one Wishart matrix a layer, which multiplies the kernel of the readout. */
const chainOf = ({ widths, biasVariance }: Setting): OutputChain => ({ widths, readoutBias: biasVariance });

/**
 * Likelihoods other than Gaussian noise: f | Q ~ N(0, Q ⊗ K) with N Q ~ W(N, 1), integrated by quadrature (one latent output) or sampled.
 * Deep networks: the product closure. Source: docs/theories/classification.md.
 */
export const latent: Regime<LatentPosteriorState> = {
  name: "latent",
  applies: ({ problem }) => problem.likelihood !== undefined,
  refuses: (setting, { mode, correction }) => {
    if (setting.dense === undefined)
      return "takes likelihoods other than Gaussian noise for fully connected networks only; use nngp or monte-carlo.";
    if (mode === "saddle" || correction !== "none")
      return 'likelihoods other than Gaussian noise are integrated over the order parameter: leave out "mode" and "correction".';
    return undefined;
  },
  async fit(setting, options, run) {
    requireArrays(setting, outputArrays);
    const fitted = await fitLatentPosterior(
      setting.problem,
      { kernel: trainKernel(setting, false).kernel, chain: chainOf(setting) },
      options,
      run,
    );
    const warnings = [
      ...(setting.widths.length > 1 ? ["order parameters of deep networks multiply the kernel of the readout (the product closure)"] : []),
      ...(isOdd(setting) ? [] : ["the mean of the activation counts as part of the fluctuating kernel"]),
    ];
    return { ...fitted, warnings: [...fitted.warnings, ...warnings] };
  },
  predict: ({ setting, state }, inputs, _wantCovariance, run) => {
    const { cross, variances } = newPoints(setting, inputs, false, false);
    const kernels = { train: () => trainKernel(setting, false).kernel, cross: transpose(cross), prior: variances };
    return predictLatentPosterior(setting.problem, state, chainOf(setting), kernels, run);
  },
  claims: () => ({}),
};
