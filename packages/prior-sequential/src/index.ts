export type { LayerEntry, SequentialNetwork } from "./network.js";
export { layers, plugin, sequential } from "./plugin.js";
