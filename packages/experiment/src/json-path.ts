import { inputError, type Json } from "@finitewidth/core";

/** `methods[0].closure` → ["methods", 0, "closure"]; undefined when it is no path. */
export function parsePath(path: string): (string | number)[] | undefined {
  const keys: (string | number)[] = [];
  for (let rest = path; rest !== "";) {
    const match = (keys.length === 0 ? /^([A-Za-z_$][\w$-]*)/ : /^(?:\.([A-Za-z_$][\w$-]*)|\[(\d{1,9})\])/).exec(rest);
    if (!match || (match[1] !== undefined && match[1] in Object.prototype)) return undefined;
    keys.push(match[1] ?? Number(match[2]));
    rest = rest.slice(match[0].length);
  }
  return keys.length > 0 ? keys : undefined;
}

/**
 * A copy of `root` with `value` at the path; the last key may be new, everything above it must be there. @throws FinitewidthError (code
 * "input") naming `name`.
 */
export function setPath(root: Json, keys: readonly (string | number)[], value: Json, name: string): Json {
  const [key, ...below] = keys;
  if (key === undefined) return value;
  if (Array.isArray(root)) {
    if (typeof key !== "number" || key >= root.length)
      throw inputError(name, `a path of the experiment (the list has ${root.length} entries)`, key);
    return root.map((entry: Json, i) => (i === key ? setPath(entry, below, value, name) : entry));
  }
  if (typeof key === "number" && typeof root === "number")
    throw inputError(name, "a path of the experiment", `entry ${key} of the number ${root}: write a list in its place`);
  if (typeof root !== "object" || root === null || typeof key === "number" || (below.length > 0 && !Object.hasOwn(root, key)))
    throw inputError(name, "a path of the experiment", `nothing at ${String(key)}`);
  return { ...root, [key]: setPath((root as Record<string, Json>)[key] ?? null, below, value, name) };
}
