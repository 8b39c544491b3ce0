/** Splits that are made of others when they are opened: questions and statements about the pictures of the starter data. */
import { createHash } from "node:crypto";
import { type FileState, fingerprintOf, openSource, type Sample, type Source } from "../../../data/sources/index.ts";
import { indexedSamples } from "../../../data/sources/indexed.ts";
import { DataError } from "../../../errors.ts";
import { type StarterData, starterSplit } from "../fetch.ts";
import type { HeldOutBy } from "../split.ts";
import { entailment } from "./entailment.ts";
import type { Meta } from "./kinds.ts";
import { questions } from "./questions.ts";
import { type Maker, type Statement, statementsOf } from "./statements.ts";

/** Of which splits the pictures of each part are. */
const PICTURES: Readonly<Record<string, (heldOutBy: HeldOutBy) => readonly string[]>> = {
  train: () => ["pairs_drawings"],
  validation: () => ["validation", "validation_style"],
  test: (heldOutBy) => [`unseen_${heldOutBy}`],
};

const MAKERS: Readonly<Record<string, Maker>> = { questions, entailment };

/** "questions_train", …, "entailment_test". */
export const DERIVED: readonly string[] = Object.keys(MAKERS).flatMap((name) =>
  Object.keys(PICTURES).map((part) => `${name}_${part}`),
);

/**
 * A split by its name: the picture, one text, and a label, or in `meta.answers` ten answers, one a line. The pictures of those that train
 * show training concepts alone. Throws DataError where the edition has no such pictures.
 */
export async function derivedSource(data: StarterData, name: string, signal?: AbortSignal): Promise<Source> {
  const [set, part] = name.split("_") as [string, string];
  const splits = PICTURES[part]!(data.manifest.heldOutBy)
    .filter((split) => Object.hasOwn(data.manifest.splits, split))
    .map((split) => starterSplit(data, split));
  const pictures: Picture[] = [];
  for (const { source } of splits) pictures.push(...(await picturesOf(await openSource(source, { signal }), signal)));
  const statements = statementsOf(pictures, MAKERS[set]!);
  if (statements.length === 0)
    throw new DataError(`starter:${name}: expected pictures to say something about, got none`, "take the full edition");
  const title = `starter:${name}`;
  const load = (i: number): Sample => sampleOf(statements[i]!, i, pictures, set === "questions");
  return {
    name: title,
    count: statements.length,
    async fingerprint() {
      const said = createHash("sha256").update(JSON.stringify(statements)).digest("hex");
      const files = splits.flatMap((split) => split.files);
      const states = files.map((file): FileState => {
        const { bytes, sha256 } = data.manifest.files[file]!;
        return { name: file, bytes, version: sha256 };
      });
      return fingerprintOf([...states, { name, bytes: 0, version: said }]);
    },
    samples: (options = {}) => indexedSamples(title, statements.length, options, load),
  };
}

interface Picture {
  readonly key: string;
  readonly image: Uint8Array;
  readonly meta: Meta;
}

/** The pictures of emoji, encoded; others have no subgroup. */
async function picturesOf(source: Source, signal?: AbortSignal): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for await (const { sample } of source.samples({ signal })) {
    const { key, image, meta } = sample;
    if (image && meta?.concept !== undefined) pictures.push({ key, image, meta: meta as Meta });
  }
  return pictures;
}

function sampleOf(
  { picture, text, answers, frame }: Statement,
  i: number,
  pictures: readonly Picture[],
  open: boolean,
): Sample {
  const { key, image, meta } = pictures[picture]!;
  const about = { picture: key, frame, concept: meta.concept ?? "", style: meta.style ?? "" };
  const sample = { key: `${key}-${i}`, image, texts: [text] };
  return open
    ? { ...sample, meta: { ...about, answers: answers.join("\n") } }
    : { ...sample, label: answers[0]!, meta: about };
}
