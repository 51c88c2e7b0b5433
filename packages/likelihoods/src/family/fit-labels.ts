import { FinitewidthError, inputError, zeros, type DataSplit, type Likelihood, type Matrix } from "@finitewidth/core";

/** Whether every row is one-hot with at least two columns. */
function isOneHot({ data, shape: [rows, columns] }: Matrix): boolean {
  if (columns < 2 || data.some((value) => value !== 0 && value !== 1)) return false;
  for (let i = 0; i < rows; i++)
    if (data.subarray(i * columns, (i + 1) * columns).reduce((sum, value) => sum + value, 0) !== 1) return false;
  return true;
}

/** Classes as numbers: the column of a one-hot row, or the entry of a single column. */
function classNumbers(targets: Matrix): Float64Array | undefined {
  const [rows, columns] = targets.shape;
  if (columns === 1) return targets.data.every(Number.isInteger) ? targets.data : undefined;
  if (!isOneHot(targets)) return undefined;
  return Float64Array.from({ length: rows }, (_, i) => targets.data.subarray(i * columns, (i + 1) * columns).indexOf(1));
}

const passes = (likelihood: Likelihood, targets: Matrix): boolean => {
  try {
    likelihood.check(targets);
    return true;
  } catch {
    return false;
  }
};

/**
 * Class labels in the form that a likelihood takes: integers in one column (0, 1, 2 … or any others, −1 and +1 among them) and one-hot rows
 * become each other; classes are those of the training points, in ascending order. Targets that already fit, that are no classes, or whose
 * likelihood has none, are left alone. @throws FinitewidthError (code "input") for a test label that no training point has, and for more
 * classes than the likelihood has.
 */
export function fitLabels(likelihood: Likelihood, data: DataSplit, path = "data"): DataSplit {
  const { train, test } = data;
  if (likelihood.encode === undefined) return data;
  if (passes(likelihood, train.targets) && (!test?.targets || passes(likelihood, test.targets))) return data;
  const own = classNumbers(train.targets);
  if (own === undefined) return data;
  const columns = train.targets.shape[1];
  const classes = columns > 1 ? Array.from({ length: columns }, (_, c) => c) : [...new Set(own)].toSorted((a, b) => a - b);
  if (classes.length < 2) {
    throw new FinitewidthError(`${path}.train.targets: expected at least two classes, got ${classes.join()} alone`, {
      code: "input",
      path,
    });
  }
  const encode = (labels: Float64Array, at: string): Matrix =>
    likelihood.encode!(
      Array.from(labels, (label, i) => {
        const c = classes.indexOf(label);
        if (c < 0) throw inputError(`${at}[${i}]`, `one of the classes ${classes.join(", ")} of the training points`, label);
        return c;
      }),
      classes.length,
    );
  const others = test?.targets && classNumbers(test.targets);
  if (test?.targets && others === undefined) throw noLabels(test.targets, `${path}.test.targets`);
  return {
    ...data,
    train: { inputs: train.inputs, targets: encode(own, `${path}.train.targets`) },
    ...(test ? { test: { inputs: test.inputs, ...(others ? { targets: encode(others, `${path}.test.targets`) } : {}) } } : {}),
  };
}

/** Targets that are no class labels, by the first row that is none. */
function noLabels({ data, shape: [rows, columns] }: Matrix, path: string): FinitewidthError {
  const row = (i: number): Float64Array => data.slice(i * columns, (i + 1) * columns);
  const isLabel = (i: number): boolean => (columns === 1 ? Number.isInteger(data[i]) : isOneHot({ data: row(i), shape: [1, columns] }));
  const wrong = Array.from({ length: rows }, (_, i) => i).find((i) => !isLabel(i)) ?? 0;
  return inputError(
    `${path}[${wrong}]`,
    "a class label, like the training targets",
    columns === 1 ? data[wrong] : Array.from(row(wrong)).join(", "),
  );
}

/** Classes of ±1 in one column or of one-hot rows; undefined for other targets. For accuracies under squared loss. */
export function classesOf(targets: Matrix): { readonly labels: Int32Array; readonly classes: number } | undefined {
  if (targets.shape[1] === 1) {
    if (!targets.data.every((value) => Math.abs(value) === 1)) return undefined;
    return { labels: Int32Array.from(targets.data, (value) => Number(value > 0)), classes: 2 };
  }
  const labels = isOneHot(targets) ? classNumbers(targets) : undefined;
  return labels && { labels: Int32Array.from(labels), classes: targets.shape[1] };
}

/** One-hot decisions of outputs: the sign of a single column, the largest of several. */
export function decisions({ data, shape: [rows, columns] }: Matrix): Matrix {
  const classes = Math.max(columns, 2);
  const out = zeros(rows, classes);
  for (let i = 0; i < rows; i++) {
    let winner = columns === 1 ? Number(data[i]! > 0) : 0;
    for (let c = 1; c < columns; c++) if (data[i * columns + c]! > data[i * columns + winner]!) winner = c;
    out.data[i * classes + winner] = 1;
  }
  return out;
}
