/** A JSON object as a row of a table: a line of JSON Lines, an entry of a JSON list, an image of Karpathy's splits. */
import { isRecord } from "../../io/index.ts";
import type { TableOptions } from "./csv.ts";
import { firstOf, IMAGE_KEYS, LABEL_KEYS, TEXT_KEYS } from "./fields.ts";
import type { FileRecord } from "./files.ts";
import { type ImagePlace, tableRecord } from "./record.ts";

/** The record of one object with the path or URL of an image, a caption or several, a label; what else it has is `meta`. */
export function objectRecord(
  key: string,
  value: unknown,
  options: TableOptions,
  place: ImagePlace,
): Omit<FileRecord, "place"> {
  const bad = (reason: string): Omit<FileRecord, "place"> => ({ load: () => ({ key, reason }) });
  if (!isRecord(value)) return bad("expected a JSON object");
  const lacking = options.exact ? lackingColumn(value, options) : undefined;
  if (lacking !== undefined)
    return bad(`expected a column ${lacking}, got ${Object.keys(value).slice(0, 12).join(", ") || "an empty object"}`);
  const row = withPlace(value);
  const present = new Set(Object.keys(row).filter((name) => row[name] !== null));
  const { second, exact: apart = false } = options;
  const [imageKeys, textKeys, labelKeys] = apart ? [[], [], []] : [IMAGE_KEYS, TEXT_KEYS, LABEL_KEYS];
  const imageKey = options.image ?? firstOf(imageKeys, present);
  const textKey = options.text ?? firstOf(textKeys, present);
  const labelKey = options.label ?? firstOf(labelKeys, present);
  if (imageKey === undefined && textKey === undefined && !imageKeys.some((name) => name in row))
    return bad(`no image and no text among the keys ${Object.keys(row).slice(0, 8).join(", ") || "(none)"}`);
  const location = imageKey === undefined ? undefined : row[imageKey];
  if (imageKey === undefined ? imageKeys.some((name) => name in row) : location === null)
    return bad("the image path is missing");
  if (location !== undefined && typeof location !== "string")
    return bad(`${imageKey}: expected a path or URL, got ${typeof location}`);
  const used = new Set([imageKey, textKey, second, labelKey]);
  const meta = Object.fromEntries(Object.entries(row).filter(([name]) => !used.has(name)));
  const first = textKey && row[textKey];
  const text = second === undefined ? first : [first, row[second]];
  const fields = { key, text, label: labelKey && row[labelKey], meta };
  return tableRecord({ ...fields, textExpected: options.text !== undefined }, location, { place, apart });
}

const lackingColumn = (
  row: Record<string, unknown>,
  { image, text, second, label }: TableOptions,
): string | undefined => [image, text, second, label].find((column) => column !== undefined && !(column in row));

/** With the path of the image, where a known layout says it in pieces. */
function withPlace(row: Record<string, unknown>): Record<string, unknown> {
  const { filepath, filename, dataset_id: set, image_id: id } = row;
  // Karpathy's splits: a folder and a name; Flickr's have the name alone.
  if (typeof filename === "string" && "sentences" in row) {
    const { filepath: _folder, filename: _name, ...rest } = row;
    return { ...rest, file_name: typeof filepath === "string" ? `${filepath}/${filename}` : filename };
  }
  // Localized Narratives (Pont-Tuset et al. 2020): an id, whose file is called as its data set calls it.
  if (typeof set === "string" && typeof id === "string" && "caption" in row && !IMAGE_KEYS.some((name) => name in row))
    return { ...row, file_name: `${/coco/i.test(set) ? id.padStart(12, "0") : id}.jpg` };
  return row;
}
