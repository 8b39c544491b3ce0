/** Small things that every tab of the page is made of. */

type Child = Node | string;
type Attributes = Readonly<Record<string, string | boolean | ((event: Event) => void)>>;

/** An element: attributes by name, `onclick` and the like as functions. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The line under the page's title. */
export function say(text: string, bad = false): void {
  const status = document.querySelector("#status")!;
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

/** The first line of a message about a picture: it names the file. */
export const reasonOf = (message: string): string => message.split("\n")[0]!.replace(/^decodeImage: /, "");

/** What went wrong, for people: the first lines of a message of ours say it. */
export const sayError = (error: unknown): void => say(error instanceof Error ? error.message : String(error), true);

/** Runs work from a button: off while it runs, and a failure is said. */
export const working =
  (work: () => Promise<void>) =>
  async (event: Event): Promise<void> => {
    const button = event.currentTarget as HTMLButtonElement | HTMLFormElement;
    event.preventDefault();
    const buttons = button instanceof HTMLFormElement ? [...button.querySelectorAll("button")] : [button];
    for (const one of buttons) one.disabled = true;
    try {
      await work();
    } catch (error) {
      sayError(error);
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  };

/** A picture that a person has given. */
export interface Picture {
  readonly name: string;
  readonly file: Blob;
  /** Address for an <img>. */
  readonly url: string;
}

/** From files; what cannot be a picture by its name is left out, and that is said. */
export function picturesOf(files: Iterable<File>): Picture[] {
  const all = [...files];
  const found = all.filter(
    ({ name, type }) => type.startsWith("image/") || /\.(jpe?g|png|webp|gif|bmp|ppm|avif|svg)$/i.test(name),
  );
  const left = all.length - found.length;
  if (left > 0) say(`Left out ${left} ${left === 1 ? "file that is" : "files that are"} no picture.`);
  return found.map((file) => ({ name: file.name, file, url: URL.createObjectURL(file) }));
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

/** A place to drop pictures or folders on, with a file chooser inside of it. */
export function dropPlace(label: string, take: (pictures: Picture[]) => Promise<void>): HTMLElement {
  const give = async (files: Iterable<File>): Promise<void> => {
    const found = picturesOf(files);
    if (found.length > 0) await take(found).catch(sayError);
  };
  const input = el("input", { type: "file", accept: "image/*", multiple: true });
  input.addEventListener("change", () => void give(input.files ?? []).then(() => (input.value = "")));
  const place = el(
    "div",
    { class: "drop" },
    el("label", {}, label, input),
    el("p", { class: "hint" }, "Or drop pictures or a folder here."),
  );
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(give, sayError);
  });
  return place;
}

/** RGB pixels as a picture file. */
export async function pictureOf(name: string, width: number, height: number, rgb: Uint8Array): Promise<Picture> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  for (let i = 0, o = 0; o < image.data.length; i += 3, o += 4)
    image.data.set([rgb[i]!, rgb[i + 1]!, rgb[i + 2]!, 255], o);
  context.putImageData(image, 0, 0);
  const file = await new Promise<Blob>((done) => canvas.toBlob((blob) => done(blob!), "image/png"));
  return { name, file, url: URL.createObjectURL(file) };
}

/** A curve of numbers, and a dashed line at what chance gives. */
export function chart(title: string): {
  readonly element: HTMLElement;
  draw(values: readonly number[], chance?: number): void;
} {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const caption = el("figcaption", {}, title);
  const draw = (values: readonly number[], chance?: number): void => {
    const all = chance === undefined ? values : [...values, chance];
    const [low, high] = [Math.min(0, ...all), Math.max(...all)];
    const y = (value: number): string => (38 - (36 * (value - low)) / (high - low || 1)).toFixed(2);
    const x = (i: number): string => ((100 * i) / Math.max(1, values.length - 1)).toFixed(2);
    const line = values.map((value, i) => `${i === 0 ? "M" : "L"}${x(i)} ${y(value)}`).join("");
    svg.innerHTML = `${chance === undefined ? "" : `<line x1="0" x2="100" y1="${y(chance)}" y2="${y(chance)}"/>`}<path d="${line}"/>`;
    caption.textContent = `${title} ${values.at(-1)?.toFixed(3) ?? ""}${chance === undefined ? "" : `, by chance ${chance.toFixed(3)}`}`;
  };
  return { element: el("figure", { class: "chart" }, svg, caption), draw };
}

/** A table with a title for each row and column. */
export function table(
  corner: string,
  columns: readonly string[],
  rows: readonly (readonly [string, ...string[]])[],
): HTMLElement {
  const head = el("tr", {}, ...[corner, ...columns].map((name) => el("th", { scope: "col" }, name)));
  const body = rows.map(([name, ...cells]) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell))),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": corner },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)),
  );
}
