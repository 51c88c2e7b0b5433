import type { Rows } from "./data.js";
import type { ExploreState } from "./state.js";

/** Theories of the page: the quick ones follow every touch, the others come when nothing moves. */
export const quickMethods = ["nngp", "exact", "effective-action"] as const;
export const slowMethods = ["perturbative", "large-deviation", "expectation-propagation", "forward-backward"] as const;
/** Whose learned kernel is shown, the best first. */
export const kernelMethods = ["exact", "forward-backward", "perturbative", "effective-action"] as const;
/** What samples real networks beside the theories. */
export const sampler = "monte-carlo";

/** Widths of the picture of errors. */
export const sweptWidths = [2, 3, 5, 8, 12, 20, 32, 50, 80, 130, 200, 320, 500] as const;

/** The network of a state as an experiment file has it; `width`: of the touched layer instead of its own. */
export const networkOf = ({ widths, layer, activation, weightVariance, biasVariance }: ExploreState, width?: number) => ({
  type: "fully-connected",
  widths: width === undefined ? widths : widths.map((own, i) => (i === layer - 1 ? width : own)),
  activation,
  weightVariance,
  biasVariance,
});

/** The experiment file of what is on the screen, which `finitewidth run` takes: the same numbers, to rounding. */
export const experimentOf = (state: ExploreState, rows: Rows, methods: readonly string[] = quickMethods) => ({
  data: { train: rows.train, ...(rows.test ? { test: rows.test } : {}) },
  network: networkOf(state),
  likelihood: { temperature: state.temperature },
  methods,
  seed: state.seed,
});
