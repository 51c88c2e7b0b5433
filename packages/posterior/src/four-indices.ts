import type { Tensor } from "@finitewidth/core";

/** The n × n × n × n tensor of a function of four indices. */
export function fourIndices(n: number, value: (i: number, j: number, k: number, l: number) => number): Tensor {
  const data = new Float64Array(n ** 4);
  let at = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) for (let l = 0; l < n; l++) data[at++] = value(i, j, k, l);
  return { data, shape: [n, n, n, n] };
}
