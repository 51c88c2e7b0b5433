import { colourOf, short } from "@finitewidth/plots";

export { colourOf, short };

/** Names of the theories on the page. */
export const titles: Readonly<Record<string, string>> = {
  nngp: "infinite width",
  exact: "exact",
  "effective-action": "effective action",
  perturbative: "perturbative",
  "large-deviation": "large deviation",
  "expectation-propagation": "expectation propagation",
  "forward-backward": "forward–backward",
  "monte-carlo": "Monte Carlo",
};

export const titleOf = (method: string): string => titles[method] ?? method;

/** A number for people: three digits. */
export const three = (value: number): string => short(Number(value.toPrecision(3)));

/** Evenly spaced round numbers inside an interval. */
export function linearTicks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
