export { helmertContrasts } from "./contrasts.js";
export * from "./gaussian.js";
export { logistic, logisticLikelihood } from "./logistic.js";
export { mills, type MillsValues } from "./mills.js";
export * from "./poisson.js";
export * from "./probit.js";
export * from "./softmax.js";
