/** FER2013 as one table: emotion, 48 × 48 grey values with blanks between, and what each row is for. */
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { openBytes, readLines, statOf } from "../../io/index.ts";
import { firstThere, readRange } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, splitNames } from "./layout.ts";
import { greyPicture } from "./raw-picture.ts";

const SIDE = 48;
const NAMES = ["fer2013.csv", "icml_face_data.csv"];
const USAGES: readonly (readonly [names: readonly string[], usage: string])[] = [
  [splitNames("train"), "Training"],
  [splitNames("val"), "PublicTest"],
  [splitNames("test"), "PrivateTest"],
];

/** fer2013.csv. */
export const ferCsv: LayoutReader = {
  looks: "fer2013.csv with the columns emotion, pixels, Usage",
  isThere: async ({ root }) => (await firstThere(root, NAMES)) !== undefined,
  async split(place, name) {
    const usage = USAGES.find(([names]) => names.includes(name))?.[1];
    const file = await firstThere(place.root, NAMES);
    return usage === undefined || file === undefined ? undefined : listed(place, join(place.root, file), usage);
  },
};

async function listed({ signal }: Place, path: string, usage: string): Promise<Listing> {
  const items: Item[] = [];
  const places: (readonly [start: number, end: number])[] = [];
  for await (const { cells, start, end, line } of rows(path, signal)) {
    if (cells.Usage !== usage) continue;
    const label = /^\d+$/.test(cells.emotion ?? "") ? Number(cells.emotion) : undefined;
    items.push({ key: `fer2013:${line}`, at: places.length, label });
    places.push([start, end]);
  }
  const column = (await headerOf(path, signal)).indexOf("pixels");
  return {
    items,
    files: [path],
    async load({ at }, reading) {
      const [start, end] = places[at!]!;
      const text = new TextDecoder().decode(await readRange(path, start, end, reading.signal));
      const values = text.trim().split(",")[column]?.replaceAll('"', "").trim().split(/\s+/).map(Number) ?? [];
      if (values.length !== SIDE * SIDE || values.some((value) => !(value >= 0 && value <= 255)))
        return `expected ${SIDE * SIDE} grey values from 0 to 255, got ${values.length}`;
      return greyPicture(Uint8Array.from(values), SIDE, SIDE);
    },
  };
}

interface Row {
  readonly cells: Readonly<Record<string, string>>;
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

async function headerOf(path: string, signal?: AbortSignal): Promise<string[]> {
  const head = await readRange(path, 0, Math.min(1 << 10, (await statOf(path))!.size), signal);
  return new TextDecoder()
    .decode(head)
    .split(/\r?\n/)[0]!
    .split(",")
    .map((name) => name.replaceAll('"', "").trim());
}

/** The rows behind the header; grey values have no commas in them. */
async function* rows(path: string, signal?: AbortSignal): AsyncGenerator<Row> {
  const header = await headerOf(path, signal);
  for (const name of ["emotion", "pixels", "Usage"])
    if (!header.includes(name))
      throw new DataError(`${path}: expected a column ${name}, got ${header.join(", ").slice(0, 100)}`);
  const file = await openBytes(path, { signal });
  try {
    let [start, line] = [0, 0];
    for await (const { bytes, end } of readLines(file, 0)) {
      const values = new TextDecoder().decode(bytes).split(",");
      const cells = Object.fromEntries(header.map((name, c) => [name, (values[c] ?? "").replaceAll('"', "").trim()]));
      if (line > 0 && bytes.length > 0) yield { cells, start, end, line };
      [start, line] = [end, line + 1];
    }
  } finally {
    await file.close();
  }
}
