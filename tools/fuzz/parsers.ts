import { zipSync } from "fflate";
import * as fc from "fast-check";
import { FinitewidthError } from "@finitewidth/core";
import { decodeNpy, decodeNpz, encodeNpy } from "@finitewidth/core/npz";
import { readCsv, readIdx } from "@finitewidth/datasets";
import { parseExperiment, parsePhaseFile, parsePriorFile } from "@finitewidth/experiment";

/** A parser with what to feed it: it answers, or refuses in one printable line, at once. */
export interface ParserCheck {
  readonly name: string;
  /** Share of the inputs. */
  readonly share: number;
  readonly property: fc.IRawProperty<unknown>;
}

/** Milliseconds that a parser may take for one small input. */
const patience = 2000;

function refusesOrAnswers<T>(
  name: string,
  input: fc.Arbitrary<T>,
  parse: (value: T) => unknown,
  check?: (value: T, result: never) => void,
): fc.IRawProperty<unknown> {
  return fc.property(input, (value) => {
    const started = performance.now();
    const result = answerOf(name, () => parse(value));
    const took = performance.now() - started;
    if (took > patience) throw new Error(`${name} took ${took.toFixed(0)} ms`);
    if (Object.keys(Object.prototype).length > 0) throw new Error(`${name} wrote to Object.prototype`);
    if (result !== undefined) check?.(value, result.answer as never);
  }) as fc.IRawProperty<unknown>;
}

/** What a parser answers; undefined where it refuses as it should. */
function answerOf(name: string, parse: () => unknown): { readonly answer: unknown } | undefined {
  try {
    return { answer: parse() };
  } catch (error) {
    if (!(error instanceof FinitewidthError)) throw new Error(`${name} threw ${String(error)}`, { cause: error });
    // a file with several mistakes has a line for each
    for (const line of error.message.split("\n")) {
      if (!/^[^\p{Cc}]+$/u.test(line))
        throw new Error(`${name}: control characters or an empty line in ${JSON.stringify(error.message)}`, { cause: error });
      if (line.length > 5000) throw new Error(`${name}: a line of ${line.length} characters`, { cause: error });
    }
    return undefined;
  }
}

const hostileNumber = fc.oneof(
  fc.double(),
  fc.integer({ min: -3, max: 40 }),
  fc.constantFrom(0, -0, 1e-320, 1e308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, Number.NaN, Infinity, -Infinity),
);
const hostileString = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "",
    "\u001b[31m",
    "nngp",
    "exact",
    "erf",
    "mnist",
    "fully-connected",
  ),
);
const hostileValue = fc.oneof(
  { withCrossShrink: true, maxDepth: 3 },
  hostileNumber,
  hostileString,
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(hostileNumber, hostileString), { maxLength: 4 }),
  fc.array(fc.array(hostileNumber, { maxLength: 3 }), { maxLength: 3 }),
  fc.dictionary(hostileString, fc.oneof(hostileNumber, hostileString), { maxKeys: 3 }),
);

const bases: Record<"experiment" | "prior" | "phase", object> = {
  experiment: {
    data: {
      train: {
        inputs: [
          [1, 2],
          [3, 4],
        ],
        targets: [[1], [2]],
      },
      test: { inputs: [[5, 6]] },
    },
    network: { type: "fully-connected", widths: [5, 6], activation: "erf", weightVariance: [1, 1, 2], biasVariance: 0.1 },
    scaling: "standard",
    likelihood: { temperature: 0.1 },
    methods: ["nngp", { method: "exact" }],
    sweep: { widths: [[5], [7]], temperature: [0.1, 0.2] },
    seed: 3,
  },
  prior: {
    inputs: [
      [1, 2],
      [3, 4],
    ],
    network: {
      type: "convolutional",
      inputShape: [1, 2],
      layers: [{ channels: 3, kernelSize: [2], padding: "circular" }],
      activation: "relu",
    },
    outputs: 2,
    methods: ["nngp"],
    evaluateAt: [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    samples: 100,
    seed: 1,
  },
  phase: {
    activation: "erf",
    weightVariance: { from: 0.2, to: 3, points: 6 },
    biasVariance: [0, 0.1],
    adaptation: { data: { train: { inputs: [[1], [2]], targets: [[1], [2]] } }, widths: [10], likelihood: { temperature: 0.1 } },
  },
};

/** All places of a value, as lists of keys. */
function places(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, entry]) => places(entry, [...at, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined || typeof value !== "object" || value === null) return by;
  if (Array.isArray(value)) return value.map((entry, i) => (String(i) === key ? replaced(entry, rest, by) : (entry as unknown)));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, name === key ? replaced(entry, rest, by) : (entry as unknown)]),
  );
}

/** A right file with one or two entries replaced by anything, or anything at all. */
const mutated = (base: object): fc.Arbitrary<unknown> => {
  const all = places(base);
  const change = fc.tuple(fc.integer({ min: 0, max: all.length - 1 }), hostileValue);
  return fc.oneof(
    {
      arbitrary: fc
        .array(change, { minLength: 1, maxLength: 2 })
        .map((list) => list.reduce<unknown>((value, [at, by]) => replaced(value, all[at]!, by), base)),
      weight: 8,
    },
    { arbitrary: fc.json().map((text) => JSON.parse(text) as unknown), weight: 1 },
    { arbitrary: hostileValue, weight: 1 },
  );
};

const cell = fc.oneof(
  { arbitrary: fc.integer({ min: -9, max: 9 }).map(String), weight: 6 },
  fc.constantFrom(
    "0.5",
    "-1.2e3",
    "NaN",
    "NA",
    "",
    '"1,5"',
    "1,5",
    "x0",
    "y",
    "split",
    '"',
    '""',
    "#",
    "1e999",
    "0x1",
    "\u001b[1m",
    "\ufeff",
    " 7 ",
  ),
  fc.string({ maxLength: 4 }),
);
const csvText = fc
  .tuple(
    fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
    fc.constantFrom(",", ";", "\t"),
    fc.constantFrom("\n", "\r\n", "\r"),
  )
  .map(([rows, separator, end]) => rows.map((row) => row.join(separator)).join(end));
const rectangle = fc
  .tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    fc.constantFrom(",", ";", "\t"),
    fc.constantFrom("\n", "\r\n", "\r"),
    fc.boolean(),
  )
  .chain(([rows, columns, separator, end, header]) =>
    fc
      .array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: rows * columns, maxLength: rows * columns })
      .map((data) => ({ rows, columns, separator, end, header, data })),
  );

const tensor = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 })
  .chain((shape) =>
    fc
      .array(fc.double(), { minLength: shape.reduce((a, b) => a * b, 1), maxLength: shape.reduce((a, b) => a * b, 1) })
      .map((data) => ({ data: Float64Array.from(data), shape })),
  );
/** Bytes of a right file with a few replaced, cut or appended. */
const damaged = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      bytes,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      fc.option(fc.nat(), { freq: 3 }),
      fc.uint8Array({ maxLength: 3 }),
    )
    .map(([file, changes, cut, more]) => {
      const out = Uint8Array.from([...file.subarray(0, cut === null ? file.length : cut % (file.length + 1)), ...more]);
      for (const [at, by] of changes) if (out.length > 0) out[at % out.length] = by;
      return out;
    });
const npz = fc
  .tuple(
    fc.dictionary(fc.constantFrom("x_train.npy", "y_train.npy", "meta.json", "__proto__.npy"), tensor, { maxKeys: 3 }),
    fc.constantFrom(0 as const, 6 as const),
  )
  .map(([arrays, level]) =>
    zipSync(Object.fromEntries(Object.entries(arrays).map(([name, value]) => [name, encodeNpy(value)])), { level }),
  );

function requireFinite(table: { readonly values: { readonly data: Float64Array } }): void {
  if (!table.values.data.every(Number.isFinite)) throw new Error("a table holds numbers that are not finite");
}

/** Checks of every parser of files that strangers write. */
export const parserChecks: readonly ParserCheck[] = [
  { name: "experiment file", share: 0.3, property: refusesOrAnswers("experiment file", mutated(bases.experiment), parseExperiment) },
  { name: "prior file", share: 0.1, property: refusesOrAnswers("prior file", mutated(bases.prior), parsePriorFile) },
  { name: "phase file", share: 0.1, property: refusesOrAnswers("phase file", mutated(bases.phase), parsePhaseFile) },
  {
    name: "CSV",
    share: 0.2,
    property: refusesOrAnswers(
      "CSV",
      csvText,
      (text) => readCsv(text),
      (_text, table: never) => requireFinite(table),
    ),
  },
  {
    name: "CSV, tables that are right",
    share: 0.05,
    property: fc.property(rectangle, ({ rows, columns, separator, end, header, data }) => {
      const lines = Array.from({ length: rows }, (_, i) =>
        data
          .slice(i * columns, (i + 1) * columns)
          .map(String)
          .join(separator),
      );
      if (header) lines.unshift(Array.from({ length: columns }, (_, j) => `"x${separator}${j}"`).join(separator));
      const { values } = readCsv(lines.join(end));
      if (values.shape[0] !== rows || values.shape[1] !== columns || !values.data.every((value, i) => value === data[i]))
        throw new Error("the table is not what was written");
    }) as fc.IRawProperty<unknown>,
  },
  { name: ".npy", share: 0.1, property: refusesOrAnswers(".npy", damaged(tensor.map(encodeNpy)), (bytes) => decodeNpy(bytes)) },
  { name: ".npz", share: 0.1, property: refusesOrAnswers(".npz", damaged(npz), (bytes) => decodeNpz(bytes)) },
  {
    name: "idx",
    share: 0.05,
    property: refusesOrAnswers("idx", damaged(fc.constant(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9))), (bytes) =>
      readIdx(bytes),
    ),
  },
];
