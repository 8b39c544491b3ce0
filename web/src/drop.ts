/** Pictures that a person gives: chosen, or dropped with their folders. */
import { el, forgetError, type Picture, say, sayError } from "./dom.ts";

/** What a person has given at once. */
export interface Given {
  readonly pictures: readonly Picture[];
  /** Files among them that are no pictures, by their names. */
  readonly others: number;
}

const PICTURE = /\.(jpe?g|png|webp|gif|bmp|ppm|avif|svg)$/i;

function sorted(files: Iterable<File>): Given {
  const all = [...files];
  const found = all.filter(({ name, type }) => type.startsWith("image/") || PICTURE.test(name));
  const pictures = found.map((file) => ({ name: file.name, file, url: URL.createObjectURL(file) }));
  return { pictures, others: all.length - found.length };
}

/** All files below what was dropped, folders opened. */
async function droppedFiles(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const read = async (entry: FileSystemEntry): Promise<File[]> => {
    if (entry.isFile) return [await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail))];
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    const found: File[] = [];
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
      if (some.length === 0) return found;
      for (const one of some) found.push(...(await read(one)));
    }
  };
  return (await Promise.all(entries.map(read))).flat();
}

/** What a place takes. */
interface DropOptions {
  /** Several pictures at once; unless said. */
  readonly multiple?: boolean;
  /** A chooser for folders too. */
  readonly folders?: boolean;
}

/** A place to drop pictures or folders on, with a chooser of files inside of it. */
export function dropPlace(
  label: string,
  take: (given: Given) => Promise<void>,
  { multiple = true, folders = false }: DropOptions = {},
): HTMLElement {
  const give = async (files: Iterable<File>): Promise<void> => {
    const given = sorted(files);
    forgetError();
    if (!multiple && given.pictures.length > 1) {
      for (const { url } of given.pictures) URL.revokeObjectURL(url);
      return say(`Expected one picture here, got ${given.pictures.length}.`, "bad");
    }
    if (given.pictures.length + given.others > 0) await take(given).catch(sayError);
  };
  const chooser = (name: string, kind: Readonly<Record<string, string | boolean>>): HTMLElement => {
    const input = el("input", { type: "file", ...kind });
    input.addEventListener("change", () => void give([...(input.files ?? [])]).then(() => (input.value = "")));
    return el("label", {}, name, input);
  };
  const place = el(
    "div",
    { class: "drop" },
    chooser(label, { accept: "image/*", multiple }),
    ...(folders ? [chooser("A folder of them", { webkitdirectory: true })] : []),
    el("p", { class: "hint" }, multiple ? "Or drop pictures or folders here." : "Or drop it here."),
  );
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(give).catch(sayError);
  });
  return place;
}
