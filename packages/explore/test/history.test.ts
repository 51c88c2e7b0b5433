import { beforeEach, expect, it, vi } from "vitest";
import { History } from "../src/view/history.js";

interface State {
  readonly widths: readonly number[];
  readonly temperature: number;
}
const state = (widths: readonly number[], temperature = 1): State => ({ widths, temperature });
let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});

/** Walks through the states, 100 ms apart, and undoes until nothing is left. */
function undone(states: readonly State[]): State[] {
  const history = new History<State>();
  let present = states[0]!;
  for (const next of states.slice(1)) {
    now += 100;
    history.record(present, next);
    present = next;
  }
  const found: State[] = [];
  while (history.canUndo) found.push((present = history.undo(present)!));
  return found;
}

it("a drag is one step", () => expect(undone([state([9]), state([8]), state([7]), state([6])])).toEqual([state([9])]));

it("another control is another step, however soon", () =>
  expect(undone([state([9]), state([8]), state([8], 2), state([8], 3)])).toEqual([state([8]), state([9])]));

it("a layer more and a layer less are steps of their own", () =>
  expect(undone([state([9]), state([9, 9]), state([9, 9, 9]), state([9, 9])])).toEqual([state([9, 9, 9]), state([9, 9]), state([9])]));

it("redo takes back what was undone", () => {
  const history = new History<State>();
  history.record(state([9]), state([8]));
  expect(history.undo(state([8]))).toEqual(state([9]));
  expect(history.redo(state([9]))).toEqual(state([8]));
  expect([history.canUndo, history.canRedo]).toEqual([true, false]);
});
