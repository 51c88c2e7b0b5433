export * from "./gmres.js";
