/** WebDataset tar shards: members with the same name up to the first dot are one sample. */
import { z } from "zod";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import { openBytes } from "../../io/index.ts";
import { INVALID_UTF8, LABEL_KEYS, TEXT_KEYS, toSample } from "./fields.ts";
import { type Bad, type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import type { JsonValue, Sample, Source } from "./source.ts";
import { type TarEntry, tarEntries } from "./tar-entries.ts";

const IMAGE_EXTENSIONS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "svg", "avif"];
const TEXT_EXTENSIONS = ["txt", "text", "caption"];
const MAX_MEMBER_BYTES = 1 << 28;

const placeSchema = z.strictObject({ byte: z.int().nonnegative() });

/** The samples of tar shards, given by paths or URLs. Keys are `shard.tar/prefix`. */
export function tarSource(name: string, files: readonly string[]): Source {
  return { name, samples: (options = {}) => fileSamples(name, files, options, readTar) };
}

async function* readTar(
  { path: file, label }: SourceFile,
  from: JsonValue,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileRecord> {
  const start = from === null ? 0 : parseCursor(file, from, placeSchema).byte;
  const archive = await openBytes(file, { signal });
  try {
    let group: { prefix: string; members: Map<string, TarEntry>; twice: string | undefined; end: number } | undefined;
    const finish = (): FileRecord[] => {
      if (group === undefined) return [];
      const { prefix, members, twice, end } = group;
      const key = `${label}/${prefix}`;
      return [{ place: { byte: end }, load: () => (twice ? { key, reason: twice } : assemble(key, members)) }];
    };
    for await (const entry of tarEntries(archive, start, MAX_MEMBER_BYTES)) {
      const split = splitName(entry.name);
      if (split === undefined) continue;
      if (group?.prefix !== split.prefix) {
        yield* finish();
        group = { prefix: split.prefix, members: new Map(), twice: undefined, end: 0 };
      }
      if (group.members.has(split.extension)) group.twice = `two members named .${split.extension}`;
      group.members.set(split.extension, entry);
      group.end = entry.end;
    }
    yield* finish();
  } finally {
    await archive.close();
  }
}

/** `a/b.c.jpg` → prefix `a/b`, extension `c.jpg`; undefined for folders and for names without an extension. */
function splitName(name: string): { prefix: string; extension: string } | undefined {
  const match = /^(?:\.\/)*((?:.*\/|)[^./][^.]*)\.([^/]+)$/s.exec(name);
  return match ? { prefix: match[1]!, extension: match[2]!.toLowerCase() } : undefined;
}

function assemble(key: string, members: ReadonlyMap<string, TarEntry>): Sample | Bad {
  for (const [extension, { body, size }] of members)
    if (body === undefined && size > MAX_MEMBER_BYTES)
      return { key, reason: `.${extension}: expected at most ${MAX_MEMBER_BYTES} bytes, got ${size}` };
  const find = (extensions: readonly string[]): Uint8Array | undefined =>
    extensions.map((extension) => members.get(extension)?.body).find((body) => body !== undefined);
  const textOf = (body: Uint8Array | undefined): string | typeof INVALID_UTF8 | undefined =>
    body && (decodeUtf8(body) ?? INVALID_UTF8);

  const json = parseObject(textOf(members.get("json")?.body));
  if (json === "bad") return { key, reason: ".json: expected an object" };
  const jsonText = TEXT_KEYS.map((name) => json[name]).find((value) => value !== undefined && value !== null);
  const jsonLabel = LABEL_KEYS.map((name) => json[name]).find((value) => value !== undefined && value !== null);
  const label = textOf(members.get("cls")?.body);
  if (label === INVALID_UTF8) return { key, reason: ".cls: not valid UTF-8" };
  const text = textOf(find(TEXT_EXTENSIONS));
  const both = typeof text === "string" && Array.isArray(jsonText) && jsonText[0] === text.trim();
  return toSample({
    key,
    image: find(IMAGE_EXTENSIONS),
    text: both ? jsonText : (text ?? jsonText),
    label: label === undefined ? jsonLabel : numberIfInteger(label.trim()),
    meta: without(json, [...TEXT_KEYS, ...LABEL_KEYS]),
  });
}

function parseObject(text: string | typeof INVALID_UTF8 | undefined): Record<string, unknown> | "bad" {
  if (text === undefined) return {};
  if (text === INVALID_UTF8) return "bad";
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : "bad";
  } catch {
    return "bad";
  }
}

const numberIfInteger = (text: string): string | number => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);

function without(fields: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !names.includes(key)));
}
