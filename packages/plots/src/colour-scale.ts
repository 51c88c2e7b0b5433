import { pngDataUrl } from "./png.js";

/** Maps [0, 1] to RGB bytes. */
export type ColourScale = (t: number) => readonly [number, number, number];

const ramp =
  (stops: readonly string[]): ColourScale =>
  (t) => {
    const x = Math.min(1, Math.max(0, t)) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(x));
    const channel = (hex: string, k: number): number => Number.parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
    const mix = (k: number): number => Math.round(channel(stops[i]!, k) * (1 - (x - i)) + channel(stops[i + 1]!, k) * (x - i));
    return [mix(0), mix(1), mix(2)];
  };

/** Dark blue to yellow, evenly increasing in lightness. */
export const sequential = ramp(["#1b1044", "#3b3a8f", "#2f6f9f", "#2a9d8f", "#7cc36a", "#f4e04d"]);
/** Blue for negative, red for positive, white in the middle. */
export const diverging = ramp(["#123a73", "#3f7fbf", "#a7cbe6", "#f7f7f7", "#f4b596", "#d1553f", "#7a0f1f"]);

/** Black or white, whichever is read better on a colour of these bytes. */
export const inkOn = ([red, green, blue]: readonly [number, number, number]): string =>
  0.3 * red + 0.59 * green + 0.11 * blue > 110 ? "#000" : "#fff";

/** The scale as a picture, largest value on top. */
export function colourBar(scale: ColourScale): string {
  const steps = 128;
  const rgb = new Uint8Array(3 * steps);
  for (let i = 0; i < steps; i++) rgb.set(scale(1 - i / (steps - 1)), 3 * i);
  return pngDataUrl(1, steps, rgb);
}
