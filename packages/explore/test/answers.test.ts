import { describe, expect, it, vi } from "vitest";
import { averageOf, nothing, type Answers } from "../src/compute/answers.js";
import { csvOf, download, svgOf } from "../src/view/exports.js";

describe("averages of independent runs", () => {
  it("have the standard error of a mean: worked out by hand, and falling as one over the root of the runs", () => {
    const { runs, mean, error } = averageOf([1, 2, 6]);
    // deviations −2, −1, 3: variance 14/2 of one run, 7/3 of the mean
    expect([runs, mean]).toEqual([3, 3]);
    expect(error).toBeCloseTo(Math.sqrt(7 / 3), 14);
    const often = averageOf(Array.from({ length: 300 }, (_, i) => [1, 2, 6][i % 3]!));
    expect(often.error).toBeCloseTo(Math.sqrt(14 / 3 / 299), 14);
    expect(averageOf([5])).toEqual({ runs: 1, mean: 5, error: NaN });
  });
});

describe("the table of everything on the screen", () => {
  const solved = (method: string, from: number) => ({
    method,
    milliseconds: 1,
    status: "ok" as const,
    logEvidence: from,
    error: { total: from + 1, bias: from + 2, variance: from + 3 },
    orderParameter: [from + 4, from + 5],
    mean: Float64Array.of(from + 6, from + 7),
    variance: Float64Array.of(from + 8, from + 9),
  });
  const answers: Answers = {
    ...nothing,
    solved: new Map([
      ["exact", solved("exact", 10)],
      ["nngp", solved("nngp", 30)],
    ]),
    sweep: new Map([["exact", new Map([[5, solved("exact", 50)]])]]),
    sampled: new Map([
      [5, { runs: 4, mean: 0.7, error: 0.1 }],
      [9, { runs: 1, mean: 0.8, error: NaN }],
    ]),
  };

  it("has every number in the row of its method, quantity and place", () => {
    const [header, ...rows] = csvOf(answers).split("\n");
    expect(header).toBe("method,quantity,place,value,standard error");
    const own = (method: string, from: number) => [
      `${method},log evidence,,${from},`,
      ...["total", "bias", "variance"].map((part, i) => `${method},generalisation error: ${part},,${from + 1 + i},`),
      ...[1, 2].map((layer) => `${method},order parameter,${layer},${from + 3 + layer},`),
      ...[0, 1].flatMap((i) => [`${method},predictive mean,${i},${from + 6 + i},`, `${method},predictive variance,${i},${from + 8 + i},`]),
    ];
    expect(rows).toEqual([
      ...own("exact", 10),
      ...own("nngp", 30),
      "exact,generalisation error at width,5,51,",
      "monte-carlo,generalisation error at width,5,0.7,0.1",
      "monte-carlo,generalisation error at width,9,0.8,",
    ]);
  });

  it("quotes what a cell may not hold", () => {
    const own = csvOf({ ...answers, solved: new Map([["x", { ...solved("x", 1), method: 'a "b", c' }]]) });
    expect(own.split("\n")[1]).toBe('"a ""b"", c",log evidence,,1,');
    expect(csvOf(nothing)).toBe("method,quantity,place,value,standard error");
    const bare = csvOf({ ...nothing, solved: new Map([["x", { method: "x", status: "failed", milliseconds: 1 }]]) });
    expect(bare.split("\n")).toHaveLength(1);
  });
});

describe("the pictures of the screen as one file", () => {
  /** As much of an element as an export asks for. */
  const element = (style: string, inner: Element[] = []) => {
    const attributes: Record<string, string> = {};
    return {
      attributes,
      querySelectorAll: () => inner,
      setAttribute: (name: string, value: string) => void (attributes[name] = value),
      style,
    } as unknown as Element;
  };
  const panel = (title: string | undefined, chart: unknown, canvases: string[]) => ({
    querySelector: (what: string) => (what === "h2" ? title && { textContent: ` ${title} ` } : chart),
    querySelectorAll: () => canvases.map((name) => ({ toDataURL: () => `data:${name}` })),
  });

  it("holds charts with their styles and maps as images, three in a row under their titles", () => {
    const copy = element("", [element("", []), element("", [])]);
    const chart = Object.assign(element("", [element("red"), element("blue")]), { cloneNode: () => copy });
    vi.stubGlobal("getComputedStyle", ({ style }: { style: string }) => ({ getPropertyValue: (name: string) => `${style} ${name}` }));
    vi.stubGlobal(
      "XMLSerializer",
      class {
        readonly serializeToString = () => "<svg>chart<!-- lit --></svg>";
      },
    );
    const all = [
      panel("A < B & C", chart, []),
      panel("none", null, []),
      panel("maps", null, ["1", "2"]),
      panel(undefined, null, ["3"]),
      panel("last", null, ["4"]),
    ];
    const svg = svgOf({ querySelectorAll: () => all } as unknown as ParentNode);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="1332" height="728" /);
    expect(
      [...svg.matchAll(/<g transform="translate\(([^)]*)\)"><text[^>]*>([^<]*)<\/text>/g)].map(([, at, title]) => [at, title]),
    ).toEqual([
      ["0,24", "A &lt; B &amp; C"],
      ["444,24", "maps"],
      ["888,24", ""],
      ["0,388", "last"],
    ]);
    expect(svg).toContain("<svg>chart</svg>");
    const images = [...svg.matchAll(/<image x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" .*?href="([^"]*)"/g)].map(
      ([, ...parts]) => parts,
    );
    // two maps in a square of two by two
    expect(images).toEqual([
      ["0", "0", "147.25", "147.25", "data:1"],
      ["155", "0", "147.25", "147.25", "data:2"],
      ["0", "0", "294.5", "294.5", "data:3"],
      ["0", "0", "294.5", "294.5", "data:4"],
    ]);
    const written = copy.querySelectorAll("*") as unknown as { attributes: Record<string, string> }[];
    expect([...written].map(({ attributes }) => [attributes.fill, attributes["stroke-dasharray"]])).toEqual([
      ["red fill", "red stroke-dasharray"],
      ["blue fill", "blue stroke-dasharray"],
    ]);
    expect((copy as unknown as { attributes: object }).attributes).toEqual({ width: "420", height: "320" });
    vi.unstubAllGlobals();
  });

  it("goes to the reader under its name", async () => {
    const link = { href: "", download: "", click: vi.fn() };
    const blobs: Blob[] = [];
    vi.stubGlobal("document", { createElement: () => link });
    vi.stubGlobal("URL", { createObjectURL: (blob: Blob) => (blobs.push(blob), "blob:1"), revokeObjectURL: vi.fn() });
    vi.useFakeTimers();
    download("n.csv", "1,2", "text/csv");
    vi.runAllTimers();
    expect([link.href, link.download, link.click.mock.calls.length]).toEqual(["blob:1", "n.csv", 1]);
    expect([blobs[0]!.type, await blobs[0]!.text()]).toEqual(["text/csv", "1,2"]);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
});
