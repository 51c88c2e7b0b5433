import { sequential } from "../scenario-family.js";

/**
 * A small ResNet on digits of MNIST, shrunk to 4 × 4 pixels: filters of stride 2, a residual branch under layer normalisation, average
 * pooling. Three points (0, 1, 0) and two to predict (1, 0).
 */
export const digitsResNet = {
  network: sequential([1, 4, 4], (factor) => [
    {
      layer: "convolution",
      channels: 6 * factor,
      kernelSize: [3, 3],
      stride: [2, 2],
      padding: "zero",
      weightVariance: 1.4,
      biasVariance: 0.1,
    },
    {
      layer: "residual",
      body: [
        { layer: "layer-normalization" },
        { layer: "activation", name: "relu" },
        { layer: "convolution", channels: 6 * factor, kernelSize: [1, 1], weightVariance: 1.8, biasVariance: 0.05 },
      ],
    },
    { layer: "average-pooling", window: [2, 1] },
    { layer: "activation", name: "relu" },
    { layer: "global-average-pooling" },
    { layer: "dense", weightVariance: 1.5, biasVariance: 0.05 },
  ]),
  points: 3,
  features: 16,
  temperature: 0.3,
  inputs: [
    [-0.77, -0.75, 0.78, -0.77, -0.77, 1.52, 1.69, 0.15, -0.55, 1.06, 0.95, -0.27, -0.72, 1.24, -0.45, -0.77],
    [-0.77, -0.77, -0.11, -0.71, -0.77, -0.71, 1.81, -0.74, -0.77, 1.47, -0.17, -0.77, -0.77, 0.66, -0.77, -0.77],
    [-0.77, -0.77, 0.54, -0.59, -0.77, 1.65, 2.75, 0.11, 0.3, 1, 1.02, -0.26, -0.74, 1.03, -0.21, -0.77],
  ],
  testInputs: [
    [-0.77, -0.16, -0.37, -0.77, -0.77, 0.35, 0.8, -0.77, -0.77, -0.2, 1.69, -0.77, -0.77, -0.77, 0.4, -0.77],
    [-0.77, -0.77, 0.47, -0.74, -0.77, 1.23, 3.11, -0.44, -0.77, 2.33, 2.16, -0.72, -0.77, 1.24, -0.01, -0.77],
  ],
  seed: 29,
};
