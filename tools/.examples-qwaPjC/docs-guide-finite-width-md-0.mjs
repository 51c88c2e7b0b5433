import { createRegistry, fit } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { exact, nngp, plugin as posterior } from "@finitewidth/posterior";
const registry = createRegistry([activations, priorFc, posterior]);
const problem = {
  network: { type: "fully-connected", widths: [8, 8], activation: "identity" },
  inputs: [[1, 0.5], [0.2, -1], [-0.7, 0.3]],
  targets: [2.5, -1.8, -1.2],
  temperature: 0.05
};
const finite = await fit(exact, problem, { registry });
const infinite = await fit(nngp, problem, { registry });
console.log("posterior mean of q:", finite.posterior.orderParameter);
console.log("log evidence:", finite.posterior.logEvidence, "against", infinite.posterior.logEvidence);
console.log("prediction at (1, 1):", (await finite.predict([[1, 1]])).mean.data[0]);
