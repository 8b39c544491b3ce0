/** Embeddings as parquet: `key`, `kind`, `text`, `embedding` (a list of floats), a row group every few thousand rows. */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { saveFile } from "../../io/index.ts";
import type { Table } from "./formats.ts";

const GROUP_ROWS = 4096;

type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

const SCHEMA: Schema = [
  { name: "root", num_children: 4 },
  { name: "key", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
  { name: "kind", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
  { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
  { name: "embedding", num_children: 1, converted_type: "LIST", repetition_type: "REQUIRED" },
  { name: "list", num_children: 1, repetition_type: "REPEATED" },
  { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
];

/** Writes the table. No more than one row group is held. */
export async function writeParquet(path: string, table: Table, signal?: AbortSignal): Promise<void> {
  await saveFile(path, chunks(table), { signal });
}

async function* chunks({ parts, width, about }: Table): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  const kvMetadata = Object.entries(about).map(([key, value]) => ({ key, value }));
  const writer = new ParquetWriter({ writer: bytes, schema: SCHEMA, kvMetadata, createdBy: "flava" });
  const taken = (): Uint8Array => {
    const out = bytes.getBytes().slice();
    bytes.index = 0; // `offset`, which places are counted by, goes on
    return out;
  };
  type Row = { key: string; kind: string; text: string | undefined; embedding: number[] };
  let group: Row[] = [];
  const write = async (): Promise<void> => {
    const columns = ["key", "kind", "text", "embedding"] as const;
    await writer.write({
      columnData: columns.map((name) => ({ name, data: group.map((row) => row[name]) as never[] })),
      rowGroupSize: group.length,
    });
    group = [];
  };
  for await (const { infos, rows } of parts()) {
    for (const [i, { key, kind, text }] of infos.entries())
      group.push({ key, kind, text, embedding: Array.from(rows.subarray(i * width, (i + 1) * width)) });
    if (group.length < GROUP_ROWS) continue;
    await write();
    yield taken();
  }
  if (group.length > 0) await write();
  await writer.finish();
  yield taken();
}
