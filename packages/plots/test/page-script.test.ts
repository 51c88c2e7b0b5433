import { parseHTML } from "linkedom";
import { beforeEach, describe, expect, it } from "vitest";
import { pageScript } from "../src/page-script.js";
import { figureBlock, heatmapRow, htmlTable, legendOf, lines } from "../src/index.js";
import { document as drawing } from "./geometry-marks.js";

/** What the script asks of a page that linkedom has not: rows of tables, places of boxes. */
type Patched = Record<string, unknown>;
let document: Document;
const saved: { name: string; type: string; text: string }[] = [];
const variables: Record<string, string> = { "--surface": "#161c24", "--ink": "#e6eaef", "--hue-blue": "#6cb2f0" };

function open(body: string): void {
  ({ document } = parseHTML(`<!doctype html><html><body>${body}</body></html>`) as unknown as { document: Document });
  const list = (root: Element, selector: string): Element[] => [...root.querySelectorAll(selector)];
  for (const table of list(document.body, "table")) {
    const bodyOf = table.querySelector("tbody")!;
    Object.defineProperties(table, { tBodies: { value: [bodyOf] }, tHead: { value: { rows: [table.querySelector("thead tr")] } } });
    Object.defineProperty(bodyOf, "rows", { get: () => list(bodyOf, "tr") });
    for (const row of list(table, "tr")) Object.defineProperty(row, "cells", { get: () => list(row, "th, td") });
    for (const head of list(table, "th"))
      Object.defineProperty(head, "ariaSort", {
        get: () => head.getAttribute("aria-sort"),
        set(value: string) {
          head.setAttribute("aria-sort", value);
        },
      });
  }
  // a box per element: its own attributes, in pixels of the page
  const box = function (this: Element) {
    const of = (name: string): number => Number(this.getAttribute(name) ?? 0);
    const circle = this.tagName.toLowerCase() === "circle";
    const [left, top, width, height] = circle ? [of("cx") - 3, of("cy") - 3, 6, 6] : [of("x"), of("y"), of("width"), of("height")];
    return { left, top, width, height };
  };
  for (const node of list(document.body, "*")) (node as unknown as Patched)["getBoundingClientRect"] = box;
  for (const svg of list(document.body, "svg")) {
    const [, , width, height] = (svg.getAttribute("viewBox") ?? `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`).split(
      " ",
    );
    (svg as unknown as Patched)["viewBox"] = { baseVal: { width: Number(width), height: Number(height) } };
  }
  const create = document.createElement.bind(document);
  document.createElement = ((name: string) => {
    if (name === "a") {
      const link = { href: { type: "", text: "" }, download: "", click: () => saved.push({ ...link.href, name: link.download }) };
      return link;
    }
    const node = create(name) as unknown as Patched;
    node["getBoundingClientRect"] = () => ({ width: 50, height: 20 });
    return node;
  }) as unknown as typeof document.createElement;
  const style = { getPropertyValue: (name: string) => variables[name] ?? "" };
  const scope = {
    document,
    getComputedStyle: () => style,
    innerWidth: 1000,
    innerHeight: 800,
    setTimeout: () => 0,
    Blob: function (this: Record<string, unknown>, parts: string[], { type }: { type: string }) {
      Object.assign(this, { text: parts.join(""), type });
    },
    URL: { createObjectURL: (blob: object) => blob, revokeObjectURL: () => undefined },
  };
  new Function(...Object.keys(scope), pageScript)(...Object.values(scope));
}
const column = (j: number): (string | null)[] =>
  [...document.querySelectorAll("tbody tr")]
    .filter((row) => (row as unknown as Patched)["hidden"] !== true)
    .map((row) => row.querySelectorAll("td")[j]!.textContent);
const click = (node: Element): void => (node as unknown as { onclick(): void }).onclick();
const tip = (): string | undefined => {
  const node = document.querySelector("#tip") as unknown as { hidden: boolean; textContent: string };
  return node.hidden ? undefined : node.textContent;
};
const point = (target: Element, clientX: number, clientY: number): void => {
  const event = new (document.defaultView as unknown as { Event: typeof Event }).Event("pointermove", { bubbles: true });
  target.dispatchEvent(Object.assign(event, { clientX, clientY }));
};
beforeEach(() => void (saved.length = 0));

describe("tables that sort", () => {
  const rows = [
    ["b", "10", "x"],
    ["a", "−2.5 ± 0.1", "y"],
    ["d", "–", ""],
    ["c", "9", "z"],
  ];

  it("by numbers, minus signs and errors included, what is no number last, and the other way round; by words elsewhere", () => {
    open(htmlTable(["name", "value", "more"], rows, { sortable: true }));
    const heads = [...document.querySelectorAll("th")];
    click(heads[1]!);
    expect(column(0)).toEqual(["a", "c", "b", "d"]);
    expect(heads[1]!.getAttribute("aria-sort")).toBe("ascending");
    click(heads[1]!);
    expect(column(1)).toEqual(["–", "10", "9", "−2.5 ± 0.1"]);
    expect(heads[1]!.getAttribute("aria-sort")).toBe("descending");
    click(heads[0]!);
    expect(column(0)).toEqual(["a", "b", "c", "d"]);
    expect(heads.map((head) => head.getAttribute("aria-sort"))).toEqual(["ascending", null, null]);
    expect(document.querySelector("input")).toBeNull();
  });

  it("by the keyboard, and filter by any of their words where they are long", () => {
    open(
      htmlTable(
        ["name", "value"],
        Array.from({ length: 9 }, (_, i) => [`Row ${9 - i}`, i === 4 ? "special" : String(i)]),
        { sortable: true },
      ),
    );
    let prevented = 0;
    for (const key of ["Tab", "Enter"])
      (document.querySelector("th") as unknown as { onkeydown(event: object): void }).onkeydown({
        key,
        preventDefault: () => (prevented += 1),
      });
    expect([prevented, column(0)[0]]).toEqual([1, "Row 1"]);
    const filter = document.querySelector("input") as unknown as { value: string; oninput(): void };
    filter.value = "SPECIAL";
    filter.oninput();
    expect(column(0)).toEqual(["Row 5"]);
    filter.value = "row";
    filter.oninput();
    expect(column(0)).toHaveLength(9);
  });
});

describe("figures", () => {
  const series = [{ label: "exact", x: Float64Array.of(1, 2), y: Float64Array.of(3, 5), points: true }];
  const figure = () => lines({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series }, drawing);

  it("are saved with the colours that are seen, and their data as they are, under their names", () => {
    open(
      figureBlock(figure(), "caption", {
        name: "my figure",
        data: [
          ["name", "v"],
          ["<b>", 1],
        ],
      }),
    );
    const buttons = [...document.querySelectorAll("button")];
    expect(buttons.map((button) => [button.textContent, (button as unknown as { ariaLabel: string }).ariaLabel])).toEqual([
      ["SVG", "Save my figure as SVG"],
      ["CSV", "Save the data of my figure as CSV"],
    ]);
    buttons.forEach(click);
    const [svg, csv] = saved;
    expect(csv).toEqual({ name: "my figure.csv", type: "text/csv", text: "name,v\n<b>,1" });
    expect([svg!.name, svg!.type]).toEqual(["my figure.svg", "image/svg+xml"]);
    expect(svg!.text).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="720" height="340" style="background:#161c24;color:#e6eaef">/,
    );
    expect(svg!.text).toContain('fill="#6cb2f0"');
    // a variable that the page does not have keeps its fallback
    expect(svg!.text).toContain('stroke="#d5dbe2"');
    expect(svg!.text).not.toContain("var(");
  });

  it("are saved with their legend: their own, or that of the page with the colours that they use, in rows that fit", () => {
    const colours = (label: string): string => (label === "exact" ? "var(--hue-blue, #0b5fa5)" : "#123456");
    const names = Array.from({ length: 6 }, (_, i) => `a rather long <name> ${i}`);
    const many = names.map((label, i) => ({ label, x: Float64Array.of(1, 2), y: Float64Array.of(i, 5) }));
    const own = lines({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series: many }, drawing, { width: 400 });
    const shared = lines({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series }, drawing, { colours, legend: false });
    const page = [
      legendOf(["other"], () => "#123456"),
      figureBlock(own, "a"),
      legendOf(["nngp", "exact"], colours),
      figureBlock(shared, "b"),
    ];
    open(page.join(""));
    [...document.querySelectorAll("button")].forEach(click);
    const texts = saved.map(({ text }) =>
      [...text.matchAll(/<text x="([\d.]+)" y="(\d+)" font-family[^>]*>([^<]*)</g)].map(([, x, y, label]) => ({
        x: Number(x),
        y: Number(y),
        label,
      })),
    );
    expect(texts.map((entries) => entries.map(({ label }) => label))).toEqual([names.map((name) => name.replace("<", "&lt;")), ["exact"]]);
    const rows = new Set(texts[0]!.map(({ y }) => y));
    expect(rows.size).toBeGreaterThan(2);
    for (const { x, label } of texts[0]!) expect(x + 7.2 * label!.replace("&lt;", "<").length).toBeLessThan(400);
    expect(saved[1]!.text).toMatch(/^[^>]* height="366"[^>]*><circle[^>]*fill="#6cb2f0"/);
  });

  it("show the value of the nearest point, and nothing where none is near", () => {
    open(figureBlock(figure(), "caption"));
    const [first, second] = [...document.querySelectorAll("circle")];
    const at = (node: Element): [number, number] => [Number(node.getAttribute("cx")), Number(node.getAttribute("cy"))];
    const svg = first!.closest("svg")!;
    const [x, y] = at(second!);
    point(svg, x + 5, y - 6);
    expect(tip()).toBe("exact\n2: 5");
    const [u, v] = at(first!);
    point(svg, u, v + 10);
    expect(tip()).toBe("exact\n1: 3");
    point(svg, u, v - 40);
    expect(tip()).toBeUndefined();
    expect(document.querySelectorAll("circle title")).toHaveLength(0);
  });

  it("show the entry of a matrix under the pointer, of a large one the mean around", () => {
    const values = { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] as const };
    const large = { data: Float64Array.from({ length: 72 * 2 }, (_, k) => Math.floor(k / 2)), shape: [72, 2] as const };
    open(
      figureBlock(
        heatmapRow(
          [
            { label: "m", values },
            { label: "large", values: large },
          ],
          drawing,
        ),
        "caption",
      ),
    );
    const [image, second] = [...document.querySelectorAll("image[data-values]")];
    const over = (node: Element, right: number, down: number): string | undefined => {
      const of = (name: string): number => Number(node.getAttribute(name));
      point(node, of("x") + right * of("width"), of("y") + down * of("height"));
      return tip();
    };
    expect(over(image!, 0.9, 0.1)).toBe("row 0, column 2: 3");
    expect(over(image!, 0.1, 0.9)).toBe("row 1, column 0: 4");
    // rows 50 and 51 of 72 are one of 36 blocks
    expect(over(second!, 0.75, 50.5 / 72)).toBe("mean around row 50, column 1: 50.5");
  });
});
