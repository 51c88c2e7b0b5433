import { rowsOf, type Matrix } from "@finitewidth/core";
import { readDataFile } from "@finitewidth/datasets";
import { parseJsonText } from "@finitewidth/experiment";
import { stateFromExperiment } from "./from-experiment.js";
import { initialState, parseState, type ExploreState } from "./state.js";

const table = ({ inputs, targets }: { readonly inputs: Matrix; readonly targets: Matrix }) => ({
  inputs: rowsOf(inputs),
  targets: rowsOf(targets),
});

/** Points of a dropped file that are used: kernels of more would not follow a touch. */
const mostPoints = 200;

/**
 * The state that a dropped file stands for: a CSV or npz of data under the present network, or an experiment file. @throws FinitewidthError
 * naming what is wrong with it.
 */
export async function readDropped(bytes: Uint8Array, name: string, state: ExploreState = initialState): Promise<ExploreState> {
  if (/\.json$/i.test(name))
    return stateFromExperiment(await parseJsonText(new TextDecoder().decode(bytes), name), name.replace(/\.json$/i, ""));
  const { train, test } = readDataFile(bytes, name, name);
  const first = <T>(list: readonly T[]): readonly T[] => list.slice(0, mostPoints);
  const whole = table(train);
  return parseState({
    ...state,
    data: {
      kind: "own",
      name,
      train: { inputs: first(whole.inputs), targets: first(whole.targets) },
      ...(test?.targets ? { test: table({ inputs: test.inputs, targets: test.targets }) } : {}),
    },
  });
}
