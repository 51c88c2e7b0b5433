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

it("half a second later is another step, what was undone is gone after a change, and a hundred steps are kept", () => {
  const history = new History<State>();
  history.record(state([9]), state([8]));
  now += 500;
  history.record(state([8]), state([7]));
  now += 501;
  history.record(state([7]), state([6]));
  expect(history.undo(state([6]))).toEqual(state([7]));
  expect(history.canRedo).toBe(true);
  // a change after an undo is a step, however soon and of whatever
  history.record(state([7]), state([5]));
  expect([history.canRedo, history.redo(state([5]))]).toEqual([false, undefined]);
  expect([history.undo(state([5])), history.undo(state([7])), history.undo(state([9]))]).toEqual([state([7]), state([9]), undefined]);
  const long = new History<State>();
  for (let i = 0; i < 150; i++) {
    now += 1000;
    long.record(state([i]), state([i + 1]));
  }
  let steps = 0;
  for (let present = state([150]); long.canUndo; steps++) present = long.undo(present)!;
  expect(steps).toBe(100);
});
