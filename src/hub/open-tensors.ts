/** Opens a file of weights, whatever its format: the first bytes say which. */
import { CheckpointError } from "../errors.ts";
import type { Bytes } from "../io/bytes.ts";
import { readSafetensors } from "./safetensors/read.ts";
import type { TensorFile } from "./tensor-file.ts";
import { readTorch, type TorchOptions } from "./torch/read.ts";

const SAFETENSORS =
  "save the weights as safetensors, or load them with torch and save them again: torch.save(state_dict, …)";
const AGAIN =
  "load and save it again with a present torch: torch.save(torch.load(path, map_location='cpu', weights_only=True), path)";

interface Signature {
  readonly what: string;
  readonly help: string;
  /** Where the bytes start; 0 unless said. */
  readonly at?: number;
  readonly starts: readonly (string | readonly number[])[];
}

/** What people also have, told apart so that the message says what to do. */
const UNREADABLE: readonly Signature[] = [
  {
    what: "a checkpoint of torch before 1.6 (the layout with a magic number)",
    help: AGAIN,
    starts: [2, 3, 4, 5].map((protocol) => [
      0x80,
      protocol,
      0x8a,
      0x0a,
      0x6c,
      0xfc,
      0x9c,
      0x46,
      0xf9,
      0x20,
      0x6a,
      0xa8,
      0x50,
      0x19,
    ]),
  },
  {
    what: "a tar archive: a checkpoint of torch 0.1, or a bundle that was not unpacked",
    help: `unpack it; if it is a checkpoint, ${AGAIN}`,
    at: 257,
    starts: ["ustar"],
  },
  { what: "a tar archive of torch 0.1", help: AGAIN, starts: ["sys_info", "pickle\0", "storages\0", "tensors\0"] },
  {
    what: "a plain pickle, without tensors' bytes as torch stores them",
    help: AGAIN,
    starts: [2, 3, 4, 5].map((protocol) => [0x80, protocol]),
  },
  {
    what: "a pointer of Git LFS, not the file itself",
    help: "run git lfs pull in that repository, or download the file",
    starts: ["version https://git-lfs"],
  },
  {
    what: "a web page",
    help: "the address answers with a page: use the address of the file itself (…/resolve/main/…)",
    starts: ["<!DOCTYPE", "<!doctype", "<html", "<HTML"],
  },
  { what: "a file of HDF5 (Keras)", help: SAFETENSORS, starts: [[0x89, 0x48, 0x44, 0x46]] },
  { what: "a GGUF file", help: SAFETENSORS, starts: ["GGUF"] },
  { what: "NumPy's array file", help: SAFETENSORS, starts: [[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]] },
  { what: "a gzip file", help: "unpack it first", starts: [[0x1f, 0x8b]] },
];

/** What the first bytes of a file say. */
const HEAD_BYTES = 512;

/** Opens safetensors or a torch checkpoint. The bytes are closed on failure. Throws CheckpointError, with what to do where the format is another. */
export async function openTensors(bytes: Bytes, options: TorchOptions = {}): Promise<TensorFile> {
  const head = await firstBytes(bytes);
  if (startsWith(head, 0, [0x50, 0x4b, 3, 4])) return readTorch(bytes, options);
  const other = isSafetensors(head)
    ? undefined
    : UNREADABLE.find(({ at = 0, starts }) => starts.some((start) => startsWith(head, at, start)));
  if (!other) return readSafetensors(bytes);
  await bytes.close();
  throw new CheckpointError(
    `${bytes.name}: expected safetensors or a checkpoint of torch, got ${other.what}`,
    other.help,
  );
}

/** A length of less than 2^40 and a JSON object: the length alone may look like anything. */
const isSafetensors = (head: Uint8Array): boolean => startsWith(head, 5, [0, 0, 0, 0x7b]);

async function firstBytes(bytes: Bytes): Promise<Uint8Array> {
  try {
    return new Uint8Array(await bytes.slice(0, Math.min(HEAD_BYTES, bytes.byteLength)));
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

function startsWith(head: Uint8Array, at: number, start: string | readonly number[]): boolean {
  const wanted = typeof start === "string" ? [...start].map((c) => c.charCodeAt(0)) : start;
  return wanted.every((byte, i) => head[at + i] === byte);
}
