/** `flava data extract SOURCE DIR`: the pictures of a source as files, with their captions in metadata.jsonl. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BadSample, Sample, Source } from "../data/sources/index.ts";
import { DataError } from "../errors.ts";
import { readImageHeader } from "../image/index.ts";
import { lockFolder, makeFolder, namesIn, saveFile, writeError } from "../io/index.ts";
import type { Io } from "./command.ts";
import { openNamed } from "./data-source.ts";
import { formatCount } from "./progress.ts";

interface ExtractOptions {
  readonly limit?: number;
  readonly folders?: boolean;
  readonly outside?: boolean;
  readonly cacheDir?: string;
}

const ENDINGS: Readonly<Record<string, string>> = { jpeg: "jpg", tiff: "tif" };

/** What was written of a source, and what was not. */
interface Extracted {
  /** Lines of metadata.jsonl. */
  readonly rows: string[];
  /** Samples without a picture. */
  without: number;
  readonly bad: BadSample[];
}

/** Writes them into a new or an empty folder. Throws DataError where it is neither, or the source has no pictures; FileError. */
export async function extract(
  io: Io,
  [spec = "", out = ""]: readonly string[],
  options: ExtractOptions,
): Promise<void> {
  const source = await openNamed(io, spec, options);
  if ((await namesIn(out)).some((name) => !name.startsWith(".")))
    throw new DataError(`${out}: expected a new or an empty folder, got one with files in it`);
  await makeFolder(out);
  await using _ = await lockFolder(out);
  const { rows, without, bad } = await writePictures(io, source, out, options);
  if (rows.length === 0) throw new DataError(`${spec}: expected samples with pictures, got none`);
  const lost = [
    without > 0 ? `${formatCount(without)} samples without a picture left out` : "",
    bad.length > 0 ? `${formatCount(bad.length)} bad ones left out, the first: ${bad[0]!.key}: ${bad[0]!.reason}` : "",
  ].filter(Boolean);
  io.result([`${out}: ${formatCount(rows.length)} pictures, captions in metadata.jsonl`, ...lost].join("; "), {
    folder: out,
    pictures: rows.length,
    without,
    bad,
  });
}

async function writePictures(io: Io, source: Source, out: string, options: ExtractOptions): Promise<Extracted> {
  const { limit = Number.POSITIVE_INFINITY, folders } = options;
  const total = source.count === undefined ? options.limit : Math.min(source.count, limit);
  const progress = io.progress({ label: `writing ${out}`, unit: "pictures", total });
  const done: Extracted = { rows: [], without: 0, bad: [] };
  const onBad = (one: BadSample): void => void (one.kept || done.bad.push(one));
  const used = new Set<string>();
  try {
    for await (const { sample } of source.samples({ signal: io.signal, onBad })) {
      if (done.rows.length >= limit) break;
      const { image, texts, label } = sample;
      if (image === undefined) {
        done.without++;
        continue;
      }
      const folder = folders && label !== undefined ? plain(String(label)) || "label" : "";
      if (folder !== "") await makeFolder(join(out, folder));
      const file = fileName(sample, image, folder, used);
      await writePicture(join(out, file), image);
      const row = { file_name: file, ...(texts && { text: texts }), ...(label !== undefined && { label }) };
      done.rows.push(`${JSON.stringify(row)}\n`);
      progress.update(done.rows.length);
    }
    await saveFile(join(out, "metadata.jsonl"), done.rows.join(""));
  } finally {
    progress.end();
  }
  return done;
}

/** What the sample is called, its name or its key, as a file's name with the ending of its format; with a number where it is taken. */
function fileName({ key, meta }: Sample, image: Uint8Array, folder: string, used: Set<string>): string {
  const format = readImageHeader(image)?.format ?? "bin";
  const stem = plain(String(meta?.name ?? key).replace(/\.(png|jpe?g|webp|gif|bmp|tiff?|svg|avif)$/i, ""));
  const named = (suffix: string): string =>
    `${folder && `${folder}/`}${stem || "picture"}${suffix}.${ENDINGS[format] ?? format}`;
  let name = named("");
  for (let i = 2; used.has(name.toLowerCase()); i++) name = named(`-${i}`);
  used.add(name.toLowerCase());
  return name;
}

/** Letters, digits and what else every system takes in a name. */
const plain = (text: string): string =>
  text
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[.-]+|[.-]+$/g, "")
    .slice(-100);

/** Not synced one by one: the list that is written last says which are whole. */
const writePicture = (path: string, image: Uint8Array): Promise<void> =>
  writeFile(path, image, { flag: "wx" }).catch((error: unknown) => {
    throw writeError(path, error);
  });
