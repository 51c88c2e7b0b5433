import type { Command, Flag } from "./arguments.js";

const out: Flag = { name: "out", value: "DIR", summary: "Folder for the results (default: results/<name of the file>)" };
const outOf = (usual: string): Flag => ({ ...out, summary: `Folder for the results (default: ${usual})` });
const workers: Flag = {
  name: "workers",
  value: "N",
  summary: "Worker threads, 0 for none beside the main one; the numbers do not depend on it (default: one per core)",
};
const backend: Flag = {
  name: "backend",
  value: "auto|wasm|native",
  summary: "Linear algebra: WebAssembly (wasm, default), the compiled add-on (native), or that where it is installed (auto)",
};
const quiet: Flag = { name: "quiet", summary: "Print nothing but errors" };
const resume: Flag = { name: "resume", summary: "Go on from what an interrupted run has finished" };
const dryRun: Flag = { name: "dry-run", summary: "Check the file, try small parts, say how long it would take; write nothing" };
const paths: Flag = { name: "allow-plugin-paths", summary: "Load plug-ins that the file names by path: their code runs on this machine" };
const referee: Flag = { name: "referee", value: "SECONDS|off", summary: "Work for the check of every method against the real network" };
const shard: Flag = {
  name: "shard",
  value: "I/N",
  summary: "Run the I-th of N parts into a folder of its own below --out; finitewidth merge makes one result of them",
};
const queue: Flag = {
  name: "queue",
  value: "URL",
  summary: "Let the workers at redis://host:port compute (rediss:// for TLS; needs bullmq and ioredis)",
};
const plugin: Flag = { name: "load", value: "PACKAGE", summary: "Also load this plug-in (repeatable)", multiple: true };

/** Every command with its flags: what is read, helped, and completed. */
export const commands: readonly Command[] = [
  {
    name: "run",
    argument: "EXPERIMENT",
    summary: "Run every method of an experiment file; writes result.json, report.html, and sweep.csv for a sweep",
    flags: [out, workers, queue, backend, quiet, resume, dryRun, referee, shard, paths],
    example: "finitewidth run experiment.json --out results/experiment",
  },
  {
    name: "prior",
    argument: "PRIOR",
    summary: "Answer questions about the prior; writes prior.json and report.html",
    flags: [out, workers, queue, backend, quiet, resume, paths],
  },
  {
    name: "merge",
    argument: "DIR…",
    summary: "Make one result of the parts that `run --shard` has left in these folders",
    flags: [outOf("the one above the first part"), backend, quiet, paths],
    example: "finitewidth merge results/experiment",
  },
  {
    name: "phase-diagram",
    argument: "PHASE",
    summary: "Criticality over a grid of variances; writes phase.json and report.html",
    flags: [out, workers, queue, backend, quiet, paths],
  },
  {
    name: "optimise",
    argument: "EXPERIMENT",
    summary: "Choose width, depth, variances and noise by the evidence; writes optimum.json (an experiment), optimise.json and report.html",
    flags: [out, workers, queue, backend, quiet, resume, paths],
  },
  {
    name: "verify",
    summary: "Check the analytic results against Monte Carlo; writes report.html, report.json, report.md, junit.xml",
    flags: [
      { name: "suite", value: "quick|full", summary: "quick (minutes, default) or full (before a release)" },
      { name: "filter", value: "TEXT", summary: "Only claims whose name contains the text" },
      { name: "seed", value: "N", summary: "Seed of the sampled networks (default 1): right claims hold for all of them" },
      { ...plugin, summary: "Check the claims about this plug-in instead (repeatable)" },
      paths,
      outOf("results/verify"),
      workers,
      queue,
      backend,
      quiet,
      resume,
    ],
  },
  {
    name: "worker",
    summary: "Compute for runs elsewhere that are given the same --queue, until interrupted; runs tasks of installed packages only",
    flags: [
      { ...queue, summary: "Where the chunks are: redis://host:port, or rediss:// for TLS (needs bullmq and ioredis)" },
      { name: "concurrency", value: "N", summary: "Chunks at a time (default: one per core)" },
      { ...plugin, summary: "Also run tasks of this plug-in (repeatable)" },
      paths,
      backend,
      quiet,
    ],
    example: "finitewidth worker --queue redis://localhost:6379",
  },
  { name: "plugins", summary: "List networks, methods, activations, data sets and sweep keys that are installed", flags: [plugin] },
  {
    name: "init",
    argument: "[TEMPLATE]",
    summary: "Write an experiment to start from, with a schema for editors; without a name, list them",
    flags: [],
    example: "finitewidth init width-sweep && finitewidth run width-sweep.json",
  },
  { name: "schema", argument: "run|prior|phase", summary: "Print the JSON Schema of a kind of file, plug-ins included", flags: [plugin] },
  {
    name: "serve",
    summary: "Answer many requests of another program, one warm process for all of them",
    flags: [{ name: "stdio", summary: "Requests on standard input, answers on standard output, a line of JSON each" }],
  },
  { name: "completion", argument: "SHELL", summary: "Print a completion script for bash, zsh or fish", flags: [] },
  {
    name: "reproduce",
    argument: "[FIGURE]",
    summary: "Compute a figure of a paper again, with checks of what it shows; without a name, list them",
    flags: [
      { name: "all", summary: "All figures, as a gallery" },
      { name: "size", value: "quick|paper", summary: "quick (seconds to a minute, default) or the sizes of the paper" },
      { name: "no-open", summary: "Do not open the page in a browser" },
      plugin,
      paths,
      outOf("results/<name of the figure>"),
      workers,
      queue,
      backend,
      quiet,
      resume,
    ],
    example: "finitewidth reproduce pacelli-loss",
  },
  {
    name: "explore",
    argument: "[EXPERIMENT]",
    summary: "Serve the interactive page on this machine and open it, with an experiment when one is named",
    flags: [
      { name: "port", value: "N", summary: "Port to serve at (default: a free one)" },
      { name: "no-open", summary: "Do not open the page in a browser" },
      paths,
      quiet,
    ],
    example: "finitewidth explore experiment.json",
  },
];
