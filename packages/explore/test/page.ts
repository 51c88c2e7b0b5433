import { vi } from "vitest";
import type { ExploreState } from "../src/index.js";

vi.stubGlobal("ResizeObserver", vi.fn());
vi.stubGlobal("matchMedia", () => ({ matches: true }));

/** Layers of different widths and variances. */
export const state: ExploreState = {
  data: { kind: "teacher", dimension: 7, train: 40, noise: 0.3 },
  widths: [5, 80, 1],
  activation: "relu",
  weightVariance: [1.5, 2, 3, 4],
  biasVariance: [0, 0, 0, 0],
  temperature: 0.1,
  layer: 2,
  seed: 3,
};

/** What a control hands to its listener. */
export const event = (value: string | number) => ({ target: { value: String(value) } });
export type Listener = (event: object) => void;
