export * from "./curves.js";
export * from "./figure.js";
export * from "./heatmap.js";
export * from "./page.js";
export * from "./phase-plane.js";
export { encodePng } from "./png.js";
export * from "./predictive.js";
export { colourOf, short } from "./style.js";
