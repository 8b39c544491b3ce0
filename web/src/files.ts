/** Files that the page makes: safetensors, and a tar of several. */
import { encodeSafetensors, type TensorEntry } from "flava/web";

export { entriesOf } from "flava/web";

/** The bytes of a safetensors file. */
export async function encodeFile(
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const parts: BlobPart[] = [];
  for await (const part of encodeSafetensors(entries, { metadata })) parts.push(part.slice());
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Hands a file to the person. */
export function download(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
