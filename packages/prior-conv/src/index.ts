export { convolutional, plugin } from "./plugin.js";
export { convolutionalSchema, type ConvolutionalLayer, type ConvolutionalNetwork } from "./schema.js";
