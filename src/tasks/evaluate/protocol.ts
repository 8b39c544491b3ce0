/** What decides a cell's figures beside its weights. It is written into the cell; a cell of another protocol is measured again. */
import type { Json, JsonObject } from "../../io/index.ts";
import { openSplit, type TaskPlace } from "../layouts/index.ts";
import { SPLITS, type Task } from "../schema.ts";
import type { Measure } from "./measure-names.ts";

/** What of a task file a way of measuring reads, beside where the data are. */
const READ: { readonly [M in Measure]: (task: Task) => Readonly<Record<string, unknown>> } = {
  linear_probe: () => ({}),
  zeroshot_retrieval: () => ({}),
  zeroshot_classification: ({ templates }) => ({ templates }),
  image_text_matching: () => ({}),
  finetune: ({ settings, protocol, data: { fields, imageSize, range, classCount }, figures }) => ({
    ...{ settings, inputs: protocol, fields, imageSize, range, classCount },
    figure: figures[0]?.metric,
  }),
  words_alone: ({ data: { fields } }) => ({ fields }),
};

/** The part of a protocol that the data decide. Throws what `openSplit` throws. */
export async function dataProtocol(place: TaskPlace): Promise<JsonObject> {
  const splits: Record<string, string> = {};
  for (const split of SPLITS) {
    const source = await openSplit(place, split);
    const found = await source?.fingerprint?.();
    if (found) splits[split] = found.hash.slice(0, 16);
  }
  return { layout: place.layout, splits };
}

/** The protocol, as plain JSON. Of a re-ranking the cell itself says how far it went. */
export function protocolOf(
  measure: Measure,
  { task, classes }: TaskPlace,
  { data, seed }: { readonly data: JsonObject; readonly seed: number },
): JsonObject {
  const read = JSON.parse(JSON.stringify({ classes, ...READ[measure](task) })) as Record<string, Json>;
  return { seed, ...data, ...read };
}
