import { expect, test } from "vitest";
import { buildLayers, createRegistry, strictObject, oneOf, type LayerPlugin, type LayerShape } from "../src/index.js";

test("only the last entry of the network's own list is its last layer", () => {
  const seen: [string, boolean][] = [];
  const probe: LayerPlugin<unknown> = {
    name: "probe",
    summary: "Tells what it is told.",
    schema: strictObject({ layer: oneOf(["probe"]) }),
    build(_layer, below, { path, last }) {
      seen.push([path, last]);
      return { primitives: [], above: below };
    },
  };
  const registry = createRegistry([{ name: "probe", layers: [probe] }]);
  const below: LayerShape = { width: 2, grid: [], flattened: false, gaussian: false, input: true };
  const list = [{ layer: "probe" }, { layer: "probe" }, { layer: "probe" }];
  buildLayers(list, below, "network.layers", registry, true);
  expect(seen).toEqual([
    ["network.layers[0]", false],
    ["network.layers[1]", false],
    ["network.layers[2]", true],
  ]);
  seen.length = 0;
  buildLayers(list, below, "body", registry);
  expect(seen.map(([, last]) => last)).toEqual([false, false, false]);
});
