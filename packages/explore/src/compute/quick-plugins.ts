import { plugin as activations } from "@finitewidth/activations";
import type { Plugin, Theory } from "@finitewidth/core";
import { effectiveAction } from "@finitewidth/large-deviations";
import { exact, nngp } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";

/** The theories that follow every touch, without the rest of their packages: this is what a visitor waits for. */
const theories: Plugin = { name: "quick theories", theories: [nngp as Theory, exact as Theory, effectiveAction as Theory] };

export const quickPlugins: readonly Plugin[] = [activations, priorFc, theories];
