/** Sums of state over workers: large tensors where they lie, small ones together. */
import type { Cluster, NativeMemory, Numbers } from "../cluster/index.ts";
import type { Buffer } from "../runtime/index.ts";

/** From this size on a tensor travels alone: what a message costs beside its bytes no longer counts. */
const ALONE_BYTES = 256 * 1024;

/** Small tensors go together up to this size. */
const TOGETHER_BYTES = 4 * 2 ** 20;

/** Makes every buffer the sum of those of all workers. The order of the sums is that of `buffers`, the same on all. */
export async function sumOverWorkers(cluster: Cluster, buffers: readonly Buffer[]): Promise<void> {
  if (cluster.size === 1) return;
  let together: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (together.length > 0) await sumTogether(cluster, together);
    [together, bytes] = [[], 0];
  };
  for (const buffer of buffers) {
    const memory = travelsAlone(buffer.sizeBytes) ? memoryOf(cluster, buffer) : undefined;
    if (memory) await cluster.allReduce(memory);
    else {
      if (bytes + buffer.sizeBytes > TOGETHER_BYTES) await flush();
      together.push(buffer);
      bytes += buffer.sizeBytes;
    }
  }
  await flush();
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

async function sumTogether(cluster: Cluster, buffers: readonly Buffer[]): Promise<void> {
  const tensors = [];
  for (const buffer of buffers) tensors.push(await buffer.read());
  const length = tensors.reduce((n, { data }) => n + data.length, 0);
  const all = new (tensors[0]!.data.constructor as new (length: number) => Float32Array)(length);
  const parts: Numbers[] = [];
  let at = 0;
  for (const { data } of tensors) {
    all.set(data as Float32Array, at);
    parts.push(all.subarray(at, at + data.length));
    at += data.length;
  }
  await cluster.allReduce(all);
  for (const [i, buffer] of buffers.entries())
    buffer.write({ ...tensors[i]!, data: parts[i] } as (typeof tensors)[number]);
}
