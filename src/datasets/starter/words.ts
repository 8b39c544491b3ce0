/**
 * Words of captions, brought to a form in which plural and singular, "sail boat" and "sailboat" are the same. It decides
 * which captions name a held-out concept, so it errs towards finding too many.
 */

const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ["children", "child"],
  ["dice", "die"],
  ["feet", "foot"],
  ["geese", "goose"],
  ["knives", "knife"],
  ["leaves", "leaf"],
  ["loaves", "loaf"],
  ["men", "man"],
  ["mice", "mouse"],
  ["oxen", "ox"],
  ["people", "person"],
  ["scarves", "scarf"],
  ["shelves", "shelf"],
  ["teeth", "tooth"],
  ["wolves", "wolf"],
  ["women", "woman"],
]);

/** The words of a caption: lower case, without accents, each in its singular form. */
export function captionWords(caption: string): string[] {
  const plain = caption.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  return plain
    .replace(/[’']s?(?!\p{L})/gu, " ")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .map(singular);
}

/** A spelling shared by the singular and the plural of a word; not always a word itself. */
export function singular(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  let stem = word;
  if (/ies$/.test(stem) && stem.length > 4) stem = `${stem.slice(0, -3)}y`;
  else if (/s$/.test(stem) && stem.length > 3 && !/(ss|us|is)$/.test(stem)) stem = stem.slice(0, -1);
  return stem.length > 3 ? stem.replace(/(s|x|z|ch|sh)e$/, "$1") : stem;
}

/** Finds names in captions: as words in a row, written together or apart. Each name belongs to some `T`s. */
export class NameIndex<T> {
  readonly #byJoined: Map<string, { readonly name: string; readonly owners: T[] }>;
  readonly #longest: number;

  /** Names as words of `captionWords` joined by spaces, each with its owner. */
  constructor(names: Iterable<readonly [name: string, owner: T]>) {
    this.#byJoined = new Map();
    let longest = 1;
    for (const [name, owner] of names) {
      const joined = name.replaceAll(" ", "");
      const known = this.#byJoined.get(joined);
      if (known) known.owners.push(owner);
      else this.#byJoined.set(joined, { name, owners: [owner] });
      longest = Math.max(longest, name.split(" ").length);
    }
    // One more than the longest name: "sail boat" is found for "sailboat".
    this.#longest = longest + 1;
  }

  /** Every name that `caption` contains, with its owners. */
  *findAll(caption: string): Generator<{ readonly name: string; readonly owners: readonly T[] }, void, undefined> {
    const words = captionWords(caption);
    for (let start = 0; start < words.length; start++) {
      let joined = "";
      for (let end = start; end < Math.min(words.length, start + this.#longest); end++) {
        joined += words[end]!;
        const found = this.#byJoined.get(joined);
        if (found !== undefined) yield found;
      }
    }
  }

  /** The first name that `caption` contains. */
  find(caption: string): string | undefined {
    for (const { name } of this.findAll(caption)) return name;
    return undefined;
  }
}
