import { rowsOf } from "@finitewidth/core";
import { blockLearnedKernel, learnedKernelCost, predictBlocks, predictBlocksTrain, type BlockFit } from "../block-predict.js";
import { blockAction, blockMeanSaddle, blockState, createBlockProblem, type BlockState } from "../block-problem.js";
import { matrixFigure } from "../figures.js";
import { matrixLogEvidence, matrixMinima } from "../matrix-minima.js";
import { usesMean } from "../setting.js";
import {
  divided,
  errorOn,
  hessianLimit,
  largeStart,
  minimaReport,
  notConverged,
  severalMinima,
  singularPrior,
  solverOf,
  type Regime,
} from "./regime.js";
import { siteErrors } from "./stated-errors.js";

/** Order parameters between sites (and outputs) and the factorised renormalised kernel. */
export interface BlockActionState extends BlockFit {
  readonly kind: "blocks";
}

/** Operations that the learned kernel may take. */
const learnedKernelLimit = 2e10;

/** One hidden layer over sites that share their weights: an order parameter between sites (and outputs). */
export const blocks: Regime<BlockActionState> = {
  name: "blocks",
  applies: (setting) => setting.blocks !== undefined && setting.widths.length === 1,
  refuses: () => undefined,

  fit(setting, options, run) {
    const { problem, width, biasVariance, weightVariance, outputs, readsSites } = setting;
    const { inputs, targets, temperature } = problem;
    const tick = (): void => run.signal?.throwIfAborted();
    const between = setting.blocks!(inputs);
    tick();
    const local = createBlockProblem({ blocks: between, targets, temperature, width, biasVariance, centred: usesMean(setting, options) });
    const { sites } = local;
    const dimension = sites * outputs;
    const singular = singularPrior(dimension, width, outputs > 1 ? "sites × outputs" : "sites");
    if (local.means) {
      const saddle = blockMeanSaddle(local, tick);
      const { orderParameter, zeta } = saddle;
      const state = blockState(local, orderParameter, zeta);
      const train = predictBlocksTrain(local, state);
      return {
        state: { kind: "blocks", sites, outputs, biasVariance, orderParameter, ...processOf(state), zeta, means: local.means },
        solver: solverOf(saddle),
        train,
        orderParameter,
        diagnostics: {
          shape: { sites, outputs },
          minima: [{ orderParameter: rowsOf(orderParameter), zeta: rowsOf(zeta) }],
          zeta: rowsOf(zeta),
          trainError: errorOn(train, targets),
        },
        warnings: [...notConverged(saddle), ...singular],
        figures: [matrixFigure(orderParameter, "sites")],
      };
    }
    const action = blockAction(local);
    const minima = matrixMinima(action, targets.data.length <= width, largeStart({ width, targets, temperature }), tick);
    const best = minima[0];
    const { orderParameter } = best;
    const state = blockState(local, orderParameter);
    const train = predictBlocksTrain(local, state);
    const hasEvidence = singular.length === 0 && dimension <= hessianLimit;
    // Pooling before the readout hides the sites from the order parameter
    const hasKernel = readsSites && learnedKernelCost(local) < learnedKernelLimit;
    return {
      state: { kind: "blocks", sites, outputs, biasVariance, orderParameter, ...processOf(state) },
      solver: solverOf(best),
      ...(hasEvidence ? { logEvidence: matrixLogEvidence(action, best, targets.data.length) } : {}),
      train,
      orderParameter,
      ...(hasKernel ? { hiddenKernels: [divided(blockLearnedKernel(local, state, orderParameter), weightVariance)] } : {}),
      diagnostics: { shape: { sites, outputs }, minima: minimaReport(minima), action: best.action, trainError: errorOn(train, targets) },
      warnings: [...notConverged(best), ...severalMinima(minima), ...singular],
      figures: [matrixFigure(orderParameter, outputs > 1 ? "sites × outputs" : "sites")],
    };
  },

  predict({ setting, state }, inputs, wantCovariance) {
    const between = setting.blocks!;
    return predictBlocks(state, between(setting.problem.inputs, inputs), wantCovariance ? between(inputs) : undefined);
  },

  claims: siteErrors,
};

/** What predictions read, as plain data. */
const processOf = ({ root, form, weights }: BlockState): Pick<BlockFit, "root" | "form" | "weights"> => ({ root, form, weights });
