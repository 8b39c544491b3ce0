/**
 * Checks the page headers of parquet column chunks against the footer, before hyparquet allocates and loops as they say
 * (Apache Parquet format, "Data Pages"). Run lengths inside of pages are the library's to check, and it does not.
 */
import type { AsyncBuffer, ColumnMetaData, PageHeader, RowGroup } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";

/** The file, with the pages of every chunk of the row group checked when its bytes are handed out. */
export function checkedPages(file: AsyncBuffer, { columns }: RowGroup): AsyncBuffer {
  const chunks = columns.map(({ meta_data }) => meta_data!);
  const slice = async (start: number, end = file.byteLength): Promise<ArrayBuffer> => {
    const bytes = await file.slice(start, end);
    for (const chunk of chunks) {
      const { begin, length } = chunkRange(chunk);
      if (begin >= start && begin + length <= end) checkPages(new DataView(bytes, begin - start, length), chunk);
    }
    return bytes;
  };
  return { byteLength: file.byteLength, slice };
}

/** Where the pages of a column chunk lie in the file. */
export function chunkRange(chunk: ColumnMetaData): { begin: number; length: number } {
  const begin = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  return { begin, length: Number(chunk.total_compressed_size) };
}

function checkPages(view: DataView, { path_in_schema, num_values, total_uncompressed_size }: ColumnMetaData): void {
  const reader = { view, offset: 0 };
  const where = path_in_schema.join(".");
  let values = 0;
  for (let page = 0; reader.offset < view.byteLength - 1; page++) {
    const header = parquetHeader(reader);
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
    between(`${where}: page ${page}: packed bytes`, packed, view.byteLength - reader.offset);
    between(`${where}: page ${page}: bytes`, unpacked, Number(total_uncompressed_size));
    values += checkValues(`${where}: page ${page}`, header, Number(num_values) - values);
    reader.offset += packed;
  }
}

/** The values of a data page. A dictionary has no more entries than bytes. */
function checkValues(where: string, header: PageHeader, left: number): number {
  const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
  if (dictionary) between(`${where}: entries`, dictionary.num_values, header.uncompressed_page_size);
  if (v1) between(`${where}: values`, v1.num_values, left);
  if (v2) {
    between(`${where}: values`, v2.num_values, left);
    between(`${where}: nulls`, v2.num_nulls, v2.num_values);
    const levels = v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
    between(`${where}: bytes of levels`, levels, header.compressed_page_size);
  }
  return (v1?.num_values ?? 0) + (v2?.num_values ?? 0);
}

function between(what: string, value: number, most: number): void {
  if (!(value >= 0 && value <= most)) throw new Error(`${what}: expected 0..${most}, got ${value}`);
}
