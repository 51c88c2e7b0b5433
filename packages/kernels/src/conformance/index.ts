export { architectureChecks } from "./architecture-checks.js";
export { priorModelChecks, type PriorModelCase } from "./prior-model-checks.js";
export { layerChecks, type LayerCase } from "./layer-checks.js";
