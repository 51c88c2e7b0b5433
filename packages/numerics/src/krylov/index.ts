export * from "./conjugate-gradients.js";
export * from "./gmres.js";
