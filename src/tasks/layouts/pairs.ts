/** Texts about pictures: SNLI-VE (lines of JSON beside Flickr30K), Hateful Memes (lines of JSON), VQAv2 (questions and annotations). */
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { namesIn, readJson, statOf } from "../../io/index.ts";
import { firstThere, readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames } from "./layout.ts";

/** A layout of lines of JSON: what its files are called, and what a line says. */
interface LinesForm {
  readonly looks: string;
  file(split: string): string;
  /** Where the pictures may lie; the first that is there. */
  readonly folders: readonly string[];
  /** Undefined for a line that is none. */
  item(line: unknown, folder: string): Omit<Item, "key"> | undefined;
}

const veLine = z.object({
  Flickr30K_ID: z.union([z.string(), z.number()]),
  sentence2: z.string(),
  gold_label: z.string(),
});
const memeLine = z.object({ img: z.string(), text: z.string(), label: z.int().optional() });

/** The hypothesis is the text; the premise is the picture. */
export const snliVe: LayoutReader = lines({
  looks: "snli_ve_train.jsonl, snli_ve_dev.jsonl, snli_ve_test.jsonl, flickr30k_images/",
  file: (split) => `snli_ve_${split}.jsonl`,
  folders: [
    ...["flickr30k_images", "flickr30k-images", "images", "Flickr30K/images", "flickr30k/flickr30k-images"],
    ...["flickr30k_images", "flickr30k-images"].map((name) => `../flickr30k/${name}`), // where the retrieval task has them
  ],
  item(line, folder) {
    const { data } = veLine.safeParse(line);
    if (!data) return undefined;
    const name = String(data.Flickr30K_ID).replace(/(\.jpg)?$/, ".jpg");
    return {
      path: `${folder}/${name}`,
      texts: [data.sentence2],
      ...(data.gold_label !== "-" && { label: data.gold_label }),
    };
  },
});

/** The text is the one on the picture. */
export const hatefulMemes: LayoutReader = lines({
  looks: "train.jsonl, dev_unseen.jsonl, test_unseen.jsonl, img/",
  file: (split) => `${split}.jsonl`,
  folders: [""],
  item(line) {
    const { data } = memeLine.safeParse(line);
    return data && { path: data.img, texts: [data.text], label: data.label };
  },
});

function lines(form: LinesForm): LayoutReader {
  const fileOf = ({ root }: Place, split: string): Promise<string | undefined> =>
    firstThere(root, splitNames(split).map(form.file));
  return {
    looks: form.looks,
    isThere: async (place) => (await fileOf(place, place.task.data.splits.train?.[0] ?? "train")) !== undefined,
    async split(place, name) {
      const list = await fileOf(place, name);
      if (list === undefined) return undefined;
      const file = join(place.root, list);
      const folder = (await firstThere(place.root, form.folders)) ?? form.folders[0]!;
      const items = (await readLinesOf(file, place.signal)).map((line, i): Item => {
        const key = `${list}:${i + 1}`;
        const item = form.item(parsed(line), folder);
        return item ? { key, ...item } : { key, refused: "the line has not the keys of this layout" };
      });
      return { items, files: [file] };
    },
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const questionsSchema = z.object({
  questions: z.array(z.object({ image_id: z.int(), question: z.string(), question_id: z.int() })),
});
const annotationsSchema = z.object({
  annotations: z.array(z.object({ question_id: z.int(), answers: z.array(z.object({ answer: z.string() })) })),
});

/** What a split is called in names of files, and which year's pictures it asks about. */
const VQA_SPLITS: Readonly<Record<string, readonly [name: string, pictures: string]>> = {
  train: ["train2014", "train2014"],
  val: ["val2014", "val2014"],
  "test-dev": ["test-dev2015", "test2015"],
  test: ["test2015", "test2015"],
};

/** The question is the text. `meta.answers` has those of the annotators, one a line; a test has none. */
export const vqaJson: LayoutReader = {
  looks:
    "v2_OpenEnded_mscoco_train2014_questions.json, v2_mscoco_train2014_annotations.json, the same of val2014, train2014/, val2014/",
  isThere: async ({ root }) =>
    (await namesIn(root)).some((name) => /^v2_OpenEnded_mscoco_.*_questions\.json$/.test(name)),
  split: vqaSplit,
};

async function vqaSplit({ root }: Place, split: string): Promise<Listing | undefined> {
  const [name, pictures] = VQA_SPLITS[split] ?? [];
  const questions = join(root, `v2_OpenEnded_mscoco_${name}_questions.json`);
  const annotations = join(root, `v2_mscoco_${name}_annotations.json`);
  if (name === undefined || !(await statOf(questions))) return undefined;
  const answers = new Map<number, string>();
  const known = (await statOf(annotations)) !== undefined;
  if (known)
    for (const { question_id, answers: given } of (await checked(annotations, annotationsSchema)).annotations)
      answers.set(question_id, given.map(({ answer }) => answer.replaceAll("\n", " ")).join("\n"));
  else if (!name.startsWith("test"))
    throw new DataError(`${annotations}: expected the answers to ${questions}, found none`);
  const folder = (await firstThere(root, [pictures!, `images/${pictures}`])) ?? pictures!;
  const items = (await checked(questions, questionsSchema)).questions.map(
    ({ image_id, question, question_id }): Item => {
      const path = `${folder}/COCO_${pictures}_${String(image_id).padStart(12, "0")}.jpg`;
      const given = answers.get(question_id);
      const item = { key: String(question_id), path, texts: [question] };
      if (given === undefined) return known ? { ...item, refused: "the question has no answers" } : item;
      return { ...item, meta: { answers: given } };
    },
  );
  return { items, files: known ? [questions, annotations] : [questions] };
}

async function checked<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const found = schema.safeParse(await readJson(path));
  if (found.success) return found.data;
  throw new DataError(`${path}: ${z.prettifyError(found.error).split("\n").slice(0, 2).join(" ")}`);
}
