import type { LatentPosteriorState } from "@finitewidth/likelihoods";
import type { EffectiveActionOptions } from "../options.js";
import type { Setting } from "../setting.js";
import { blocks, type BlockActionState } from "./blocks.js";
import { chain, type ChainActionState } from "./chain.js";
import { deep, type DeepActionState } from "./deep.js";
import { latent } from "./latent.js";
import { mean, type MeanActionState } from "./mean.js";
import { multiOutput, type MultiOutputActionState } from "./multi-output.js";
import type { Regime } from "./regime.js";
import { scalar, type ScalarActionState } from "./scalar.js";

/** What predictions of `effective-action` need, by the kind of action. */
export type EffectiveActionState =
  | ScalarActionState
  | MeanActionState
  | MultiOutputActionState
  | DeepActionState
  | ChainActionState
  | BlockActionState
  | LatentPosteriorState;

/** All kinds of effective action; the first one that applies is taken. */
const regimes: readonly Regime<EffectiveActionState>[] = [latent, blocks, deep, chain, multiOutput, mean, scalar];

/** The kind of action that a problem has; undefined when no order parameters are known for its network. */
export const regimeOf = (setting: Setting, options: EffectiveActionOptions): Regime<EffectiveActionState> | undefined =>
  regimes.find((regime) => regime.applies(setting, options));

/** The kind of action that a state belongs to. */
export const regimeOfState = ({ kind }: EffectiveActionState): Regime<EffectiveActionState> => regimes.find(({ name }) => name === kind)!;

/** Why the theory does not apply, and what to use instead. */
export function refusalOf(setting: Setting, options: EffectiveActionOptions): string | undefined {
  const regime = regimeOf(setting, options);
  if (regime !== undefined) return regime.refuses(setting, options);
  const which =
    setting.widths.length > 1
      ? "deep networks must be fully connected, with one activation throughout, and this one is not"
      : "the hidden layer must be fully connected or share its weights between sites, with one activation, and this one does not";
  return `${which}; use "nngp", "perturbative" or "monte-carlo".`;
}
