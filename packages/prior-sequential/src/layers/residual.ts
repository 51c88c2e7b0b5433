import { finiteNumber, inputError, strictObject, type LayerContext, type LayerPlugin, type LayerShape } from "@finitewidth/core";
import * as v from "valibot";
import { layerName, requireGaussian } from "./fields.js";

const entries = v.array(v.unknown(), "a list of layers");
const residualSchema = strictObject({
  layer: layerName,
  body: v.pipe(entries, v.nonEmpty("at least one layer")),
  skip: v.optional(finiteNumber, 1),
  branch: v.optional(finiteNumber, 1),
});

/** Branches are added unit by unit. */
function requireSameUnits(tops: readonly LayerShape[], context: LayerContext): void {
  for (const top of tops) {
    requireGaussian(top, context, "a sum whose branches end");
    const [first] = tops;
    if (top.width !== first!.width) throw inputError(context.path, `branches of as many units, ${first!.width}`, top.width);
    if (top.grid.join() !== first!.grid.join())
      throw inputError(context.path, `branches over the same sites, [${first!.grid.join(", ")}]`, `[${top.grid.join(", ")}]`);
  }
}

/** skip · z + branch · body(z). */
export const residual: LayerPlugin<v.InferOutput<typeof residualSchema>> = {
  name: "residual",
  summary: "skip · z + branch · body(z).",
  schema: residualSchema,
  build({ body, skip, branch }, below, context) {
    if (skip === 0 && branch === 0) throw inputError(`${context.path}.skip`, "skip or branch other than 0, else nothing passes", skip);
    const built = context.branch(body, below, `${context.path}.body`);
    requireSameUnits([below, built.above], context);
    return { primitives: [{ kind: "merge", branches: [[], built.primitives], coefficients: [skip, branch] }], above: below };
  },
};

const sumSchema = strictObject({
  layer: layerName,
  branches: v.pipe(v.array(entries, "a list of branches, each a list of layers"), v.nonEmpty("at least one branch")),
  coefficients: v.optional(v.array(finiteNumber, "a list of finite numbers")),
});

/** Σ_k coefficients_k branch_k(z); an empty branch is z. */
export const sum: LayerPlugin<v.InferOutput<typeof sumSchema>> = {
  name: "sum",
  summary: "Sum of branches on the same units, with coefficients.",
  schema: sumSchema,
  build({ branches, coefficients = branches.map(() => 1) }, below, context) {
    if (coefficients.length !== branches.length)
      throw inputError(`${context.path}.coefficients`, `${branches.length} numbers, one per branch`, coefficients);
    const built = branches.map((branch, k) => context.branch(branch, below, `${context.path}.branches[${k}]`));
    requireSameUnits(
      built.map(({ above }) => above),
      context,
    );
    return { primitives: [{ kind: "merge", branches: built.map(({ primitives }) => primitives), coefficients }], above: built[0]!.above };
  },
};
