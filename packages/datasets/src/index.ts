export * from "./classification.js";
export * from "./csv.js";
export * from "./files.js";
export * from "./idx.js";
export * from "./image.js";
export * from "./iris.js";
export * from "./mnist.js";
export * from "./preprocessing.js";
