/** The members of a tar shard that have one name, as a sample. */

import { IMAGE_EXTENSIONS } from "../../image/index.ts";
import { decodeUtf8 } from "../../io/byte-reader.ts";
import type { Bytes } from "../../io/bytes.ts";
import { isRecord } from "../../io/index.ts";
import { INVALID_UTF8, LABEL_KEYS, TEXT_KEYS, toSample } from "./fields.ts";
import type { Bad } from "./files.ts";
import { parseJson } from "./json.ts";
import { PICTURES } from "./listing.ts";
import type { Objects } from "./objects.ts";
import type { Sample } from "./source.ts";
import type { TarEntry } from "./tar-entries.ts";
import { resolveLink, type TarGroup } from "./tar-index.ts";

/** An archive that is being read. */
export interface OpenTar {
  readonly archive: Bytes;
  readonly label: string;
  /** What links may point to. */
  readonly entries: ReadonlyMap<string, TarEntry>;
  note(key: string, reason: string): void;
}

type Text = string | typeof INVALID_UTF8 | undefined;

export const MAX_MEMBER_BYTES: number = 1 << 28;
const TEXT_EXTENSIONS = ["txt", "text", "caption"];

/** A member that cannot be used, and so its sample. */
class BadMember extends Error {}

/** `cut`: members it may have lost with the end of the archive. */
export async function assemble(tar: OpenTar, group: TarGroup, cut: readonly string[]): Promise<Sample | Bad> {
  const key = `${tar.label}/${group.name}`;
  const [repeated] = group.repeated;
  if (repeated !== undefined) return { key, reason: `two members named .${repeated}` };
  if (cut.length > 0) return { key, reason: `the archive may be cut off here: ${listed(cut)} missing, no zero blocks` };
  try {
    return await readSample(tar, key, group.members);
  } catch (error) {
    if (error instanceof BadMember) return { key, reason: error.message };
    throw error;
  }
}

async function readSample(tar: OpenTar, key: string, members: ReadonlyMap<string, TarEntry>): Promise<Sample | Bad> {
  const find = (extensions: readonly string[]): string | undefined => extensions.find((name) => members.has(name));
  const body = async (extension: string | undefined): Promise<Uint8Array | undefined> =>
    extension === undefined ? undefined : readMember(tar, extension, members.get(extension)!);
  const textOf = async (extension: string | undefined): Promise<Text> => {
    const bytes = members.has(extension ?? "") ? await body(extension) : undefined;
    return bytes && (decodeUtf8(bytes) ?? INVALID_UTF8);
  };

  const imageName = find(IMAGE_EXTENSIONS);
  const text = await textOf(find(TEXT_EXTENSIONS));
  const unread = [...besides(IMAGE_EXTENSIONS, members), ...besides(TEXT_EXTENSIONS, members)];
  if (unread.length > 0) tar.note(key, `${listed(unread)} not read: a sample has one picture and one text`);
  const cls = await textOf("cls");
  if (cls === INVALID_UTF8) return { key, reason: ".cls: not valid UTF-8" };
  const metadata = parseObject(await textOf("json"));
  if (metadata === undefined && text === undefined) return { key, reason: ".json: expected an object" };
  if (metadata === undefined) tar.note(key, ".json: expected an object; the sample is used without it");
  const json = metadata ?? {};
  const caption = captionsOf(json, text);
  const picture = [...members.keys()].find((name) => PICTURES.has(name.slice(name.lastIndexOf(".") + 1)));
  if (imageName === undefined && (picture !== undefined || caption.value === undefined))
    return { key, reason: unnamed(picture === undefined ? "no image and no text" : "no image", members) };

  const objects = objectsFrom(json.objects);
  if (objects === undefined && isRecord(json.objects))
    tar.note(
      key,
      ".json: objects: expected { classes, boxes } with four numbers a class; the sample is used without them",
    );
  const labelKey = cls === undefined ? given(json, LABEL_KEYS) : undefined;
  const sample = toSample({
    key,
    image: await body(imageName),
    text: caption.value,
    label: cls === undefined ? labelKey && json[labelKey] : numberIfInteger(cls.trim()),
    meta: Object.fromEntries(
      Object.entries(json).filter(([name]) => name !== labelKey && !caption.keys.includes(name)),
    ),
  });
  return objects && !("reason" in sample) ? { ...sample, objects } : sample;
}

/** What `buildShards` has written of what is in the picture. */
function objectsFrom(value: unknown): Objects | undefined {
  if (!isRecord(value)) return undefined;
  const { classes, boxes } = value;
  const numbers = (list: unknown): list is number[] => Array.isArray(list) && list.every(Number.isFinite);
  return numbers(classes) && numbers(boxes) && boxes.length === 4 * classes.length ? { classes, boxes } : undefined;
}

/** The members of these extensions behind the first, which is the one that is read. */
const besides = (extensions: readonly string[], members: ReadonlyMap<string, TarEntry>): string[] =>
  extensions.filter((name) => members.has(name)).slice(1);

/** The captions: those of the text file, or those of the metadata, which may go on where the text file stops. */
function captionsOf(json: Readonly<Record<string, unknown>>, text: Text): { value: unknown; keys: string[] } {
  if (text === undefined || (typeof text === "string" && text.trim() === "")) {
    const key = given(json, TEXT_KEYS);
    return key === undefined ? { value: text, keys: [] } : { value: json[key], keys: [key] };
  }
  const same = (value: unknown): boolean =>
    typeof value === "string" && text !== INVALID_UTF8 && value.trim() === text.trim();
  const list = TEXT_KEYS.find((name) => Array.isArray(json[name]) && same((json[name] as unknown[])[0]));
  const keys = TEXT_KEYS.filter((name) => name === list || same(json[name]));
  return { value: list === undefined ? text : json[list], keys };
}

const given = (json: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined =>
  names.find((name) => json[name] !== undefined && json[name] !== null);

async function readMember({ archive, entries }: OpenTar, extension: string, entry: TarEntry): Promise<Uint8Array> {
  const file = resolveLink(entry, entries);
  if (typeof file === "string") throw new BadMember(`.${extension}: ${file}`);
  if (file.size > MAX_MEMBER_BYTES)
    throw new BadMember(`.${extension}: expected at most ${MAX_MEMBER_BYTES} bytes, got ${file.size}`);
  return file.body ?? new Uint8Array(await archive.slice(file.offset, file.offset + file.size));
}

function unnamed(what: string, members: ReadonlyMap<string, TarEntry>): string {
  const help = "a sample's name ends at the first dot; .jpg, .png, … .txt, .json, .cls are read";
  return `${what} among ${listed([...members.keys()])} (${help})`;
}

function listed(extensions: readonly string[]): string {
  const some = extensions.slice(0, 4).map((name) => `.${name}`);
  return extensions.length > 4 ? `${some.join(", ")} … (${extensions.length})` : some.join(", ");
}

/** No metadata is empty metadata; undefined where it is no JSON object. */
function parseObject(text: Text): Record<string, unknown> | undefined {
  if (text === undefined) return {};
  if (text === INVALID_UTF8) return undefined;
  try {
    const value = parseJson(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const numberIfInteger = (text: string): string | number => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);
