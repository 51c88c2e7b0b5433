import { threadId } from "node:worker_threads";
import { inputError, type Plugin, type Posterior, type Run, type Task, type Theory } from "@finitewidth/core";
import { standardPlugins } from "@finitewidth/verification";

const nngp = standardPlugins.flatMap(({ theories = [] }) => theories).find(({ name }) => name === "nngp")!;

/** The index and the thread that it was computed in. */
export const whereTask: Task<number, readonly [number, number]> = {
  module: import.meta.url,
  name: "whereTask",
  run: (index) => [index, threadId],
};

const diagnosed = (name: string, look: (run: Run) => Promise<Posterior["diagnostics"]>): Theory => ({
  ...nngp,
  name,
  fit: async (problem, options, run) => ({ ...(await nngp.fit(problem, options, run)), theory: name, diagnostics: await look(run) }),
});

/** `alone` says in which thread it was fitted; `spreads` also in which threads its chunks were; `broken` fails. */
export const plugin: Plugin = {
  name: "where",
  module: import.meta.url,
  theories: [
    diagnosed("alone", async () => ({ thread: threadId })),
    diagnosed("spreads", async (run) => {
      const seen: number[][] = [];
      // an error of a map must not be mistaken for one of the theory
      try {
        for await (const found of run.map(whereTask, [0, 1, 2, 3])) seen.push([...found]);
      } catch {
        seen.push([]);
      }
      return { thread: threadId, chunks: seen };
    }),
    {
      ...nngp,
      name: "broken",
      fit: async () => {
        throw inputError("network.widths[1]", "a positive integer", 0);
      },
    },
  ],
};
