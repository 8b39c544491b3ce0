/**
 * torch's checkpoints since version 1.6: a zip of `data.pkl`, a pickle that describes tensors, and `data/<key>`, their bytes. Read
 * without running anything: see allowed.ts.
 */
import { CheckpointError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { openZip, type Zip, type ZipEntry } from "../../io/zip.ts";
import { formatShape, size, type Tensor, type TypedArray, tensor } from "../../tensor/index.ts";
import { readStored, STORED } from "../stored.ts";
import type { StoredTensor, TensorFile } from "../tensor-file.ts";
import { torchRules } from "./allowed.ts";
import { unpickle } from "./pickle.ts";
import { findStateDict } from "./state-dict.ts";
import { gather } from "./strided.ts";
import type { PyStorage, PyTensor } from "./values.ts";

/** A state dict of a thousand tensors has 200 kB. */
const MAX_PICKLE_BYTES = 32 << 20;
/** Of all tensors together, over the bytes of the file: tied ones count twice. */
const MAX_GROWTH = 8;
const FREE_BYTES = 64 << 20;

/** How a checkpoint is read. */
export interface TorchOptions {
  /** Which dict of tensors, where a file holds several: "student"; keys joined by dots. */
  readonly entry?: string | undefined;
}

/** Opens a checkpoint. The bytes are closed on failure. Throws CheckpointError for what is damaged, unsafe or too old. */
export async function readTorch(bytes: Bytes, { entry }: TorchOptions = {}): Promise<TensorFile> {
  try {
    const archive = await openArchive(bytes);
    const pickle = await archive.zip.content(archive.pickle, MAX_PICKLE_BYTES);
    const root = unpickle(
      bytes.name,
      pickle,
      torchRules(bytes.name, (storage) => checkStorage(archive, storage)),
    );
    const { tensors, others } = findStateDict(bytes.name, root, entry);
    checkTensors(archive, tensors, bytes.byteLength);
    return {
      name: bytes.name,
      format: "torch",
      parts: 1,
      metadata: {},
      tensors: new Map([...tensors].map(([name, t]) => [name, info(name, t)])),
      others,
      async read(name, { signal } = {}) {
        signal?.throwIfAborted();
        const found = tensors.get(name);
        if (!found)
          throw new CheckpointError(
            `${bytes.name}: expected a tensor "${name}", got none`,
            `the file holds ${tensors.size} tensors: ${[...tensors.keys()].slice(0, 5).join(", ")}, …`,
          );
        return readTensor(archive, found);
      },
      close: () => bytes.close(),
      [Symbol.asyncDispose]: () => bytes.close(),
    };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

const info = (name: string, { storedAs, shape }: PyTensor): StoredTensor => ({
  name,
  dtype: STORED[storedAs].dtype,
  storedAs,
  shape,
});

interface Archive {
  readonly name: string;
  readonly zip: Zip;
  readonly pickle: ZipEntry;
  /** The folder that all entries are in, with its slash. */
  readonly root: string;
}

async function openArchive(bytes: Bytes): Promise<Archive> {
  const zip = await openZip(bytes);
  const pickles = [...zip.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (!pickle || pickles.length > 1)
    throw new CheckpointError(
      `${bytes.name}: expected a checkpoint of torch, got a zip archive with ${pickles.length === 0 ? "no" : "several"} data.pkl`,
      `it holds ${[...zip.entries.keys()].slice(0, 5).join(", ")}, …`,
    );
  const root = pickle.name.slice(0, -"data.pkl".length);
  if (zip.entries.has(`${root}constants.pkl`))
    throw new CheckpointError(
      `${bytes.name}: expected a state dict, got a TorchScript program`,
      "save its weights: torch.save(torch.jit.load(path).state_dict(), …)",
    );
  await checkByteOrder(bytes.name, zip, root);
  return { name: bytes.name, zip, pickle, root };
}

async function checkByteOrder(where: string, zip: Zip, root: string): Promise<void> {
  const entry = zip.entries.get(`${root}byteorder`);
  if (!entry) return;
  const order = new TextDecoder().decode(await zip.content(entry, 16)).trim();
  if (order !== "little")
    throw new CheckpointError(
      `${where}: expected little-endian numbers, got ${JSON.stringify(order)}`,
      "load and save it again with torch on a little-endian machine (x86 and ARM are)",
    );
}

const entryOf = ({ zip, root }: Archive, { key }: PyStorage): ZipEntry | undefined =>
  zip.entries.get(`${root}data/${key}`);

const elementBytes = ({ storedAs }: PyStorage): number => (storedAs ? STORED[storedAs].bytes : 1);

function checkStorage(archive: Archive, storage: PyStorage): void {
  const entry = entryOf(archive, storage);
  const expected = storage.length * elementBytes(storage);
  if (!entry)
    throw new CheckpointError(
      `${archive.name}: expected the storage data/${storage.key.slice(0, 200)}, got none of that name`,
    );
  if (entry.compressed)
    throw new CheckpointError(
      `${entry.name}: expected bytes that are stored, got compressed ones`,
      "torch does not compress: unpack the archive and zip it again with -0",
    );
  if (entry.byteLength !== expected)
    throw new CheckpointError(
      `${archive.name}: storage ${storage.key}: expected ${expected} bytes, got ${entry.byteLength}`,
    );
}

/** Elements from the first to the last that a tensor reads. */
const extent = ({ shape, strides }: PyTensor): number =>
  size(shape) === 0 ? 0 : shape.reduce((n, d, axis) => n + (d - 1) * strides[axis]!, 1);

function checkTensors(archive: Archive, tensors: ReadonlyMap<string, PyTensor>, fileBytes: number): void {
  let total = 0;
  for (const [name, t] of tensors) {
    const width = STORED[t.storedAs].bytes;
    const available = t.storage.length * elementBytes(t.storage);
    const end = (t.offset + extent(t)) * width;
    if (!Number.isSafeInteger(size(t.shape)) || !(end <= available))
      throw new CheckpointError(
        `${archive.name}: ${name}: expected ${formatShape(t.shape)} inside of a storage of ${available} bytes, got one that ends at ${end}`,
      );
    total += size(t.shape) * width;
    if (total > MAX_GROWTH * fileBytes + FREE_BYTES)
      throw new CheckpointError(
        `${archive.name}: ${name}: expected tensors of about the file's ${fileBytes} bytes, got more than ${total}`,
      );
  }
}

async function readTensor({ name, zip, root }: Archive, t: PyTensor): Promise<Tensor> {
  const entry = zip.entries.get(`${root}data/${t.storage.key}`)!;
  const width = STORED[t.storedAs].bytes;
  const length = extent(t);
  const [start, end] = length === 0 ? [0, 0] : [t.offset * width, (t.offset + length) * width];
  const elements = await readStored(await zip.source(entry), t.storedAs, start, end);
  if (elements.length !== length)
    throw new CheckpointError(`${name}: expected ${length} elements, got ${elements.length}`);
  const data: TypedArray = gather(elements, t.shape, t.strides);
  return tensor(STORED[t.storedAs].dtype, t.shape, data as never);
}
