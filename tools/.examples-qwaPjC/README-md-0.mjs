import { createRegistry, fit } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { exact, plugin as posterior } from "@finitewidth/posterior";
const registry = createRegistry([activations, priorFc, posterior]);
const network = { type: "fully-connected", widths: [20, 20], activation: "identity" };
const { posterior: solved, predict } = await fit(exact, { network, inputs: [[1, 0], [0, 1]], targets: [1, -1], temperature: 0.1 }, { registry });
console.log(solved.logEvidence, (await predict([[1, 1]])).variance.data);
