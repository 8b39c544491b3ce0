/** The files of a checkpoint's folder, in memory. */
import { encodeSafetensors, type TensorEntry } from "../hub/safetensors/write.ts";

/** `model.safetensors`, `optimizer.safetensors` and `state.json`, which has the sizes and hashes of the others. */
export async function checkpointFiles(
  state: Readonly<Record<string, unknown>>,
  model: readonly TensorEntry[],
  optimizer: readonly TensorEntry[],
): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {
    "model.safetensors": await encoded(model),
    "optimizer.safetensors": await encoded(optimizer),
  };
  const sums: Record<string, { bytes: number; sha256: string }> = {};
  for (const [name, bytes] of Object.entries(files))
    sums[name] = { bytes: bytes.byteLength, sha256: await sha256(bytes) };
  const text = JSON.stringify({ ...state, files: sums }, undefined, 2);
  return { ...files, "state.json": new TextEncoder().encode(`${text}\n`) };
}

async function encoded(entries: readonly TensorEntry[]): Promise<Uint8Array> {
  const parts: BlobPart[] = [];
  for await (const part of encodeSafetensors(entries, { metadata: { format: "pt" } })) parts.push(part.slice());
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as BufferSource);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
