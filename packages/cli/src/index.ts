export { main } from "./main.js";
export { builtinPlugins } from "./builtin-registry.js";
