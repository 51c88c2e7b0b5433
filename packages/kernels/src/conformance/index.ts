export { architectureChecks } from "./architecture-checks.js";
export { priorModelChecks, type PriorModelCase } from "./prior-model-checks.js";
