import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { parseHTML } from "linkedom";
import { expect } from "vitest";

export const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;

/** Size, colours and pixels of a PNG, whose compressed bytes may be others in another version of the library. */
export function pixels(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  const parts: string[] = [];
  for (let at = 8; at < bytes.length;) {
    const [length, name] = [bytes.readUInt32BE(at), bytes.toString("latin1", at + 4, at + 8)];
    const data = bytes.subarray(at + 8, at + 8 + length);
    const content = name === "IDAT" ? inflateSync(data) : data;
    parts.push(`${name} ${content.length > 40 ? createHash("sha256").update(content).digest("hex") : content.toString("hex")}`);
    at += 12 + length;
  }
  return parts.join(", ");
}

/** One tag a line, numbers to four decimals, style sheets of Plot left out. */
export const text = (element: Element | string): string =>
  (typeof element === "string" ? element : element.outerHTML)
    .replaceAll(/data:image\/png;base64,([\w+/=]+)/g, (_, base64: string) => pixels(base64))
    .replaceAll(/<style>[^<]*<\/style>/g, "")
    .replaceAll(/-?\d+\.\d{5,}(e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(4))))
    .replaceAll(/></g, ">\n<");

export const golden = (name: string, element: Element | string): Promise<void> =>
  expect(text(element)).toMatchFileSnapshot(`goldens/${name}.txt`);

export const series = [
  {
    label: "exact",
    x: Float64Array.of(1, 3, 10, 40),
    y: Float64Array.of(0.5, 2, 1, 4),
    error: Float64Array.of(0.1, 0, 0.2, 0.3),
    points: true,
  },
  { label: "nngp", x: Float64Array.of(1, 10, 40, Number.NaN), y: Float64Array.of(1, -1, 3, 2), dashed: true },
  { label: "part", group: "exact", x: Float64Array.of(2, 20), y: Float64Array.of(0.2, 0.3) },
];

export const marks = [
  { label: "left", x: 2 },
  { label: "right", x: 35 },
];

export const curve = { kind: "lines", title: "t", xLabel: "width", yLabel: "error", series, marks } as const;

export const colours = (label: string): string => `colour-of-${label}`;
