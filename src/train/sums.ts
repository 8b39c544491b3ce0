/** Sums of state over workers: large tensors where they lie, small ones together. */
import { type Cluster, inOrder, type NativeMemory, type UnderWay } from "../cluster/cluster.ts";
import type { Buffer } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** From this size on a tensor travels alone: what a message costs beside its bytes no longer counts. */
const ALONE_BYTES = 256 * 1024;

/** Small tensors go together up to this size. */
const TOGETHER_BYTES = 4 * 2 ** 20;

/** Makes every buffer the sum of those of all workers. The order of the sums is that of `buffers`, the same on all. */
export async function sumOverWorkers(cluster: Cluster, buffers: readonly Buffer[]): Promise<void> {
  if (cluster.size === 1) return;
  for (const { alone, together } of parcels(cluster, buffers)) {
    if (alone) await cluster.allReduce(alone);
    const joined = await join(together);
    if (joined) await cluster.allReduce(joined.all);
    joined?.back();
  }
}

/** Begins the same sums: until they have arrived, the buffers may be neither read nor written. */
export async function beginSums(cluster: Cluster, buffers: readonly Buffer[]): Promise<UnderWay> {
  const begun: UnderWay[] = [];
  if (cluster.size > 1)
    for (const { alone, together } of parcels(cluster, buffers)) {
      if (alone) begun.push(cluster.beginAllReduce(alone));
      const joined = await join(together);
      if (joined) begun.push(andThen(cluster.beginAllReduce(joined.all), joined.back));
    }
  return inOrder(begun);
}

/** The same, and what is done once it has arrived. */
export const andThen = (way: UnderWay, then: () => void): UnderWay => ({
  async arrive() {
    await way.arrive();
    then();
  },
});

/** What one message sums: memory where it lies, or small tensors together. */
interface Parcel {
  readonly alone?: NativeMemory | undefined;
  readonly together: readonly Buffer[];
}

function parcels(cluster: Cluster, buffers: readonly Buffer[]): Parcel[] {
  const found: Parcel[] = [];
  let [together, bytes]: [Buffer[], number] = [[], 0];
  for (const buffer of buffers) {
    const alone = travelsAlone(buffer.sizeBytes) ? memoryOf(cluster, buffer) : undefined;
    if (alone) found.push({ alone, together: [] });
    else {
      if (bytes + buffer.sizeBytes > TOGETHER_BYTES) {
        found.push({ together });
        [together, bytes] = [[], 0];
      }
      together.push(buffer);
      bytes += buffer.sizeBytes;
    }
  }
  return [...found, { together }];
}

/** Whether a tensor of so many bytes is large enough for a message of its own. */
export const travelsAlone = (sizeBytes: number): boolean => sizeBytes >= ALONE_BYTES;

/** How many messages sums of so many bytes each take, where memory may be given by its address. */
export function messagesOf(sizes: readonly number[]): number {
  let [messages, bytes] = [0, 0];
  for (const size of sizes) {
    if (travelsAlone(size)) messages++;
    else if (bytes === 0 || bytes + size > TOGETHER_BYTES) [messages, bytes] = [messages + 1, size];
    else bytes += size;
  }
  return messages;
}

/** Where a buffer lies, if the cluster can go there. */
export function memoryOf({ takesAddresses }: Cluster, buffer: Buffer): NativeMemory | undefined {
  const { address, dtype, sizeBytes } = buffer;
  return takesAddresses && address !== undefined && dtype === "float32"
    ? { dtype, address, length: sizeBytes / 4 }
    : undefined;
}

/** Tensors in one array, and the way back to where they were; undefined: there are none. */
async function join(
  buffers: readonly Buffer[],
): Promise<{ readonly all: Float32Array; readonly back: () => void } | undefined> {
  if (buffers.length === 0) return undefined;
  const tensors: Tensor[] = [];
  for (const buffer of buffers) tensors.push(await buffer.read());
  const length = tensors.reduce((n, { data }) => n + data.length, 0);
  const all = new (tensors[0]!.data.constructor as new (length: number) => Float32Array)(length);
  const parts: Float32Array[] = [];
  let at = 0;
  for (const { data } of tensors) {
    all.set(data as Float32Array, at);
    parts.push(all.subarray(at, at + data.length));
    at += data.length;
  }
  const back = (): void => {
    for (const [i, buffer] of buffers.entries()) buffer.write({ ...tensors[i]!, data: parts[i] } as Tensor);
  };
  return { all, back };
}
