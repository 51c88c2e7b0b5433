/** Colours follow the page: variables with the values of a light page where there is none (files, pages of others). */
export const ink = "var(--ink, #1c2530)";
export const soft = "var(--soft, #5b6672)";
export const rule = "var(--rule, #d5dbe2)";
export const surface = "var(--surface, #ffffff)";

/** A hue that is readable on a light and on a dark page. */
export interface Hue {
  readonly name: string;
  readonly light: string;
  readonly dark: string;
}

/** Hues of the figures; `page` defines them as variables. */
export const hues: readonly Hue[] = [
  { name: "grey", light: "#6f767e", dark: "#a9b1ba" },
  { name: "blue", light: "#0b5fa5", dark: "#6cb2f0" },
  { name: "green", light: "#1f8a4f", dark: "#5fca8c" },
  { name: "violet", light: "#7b52ab", dark: "#b797e0" },
  { name: "pink", light: "#c2267a", dark: "#f078b4" },
  { name: "ochre", light: "#946b00", dark: "#e8d24a" },
  { name: "orange", light: "#c85200", dark: "#ff9d57" },
  { name: "cyan", light: "#0b7d8c", dark: "#4fcbdc" },
  { name: "brown", light: "#8c564b", dark: "#cf9e93" },
  { name: "indigo", light: "#4a5ab8", dark: "#98a6f5" },
  { name: "olive", light: "#5f7a10", dark: "#b3d04d" },
];
const hue = (name: string): string => `var(--hue-${name}, ${hues.find((one) => one.name === name)!.light})`;

/** Hues of the methods of this project, the same in every figure. */
const methodHues: Readonly<Record<string, string>> = {
  nngp: hue("grey"),
  exact: hue("blue"),
  "effective-action": hue("green"),
  "large-deviation": hue("violet"),
  "forward-backward": hue("pink"),
  perturbative: hue("ochre"),
  "expectation-propagation": hue("cyan"),
  "monte-carlo": hue("orange"),
};
const others = ["cyan", "brown", "indigo", "olive", "blue", "orange", "green", "pink", "violet", "ochre"].map(hue);

/** Colour of a method or of any other label. */
export function colourOf(label: string): string {
  if (Object.hasOwn(methodHues, label)) return methodHues[label]!;
  let hash = 0;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return others[hash % 4]!;
}

/** Colours for series without a meaning of their own: first those of no method, last those that most reports have for one. */
export const sequence = ["pink", "olive", "indigo", "brown", "violet", "cyan", "ochre", "green", "orange", "blue", "grey"].map(hue);

/** Words for what a method states, in the hue of that method. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/\binfinite width\b|^Gaussian$/u, "nngp"],
  [/^first order\b/u, "perturbative"],
  [/^sampled\b/u, "monte-carlo"],
];

/** Colours of the labels of one figure: what methods state in the hues of the methods, the rest in sequence. No two are alike. */
export function coloursOf(labels: readonly string[]): string[] {
  const taken = new Set<string>();
  const own = labels.map((label) => {
    const method = Object.hasOwn(methodHues, label) ? label : meanings.find(([words]) => words.test(label))?.[1];
    if (method === undefined || taken.has(methodHues[method]!)) return undefined;
    taken.add(methodHues[method]!);
    return methodHues[method]!;
  });
  const free = sequence.filter((one) => !taken.has(one));
  let next = 0;
  return own.map((colour) => colour ?? free[next++ % free.length]!);
}

/**
 * One colour for every label of a report: a label takes the hue of its method, or the next free one where that is taken. The same label has
 * the same colour in every figure.
 */
export function reportColours(labels: readonly { readonly label: string; readonly method?: string }[]): (label: string) => string {
  const given = new Map<string, string>();
  const taken = new Set<string>();
  for (const { label, method = label } of labels) {
    if (given.has(label)) continue;
    const own = Object.hasOwn(methodHues, method) && !taken.has(methodHues[method]!) ? methodHues[method]! : undefined;
    const colour = own ?? others.find((one) => !taken.has(one)) ?? colourOf(label);
    taken.add(colour);
    given.set(label, colour);
  }
  return (label) => given.get(label) ?? colourOf(label);
}

/** Text style of all figures. */
export const plotStyle = {
  fontFamily: "system-ui, sans-serif",
  fontSize: "12px",
  background: "transparent",
  overflow: "visible",
  color: ink,
} as const;

/** Number for an axis or a caption: four significant digits, no needless zeros. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const text =
    Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5
      ? Number(value.toPrecision(4)).toString()
      : value.toExponential(2).replace(/\.?0+e/, "e");
  return text.replaceAll("-", "−");
}

/** Size and colours of a figure, where they are not the usual ones. */
export interface DrawOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colours?: (label: string) => string;
  /** No legend in the figure: the page has one. */
  readonly legend?: boolean;
}
