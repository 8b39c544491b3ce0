/** layerNorm with the mean and the inverse deviation that its gradient needs: one LayerNormalization with three results. */
import { isOp, type Value } from "../../../graph/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Around, Fusion, Step } from "../fusion.ts";
import { layerNormAttrs } from "../rules/kernels.ts";

/** Mean and inverse deviation ride on a layerNorm of the same x whose weight and bias are leaves, which come before all. */
export const layerNormStats: Fusion = {
  name: "layerNormStats",
  match: (value, around) => {
    if (isOp(value, "layerNorm")) return asksStats(value, around) ? result(value, 0) : undefined;
    if (!isOp(value, "layerNormMean") && !isOp(value, "layerNormInvStd")) return undefined;
    const host = hosts(value.inputs[0]!, around).find(
      (v) => !isOp(value, "layerNormInvStd") || v.attrs.eps === value.attrs.eps,
    );
    return host && result(host, isOp(value, "layerNormMean") ? 1 : 2);
  },
};

const isLeaf = (v: Value): boolean => isOp(v, "input") || isOp(v, "constant");

const hosts = (x: Value, around: Around): Value<"layerNorm">[] =>
  around
    .users(x)
    .filter(
      (v): v is Value<"layerNorm"> => isOp(v, "layerNorm") && v.inputs[0] === x && v.inputs.slice(1).every(isLeaf),
    );

const asksStats = (value: Value<"layerNorm">, around: Around): boolean =>
  around.users(value.inputs[0]!).some((v) => isOp(v, "layerNormMean") || isOp(v, "layerNormInvStd"));

function result(host: Value<"layerNorm">, index: number): Step {
  const { eps } = host.attrs;
  return {
    operands: host.inputs,
    emit: (e, inputs) => shared(e, inputs, eps)[index]!,
  };
}

const shared = (e: Emitter, inputs: readonly string[], eps: number): readonly string[] =>
  e.once(`LayerNormalization ${eps} ${JSON.stringify(inputs)}`, () =>
    e.multi("LayerNormalization", inputs, layerNormAttrs(eps), { count: 3 }),
  );
