export type { SequentialNetwork } from "./network.js";
export { layers, plugin, sequential } from "./plugin.js";
