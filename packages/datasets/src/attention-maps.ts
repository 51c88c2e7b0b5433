import { inputError, shapeError, type Matrix, type Tensor } from "@finitewidth/core";

const pattern = /^maps_(train|test)_(\d+)_(\d+)$/;

/** Whether an array of a data file holds the attention maps of one head: `maps_train_<layer>_<head>`, `maps_test_<layer>_<head>`. */
export const isMapArray = (name: string): boolean => pattern.test(name);

/**
 * Inputs with the attention maps of every head behind them, layer by layer and head by head, as `"maps": { "heads": H, "from": "input" }`
 * reads them: arrays examples × tokens × tokens, or tokens × tokens for all examples alike. Layers and heads count from 1.
 * @throws FinitewidthError (code "input" or "shape") for a head that is missing and for arrays that do not fit.
 */
export function withAttentionMaps(inputs: Matrix, arrays: Readonly<Record<string, Tensor>>, split: "train" | "test", path: string): Matrix {
  const [examples, columns] = inputs.shape;
  const heads = Object.entries(arrays)
    .flatMap(([name, tensor]) => {
      const [, of, layer, head] = pattern.exec(name) ?? [];
      return of === split ? [{ name, tensor, layer: Number(layer), head: Number(head) }] : [];
    })
    .sort((a, b) => a.layer - b.layer || a.head - b.head);
  if (heads.length === 0) return inputs;
  heads.forEach(({ name, layer, head }, k) => {
    const before = heads[k - 1];
    const expected = before?.layer === layer ? before.head + 1 : 1;
    if (head !== expected) throw inputError(`${path}:${name}`, `an array maps_${split}_${layer}_${expected} before it`, "none");
  });
  const sizes = heads.map(({ name, tensor: { data, shape } }) => {
    const tokens = shape.at(-1) ?? 0;
    const common = shape.length === 2;
    if ((!common && shape.length !== 3) || shape.at(-2) !== tokens || (!common && shape[0] !== examples))
      throw shapeError(`${path}:${name}`, `${examples} × tokens × tokens, or tokens × tokens, numbers`, shape.join(" × "));
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw inputError(`${path}:${name}`, "finite numbers", data[bad]);
    return tokens ** 2;
  });
  const width = sizes.reduce((sum, size) => sum + size, columns);
  const data = new Float64Array(examples * width);
  for (let i = 0; i < examples; i++) {
    data.set(inputs.data.subarray(i * columns, (i + 1) * columns), i * width);
    let at = i * width + columns;
    heads.forEach(({ tensor }, k) => {
      const from = tensor.shape.length === 2 ? 0 : i * sizes[k]!;
      data.set(tensor.data.subarray(from, from + sizes[k]!), at);
      at += sizes[k]!;
    });
  }
  return { data, shape: [examples, width] };
}
