import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nothing } from "../src/compute/answers.js";
import { addLayer, decodeState, encodeState, initialState, lessons, removeLayer, type ExploreState } from "../src/index.js";
import "./page.js";
import type { Listener } from "./page.js";
import { rendered, type Read } from "./template.js";

const shown: ExploreState[] = [];
let refuse = "";
let still = false;
vi.mock("../src/compute/session.js", () => ({
  Session: class {
    answers = nothing;
    running = true;
    isSettled = true;
    show(state: ExploreState): void {
      if (refuse) throw new Error(refuse);
      shown.push(state);
    }
    rows = () => ({ train: { inputs: [[1]], targets: [[2]] } });
    pause(paused: boolean): void {
      this.running = !paused;
    }
  },
}));
const { Explore } = await import("../src/view/explore.js");
// what the page loads when a file is dropped, at once
await import("../src/model/read-file.js");

const written: string[] = [];
const place = { hash: "", pathname: "/explore/", search: "", href: "https://x.org/explore/" };
const window: Record<string, Listener> = {};
const files: Record<string, unknown> = {};
let page: InstanceType<typeof Explore>;
const read = (): Read => rendered(page);
const button = (name: string): Listener => {
  const own = read();
  const found = own.bound.filter(({ name: kind }) => kind === "@click");
  const at = found.findIndex(({ before }) =>
    own.text
      .slice(before.length)
      .replace(/^[^>]*>/, "")
      .trim()
      .startsWith(name),
  );
  if (at < 0) throw new Error(`no button ${name}`);
  return found[at]!.value as Listener;
};
const mistake = (): string => /role="alert">([^<]*)</.exec(read().text)![1]!;
const settle = () => vi.advanceTimersByTimeAsync(300);
const open = async (hash = "", search = ""): Promise<void> => {
  Object.assign(place, { hash, search });
  page.connectedCallback();
  await settle();
};
beforeEach(() => {
  vi.useFakeTimers();
  for (const key of Object.keys(files)) delete files[key];
  shown.length = written.length = 0;
  refuse = "";
  still = false;
  vi.stubGlobal("requestAnimationFrame", () => 0);
  vi.stubGlobal("matchMedia", () => ({ matches: still }));
  vi.stubGlobal("addEventListener", (name: string, listener: Listener) => (window[name] = listener));
  vi.stubGlobal("location", place);
  vi.stubGlobal("history", { replaceState: (_: unknown, __: string, url: string) => void written.push((place.hash = url)) });
  vi.stubGlobal("fetch", async (name: string) => ({
    ok: name in files,
    json: async () => files[name],
    arrayBuffer: async () => files[name],
  }));
  vi.stubGlobal("HTMLInputElement", vi.fn());
  page = Object.assign(new Explore(), { replaceChildren: () => undefined });
});
afterEach(() => void vi.useRealTimers());

const other: ExploreState = {
  ...initialState,
  widths: [5, 6, 7],
  weightVariance: [1, 2, 3, 4],
  biasVariance: [0, 0, 0, 1],
  temperature: 0.3,
  layer: 2,
  seed: 8,
};

describe("what the page opens with", () => {
  it("is what its address says: a state, a lesson, an experiment, or the start", async () => {
    await open(`#${encodeState(other)}`);
    expect([page.state, shown]).toEqual([other, [other]]);
    expect(written).toEqual([`#${encodeState(other)}`]);
    await open("#lesson=paths");
    const { state } = lessons.find(({ name }) => name === "paths")!;
    expect(page.state).toEqual({ ...state, lesson: "paths" });
    expect(read().text).toContain("compare the order parameter with that of two wide layers");
    await open("#lesson=none");
    expect(page.state).toEqual(initialState);
    files["./experiment.json"] = {
      data: { train: { inputs: [[1]], targets: [[2]] } },
      network: { type: "fully-connected", widths: [3], activation: "erf" },
      likelihood: { temperature: 0.5 },
    };
    await open("", "?experiment");
    expect(page.state).toMatchObject({ widths: [3], temperature: 0.5 });
    page.state = initialState;
    await open();
    expect(page.state).toEqual(initialState);
    await open(`#${encodeState(other)!.slice(0, -9)}`);
    expect(mistake()).toContain("link: is damaged");
    expect(page.session.running).toBe(true);
    still = true;
    await open();
    expect(page.session.running).toBe(false);
  });

  it("another address that is followed is another state, the page's own is not", async () => {
    await open();
    Object.assign(place, { hash: `#${encodeState(other)}` });
    window.hashchange!({});
    await settle();
    expect(shown).toEqual([initialState, other]);
    window.hashchange!({});
    expect(shown).toHaveLength(2);
    Object.assign(place, { hash: "#lesson=fail" });
    window.hashchange!({});
    expect(shown.at(-1)!.lesson).toBe("fail");
    Object.assign(place, { hash: "#x" });
    window.hashchange!({});
    expect(mistake()).toBe("link: holds no state");
  });
});

describe("a change", () => {
  const network = (detail: object) => read().one<Listener>("@network")({ detail });

  it("of the drawn network is shown, written into the address after a moment, and taken back", async () => {
    await open(`#${encodeState(other)}`);
    network({ kind: "width", layer: 3, value: 40 });
    expect(page.state).toEqual({ ...other, widths: [5, 6, 40], layer: 3 });
    const wide = page.state;
    network({ kind: "width", layer: 3, value: 40.2 });
    expect(shown).toHaveLength(2);
    network({ kind: "add", layer: 1, value: 0 });
    expect(page.state).toEqual(addLayer(wide, 1));
    network({ kind: "remove", layer: 2, value: 0 });
    expect(page.state).toEqual(removeLayer(addLayer(wide, 1), 2));
    // a touch is no step of its own
    network({ kind: "touch", layer: 1, value: 0 });
    expect(page.state.layer).toBe(1);
    network({ kind: "touch", layer: 1, value: 0 });
    expect(shown).toHaveLength(5);
    await settle();
    expect(decodeState(written.at(-1)!)).toEqual(page.state);
    button("undo")({});
    expect(page.state).toEqual(addLayer(wide, 1));
    window.keydown!({ ctrlKey: true, key: "z", preventDefault: () => undefined });
    expect(page.state).toEqual(wide);
    window.keydown!({ ctrlKey: false, key: "z", preventDefault: () => undefined });
    expect(page.state).toEqual(wide);
    window.keydown!({ metaKey: true, shiftKey: true, key: "Z", preventDefault: () => undefined });
    expect(page.state).toEqual(addLayer(wide, 1));
    button("redo")({});
    expect(page.state.widths).toEqual(removeLayer(addLayer(wide, 1), 2).widths);
    expect(read().all("?disabled").slice(0, 2)).toEqual([false, true]);
  });

  it("of the controls keeps the rest; the cursor of the phase plane sets the variances of all layers", async () => {
    await open(`#${encodeState(other)}`);
    read().one<Listener>("@change-state")({ detail: { temperature: 0.9 } });
    expect(page.state).toEqual({ ...other, temperature: 0.9 });
    read().one<Listener>("@variances")({ detail: { weight: 1.5, bias: 0.25 } });
    expect(page.state).toEqual({
      ...other,
      temperature: 0.9,
      weightVariance: [1.5, 1.5, 1.5, 1.5],
      biasVariance: [0.25, 0.25, 0.25, 0.25],
    });
  });

  it("that cannot be shown leaves the old state and says why", async () => {
    await open();
    refuse = "too many digits";
    read().one<Listener>("@change-state")({ detail: { temperature: 0.9 } });
    await settle();
    expect([page.state, mistake()]).toEqual([initialState, "too many digits"]);
    refuse = "";
    read().one<Listener>("@change-state")({ detail: { temperature: 0.8 } });
    expect([page.state.temperature, mistake()]).toEqual([0.8, ""]);
    read().one<Listener>("@mistake")({ detail: "points: no" });
    await settle();
    expect(mistake()).toBe("points: no");
  });

  it("by a dropped file brings its data, and says how many", async () => {
    await open(`#${encodeState(other)}`);
    const file = { name: "t.csv", arrayBuffer: async () => new TextEncoder().encode("a,y\n1,2\n3,4\n5,6\n").buffer };
    read().one<Listener>("@drop")({ preventDefault: () => undefined, dataTransfer: { files: [file] } });
    await vi.waitFor(() => expect(page.state.data).toMatchObject({ kind: "own", name: "t.csv", train: { inputs: [[1], [3], [5]] } }), {
      timeout: 50_000,
    });
    expect(page.state.widths).toEqual(other.widths);
    expect(read().text).toContain("t.csv: 3 training points");
  });
});

it("theories are switched off and on again, sampling is paused, files have the names of what they are", async () => {
  await open();
  const off = (): string[] => [...read().one<ReadonlySet<string>>(".off")];
  const toggle = read().one<Listener>("@toggle-theory");
  toggle({ detail: "exact" });
  expect(off()).toEqual(["exact"]);
  toggle({ detail: "nngp" });
  toggle({ detail: "exact" });
  expect(off()).toEqual(["nngp"]);
  button("pause")({});
  expect(read().text).toContain("run sampling");
  const link = { href: "", download: "", click: vi.fn() };
  const blobs: Blob[] = [];
  vi.stubGlobal("document", { createElement: () => link });
  vi.stubGlobal("URL", { createObjectURL: (blob: Blob) => blobs.push(blob), revokeObjectURL: vi.fn() });
  button("experiment file")({});
  button("CSV")({});
  expect(link.download).toBe("explore.csv");
  expect(JSON.parse(await blobs[0]!.text())).toMatchObject({
    data: { train: { inputs: [[1]] } },
    network: { widths: [20, 20] },
    likelihood: { temperature: 0.05 },
  });
  expect(await blobs[1]!.text()).toBe("method,quantity,place,value,standard error");
  expect(blobs.map(({ type }) => type)).toEqual(["application/json", "text/csv"]);
  const copied: string[] = [];
  vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void copied.push(text) } });
  button("share link")({});
  await settle();
  expect(copied).toEqual([place.href]);
  expect(read().text).toContain("The link in the address bar holds all of this");
  page.state = {
    ...initialState,
    data: {
      kind: "own",
      name: "n",
      train: {
        inputs: Array.from({ length: 200 }, (_, i) => Array.from({ length: 40 }, (__, j) => Math.sin(i * 40 + j))),
        targets: Array.from({ length: 200 }, () => [1]),
      },
    },
  };
  button("share link")({});
  await settle();
  expect(mistake()).toBe("these data are too long for a link; save the experiment file instead");
});
