/** Writes splits as WebDataset tar shards and JSON Lines. The bytes depend on the records alone: no times, no users. */
import { join } from "node:path";
import { packTar, type TarEntry } from "modern-tar";
import { DataError } from "../../errors.ts";
import { saveFile } from "../../io/index.ts";
import { sha256Of } from "./manifest.ts";

/** A drawn picture with what is written beside it. */
export interface DrawnPicture {
  readonly key: string;
  readonly png: Uint8Array;
  readonly texts: readonly string[];
  readonly label?: string | undefined;
  readonly meta: Readonly<Record<string, string>>;
}

/** Name, size and hash of a written file. */
export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Pictures in one shard; about 15 MB. */
const SHARD_PICTURES = 2500;

/** Shards "NAME.tar", or "NAME-00000.tar", "NAME-00001.tar", … where one is not enough: KEY.png, KEY.txt (the first caption), KEY.json. */
export async function writeShards(
  dir: string,
  name: string,
  pictures: readonly DrawnPicture[],
  signal?: AbortSignal,
): Promise<WrittenFile[]> {
  const shards = Math.max(1, Math.ceil(pictures.length / SHARD_PICTURES));
  const files: WrittenFile[] = [];
  for (let shard = 0; shard < shards; shard++) {
    signal?.throwIfAborted();
    const part = pictures.slice(shard * SHARD_PICTURES, (shard + 1) * SHARD_PICTURES);
    const bytes = await packTar(part.flatMap(tarEntries));
    files.push(
      await written(dir, shards === 1 ? `${name}.tar` : `${name}-${String(shard).padStart(5, "0")}.tar`, bytes),
    );
  }
  return files;
}

/** One object a line. */
export async function writeLines(dir: string, name: string, rows: readonly object[]): Promise<WrittenFile> {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  return written(dir, `${name}.jsonl`, new TextEncoder().encode(text));
}

function tarEntries({ key, png, texts, label, meta }: DrawnPicture): TarEntry[] {
  if (key.includes(".") || key.includes("/")) throw new DataError(`${key}: expected a key without "." and "/"`);
  const json = { ...(texts.length > 0 && { captions: texts }), ...(label !== undefined && { label }), ...meta };
  const bodies: [string, Uint8Array | string][] = [["png", png]];
  if (texts.length > 0) bodies.push(["txt", texts[0]!]);
  bodies.push(["json", JSON.stringify(json)]);
  return bodies.map(([extension, content]) => {
    const body = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const header = { name: `${key}.${extension}`, size: body.length, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 };
    return { header, body };
  });
}

async function written(dir: string, name: string, bytes: Uint8Array): Promise<WrittenFile> {
  await saveFile(join(dir, name), bytes);
  return { name, bytes: bytes.length, sha256: sha256Of(bytes) };
}
