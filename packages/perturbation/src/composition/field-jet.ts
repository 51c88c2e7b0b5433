import { zeros, type Matrix } from "@finitewidth/core";
import { applyMap, everywhere, type Field } from "@finitewidth/kernels";
import { addScaled, identity, multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { layerChange, type Variables } from "./variables.js";

/** A matrix along a direction of the variables: its value, first and second derivative; left out where zero. */
export interface Jet {
  readonly value: Matrix;
  readonly first?: Matrix;
  readonly second?: Matrix;
}

/** K and mean of a field along a direction: first and second derivatives. */
export interface FieldJet {
  readonly first: Matrix;
  readonly second: Matrix;
  readonly meanFirst: Float64Array;
  readonly meanSecond: Float64Array;
}

const combine = (a: Matrix | undefined, x: number, b: Matrix | undefined, y: number): Matrix | undefined => {
  if (a === undefined && b === undefined) return undefined;
  const shape = (a ?? b)!.shape;
  return { data: Float64Array.from({ length: (a ?? b)!.data.length }, (_, i) => x * (a?.data[i] ?? 0) + y * (b?.data[i] ?? 0)), shape };
};

const scaleRows = (m: Matrix | undefined, s: Float64Array): Matrix | undefined =>
  m && { data: m.data.map((value, i) => s[Math.floor(i / m.shape[1])]! * value), shape: m.shape };

/** Changes of m and c of every norm in a direction dv; undefined where zero. */
function normChanges({ norms }: Variables, dv: Float64Array, part: "m" | "c"): ReadonlyMap<number, Float64Array> {
  const out = new Map<number, Float64Array>();
  for (const [index, { from, n }] of norms) {
    const change = part === "m" ? dv.subarray(from, from + n) : dv.subarray(from + n, from + 2 * n);
    if (change.some((value) => value !== 0)) out.set(index, change);
  }
  return out;
}

/** A_v of a field along a direction: normalisations move with c, s = (c + ε)^{−1/2}, s′ = −½s³, s″ = ¾s⁵. */
export function mapsJet(variables: Variables, field: Field, changes: ReadonlyMap<number, Float64Array>): ReadonlyMap<number, Jet> {
  switch (field.kind) {
    case "units":
      return new Map([[field.layer, { value: identity(variables.points * field.sites) }]]);
    case "mapped": {
      const map = everywhere(field.map);
      const move = (m: Matrix | undefined): Matrix | undefined => m && applyMap(map, m);
      return mapEach(mapsJet(variables, field.below, changes), (jet) => made(move(jet.value)!, move(jet.first), move(jet.second)));
    }
    case "sum": {
      const out = new Map<number, Jet>();
      field.terms.forEach((term, k) => {
        for (const [v, jet] of mapsJet(variables, term, changes)) {
          const sum = out.get(v);
          const c = field.coefficients[k]!;
          out.set(
            v,
            made(combine(sum?.value, 1, jet.value, c)!, combine(sum?.first, 1, jet.first, c), combine(sum?.second, 1, jet.second, c)),
          );
        }
      });
      return out;
    }
    case "normalised": {
      const s = variables.full.scales[field.norm]!;
      const dc = changes.get(field.norm);
      const s1 = dc && s.map((value, a) => -0.5 * value ** 3 * dc[a]!);
      const s2 = dc && s.map((value, a) => 0.75 * value ** 5 * dc[a]! ** 2);
      return mapEach(mapsJet(variables, field.below, changes), ({ value, first, second }) =>
        made(
          scaleRows(value, s)!,
          combine(scaleRows(first, s), 1, s1 && scaleRows(value, s1), 1),
          combine(combine(scaleRows(second, s), 1, s1 && scaleRows(first, s1), 2), 1, s2 && scaleRows(value, s2), 1),
        ),
      );
    }
  }
}

const made = (value: Matrix, first: Matrix | undefined, second: Matrix | undefined): Jet => ({
  value,
  ...(first ? { first } : {}),
  ...(second ? { second } : {}),
});
const mapEach = (maps: ReadonlyMap<number, Jet>, change: (jet: Jet) => Jet): ReadonlyMap<number, Jet> =>
  new Map([...maps].map(([v, jet]) => [v, change(jet)]));

/** First and second derivative of the mean of a field: it vanishes at infinite width. */
function meanJet(
  variables: Variables,
  field: Field,
  dm: ReadonlyMap<number, Float64Array>,
  dc: ReadonlyMap<number, Float64Array>,
): readonly [Float64Array, Float64Array] {
  const n = variables.points * field.sites;
  switch (field.kind) {
    case "units":
      return [new Float64Array(n), new Float64Array(n)];
    case "mapped": {
      const below = meanJet(variables, field.below, dm, dc);
      return below.map((mean) => applyMap(everywhere(field.map), { data: mean, shape: [mean.length, 1] }).data) as [
        Float64Array,
        Float64Array,
      ];
    }
    case "sum": {
      const out: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
      field.terms.forEach((term, k) =>
        meanJet(variables, term, dm, dc).forEach((mean, order) => {
          for (let i = 0; i < n; i++) out[order]![i]! += field.coefficients[k]! * mean[i]!;
        }),
      );
      return out;
    }
    case "normalised": {
      const [first, second] = meanJet(variables, field.below, dm, dc);
      const s = variables.full.scales[field.norm]!;
      const [m, c] = [dm.get(field.norm), dc.get(field.norm)];
      const away = first.map((value, a) => value - (m?.[a] ?? 0));
      return [away.map((value, a) => s[a]! * value), second.map((value, a) => s[a]! * value - (c ? s[a]! ** 3 * c[a]! * away[a]! : 0))];
    }
  }
}

const symmetricPart = (m: Matrix): Matrix => {
  const n = m.shape[0];
  return { data: m.data.map((value, i) => value + m.data[(i % n) * n + Math.floor(i / n)]!), shape: m.shape };
};

/** Derivatives of kernel and mean of a field when the variables move along dv. */
export function fieldJet(variables: Variables, field: Field, dv: Float64Array): FieldJet {
  const [dm, dc] = [normChanges(variables, dv, "m"), normChanges(variables, dv, "c")];
  const n = variables.points * field.sites;
  const [first, second] = [zeros(n, n), zeros(n, n)];
  for (const [v, { value: a, first: a1, second: a2 }] of mapsJet(variables, field, dc)) {
    const s = variables.full.layers[v]!;
    const s1 = layerChange(variables, v, dv);
    if (s1) addScaled(first, multiplyTransposedRight(multiply(a, s1), a));
    if (a1) {
      addScaled(first, symmetricPart(multiplyTransposedRight(multiply(a1, s), a)));
      addScaled(second, multiplyTransposedRight(multiply(a1, s), a1), 2);
      if (s1) addScaled(second, symmetricPart(multiplyTransposedRight(multiply(a1, s1), a)), 2);
    }
    if (a2) addScaled(second, symmetricPart(multiplyTransposedRight(multiply(a2, s), a)));
  }
  const [meanFirst, meanSecond] = meanJet(variables, field, dm, dc);
  return { first, second, meanFirst, meanSecond };
}

/** Derivative of K^{xy} = Σ_v A^x_v S^v A^y_vᵀ when the normalisations under x alone move along dv. */
export function crossChange(variables: Variables, x: Field, y: Field, dv: Float64Array): Matrix | undefined {
  const dc = normChanges(variables, dv, "c");
  if (dc.size === 0) return undefined;
  const right = mapsJet(variables, y, new Map());
  let out: Matrix | undefined;
  for (const [v, { first }] of mapsJet(variables, x, dc)) {
    const other = right.get(v);
    if (first && other) out = combine(out, 1, multiplyTransposedRight(multiply(first, variables.full.layers[v]!), other.value), 1);
  }
  return out;
}
