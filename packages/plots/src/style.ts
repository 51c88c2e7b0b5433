/** Colours of the methods, the same in every figure; a plug-in's method takes one of the spare ones by its name. */
const methodColours: Record<string, string> = {
  nngp: "#7f7f7f",
  exact: "#0b5fa5",
  "effective-action": "#2a9d5c",
  "large-deviation": "#7b52ab",
  "forward-backward": "#c2267a",
  perturbative: "#b8860b",
  "monte-carlo": "#d95f02",
};
const spare = ["#17a2b8", "#8c564b", "#5c6bc0", "#9acd32"];

/** Colour of a method or of any other label. */
export function colourOf(label: string): string {
  const known = methodColours[label];
  if (known !== undefined) return known;
  let hash = 0;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return spare[hash % spare.length]!;
}

/** Ten well-separated colours for series without a meaning of their own. */
export const sequence = ["#0b5fa5", "#d95f02", "#2a9d5c", "#c2267a", "#7b52ab", "#b8860b", "#17a2b8", "#7f7f7f", "#8c564b", "#5c6bc0"];

/** Colours of the labels of one figure: the method's own where all labels are methods, else in sequence. */
export function coloursOf(labels: readonly string[]): string[] {
  const methods = labels.every((label) => methodColours[label] !== undefined);
  return labels.map((label, i) => (methods ? colourOf(label) : sequence[i % sequence.length]!));
}

/** Text style of all figures. */
export const plotStyle = { fontFamily: "system-ui, sans-serif", fontSize: "12px", background: "transparent", overflow: "visible" } as const;

/** Number for an axis or a caption: four significant digits, no needless zeros. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const text = Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5 ? Number(value.toPrecision(4)).toString() : value.toExponential(2);
  return text.replace("-", "−");
}
