/** What decides a cell's figures beside its weights. It is written into the cell; a cell of another protocol is measured again. */
import type { Json, JsonObject } from "../../io/index.ts";
import { openSplit, type TaskPlace } from "../layouts/index.ts";
import { SPLITS, type SplitName, type Task } from "../schema.ts";
import type { Measure } from "./measure-names.ts";

/** What a way of measuring reads. */
interface Reads {
  readonly splits: readonly SplitName[];
  /** Of the task file, beside where the data are. */
  of(task: Task): Readonly<Record<string, unknown>>;
}

const altered = ({ data }: Task) => ({ altered: data.altered });

const READS: { readonly [M in Measure]: Reads } = {
  linear_probe: { splits: SPLITS, of: altered },
  text_probe: { splits: SPLITS, of: () => ({}) },
  zeroshot_retrieval: { splits: ["test"], of: altered },
  zeroshot_classification: {
    splits: ["test"],
    of: ({ templates, data: { words, altered } }) => ({ templates, words, altered }),
  },
  image_text_matching: { splits: ["test"], of: altered },
  pair_retrieval: { splits: ["test"], of: altered },
  finetune: {
    splits: SPLITS,
    of: ({ settings, protocol, data: { fields, imageSize, range, classCount, altered }, figures }) => ({
      ...{ settings, inputs: protocol, fields, imageSize, range, classCount, altered },
      figure: figures[0]?.metric,
    }),
  },
  words_alone: { splits: SPLITS, of: ({ data: { fields } }) => ({ fields }) },
};

/** The protocols of the ways of measuring a task: what its data are is looked up once for all of them. */
export function protocols(place: TaskPlace): (measure: Measure, seed: number) => Promise<JsonObject> {
  const { task, layout, classes } = place;
  const hashes = new Map<SplitName, Promise<string | undefined>>();
  const hashOf = async (split: SplitName): Promise<string | undefined> => {
    const source = await openSplit(place, split);
    return (await source?.fingerprint?.())?.hash.slice(0, 16);
  };
  return async (measure, seed) => {
    const { splits, of } = READS[measure];
    const data: Record<string, string | undefined> = {};
    for (const split of splits) {
      const hash = hashes.get(split) ?? hashOf(split);
      hashes.set(split, hash);
      data[split] = await hash;
    }
    const plain: Json = JSON.parse(JSON.stringify({ seed, layout, splits: data, classes, ...of(task) }));
    return plain as JsonObject;
  };
}
