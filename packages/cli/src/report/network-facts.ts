import {
  hiddenWidths,
  resolveArchitecture,
  type Matrix,
  type Network,
  type Primitive,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";

/** One sentence about the network. */
export function describeNetwork(network: Network, registry: Registry): string {
  const architecture = resolveArchitecture(registry, network);
  const widths = hiddenWidths(architecture);
  const activations = [...new Set(activationNames(architecture.layers))];
  const unit = (architecture.input?.sites ?? 1) > 1 ? "channels" : "widths";
  const [first] = widths;
  const each = widths.every((width) => width === first) ? (unit === "widths" ? `width ${first}` : `${first} channels`) : undefined;
  const layers = `${widths.length} hidden layer${widths.length === 1 ? "" : "s"} of ${each ?? `${unit} ${widths.join(", ")}`}`;
  return `${network.type}, ${layers}, ${activations.join(", ") || "no"} activation`;
}

const activationNames = (layers: readonly Primitive[]): string[] =>
  layers.flatMap((layer) => {
    if (layer.kind === "pointwise") return [layer.activation.name];
    return layer.kind === "merge" ? layer.branches.flatMap(activationNames) : [];
  });

/** G¹ … G^L at infinite width on the training inputs. */
export const infiniteHiddenKernels = ({ network, inputs }: Problem, registry: Registry): readonly Matrix[] =>
  infiniteWidthKernels(resolveArchitecture(registry, network), inputs).hidden;
