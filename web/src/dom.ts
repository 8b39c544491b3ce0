/** Small things that every tab of the page is made of. */
import type { Raster } from "./training.ts";

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

/** The line under the page's title. Screen readers are not read every step of a progress. */
export function say(text: string, kind: "news" | "bad" | "progress" = "news"): void {
  const status = document.querySelector("#status")!;
  status.setAttribute("aria-live", kind === "progress" ? "off" : "polite");
  status.textContent = text;
  status.classList.toggle("bad", kind === "bad");
}

/** Takes away what went wrong before. */
export function forgetError(): void {
  if (document.querySelector("#status.bad")) say("");
}

/** What is left of some work, in words, once it has gone on for two seconds. `begun` is a time of `performance.now()`. */
export function timeLeft(begun: number, done: number, all: number): string {
  const seconds = (performance.now() - begun) / 1000;
  if (done === 0 || done >= all || seconds < 2) return "";
  const left = (seconds / done) * (all - done);
  return left < 90 ? `, about ${Math.max(1, Math.round(left))} s left` : `, about ${Math.round(left / 60)} min left`;
}

/** What stays on the page because it is not as it should be; the same is said once. */
export function note(text: string): void {
  const notes = document.querySelector("#notes")!;
  const lines = [...notes.children].map(({ textContent }) => textContent);
  if (!lines.includes(text)) notes.append(el("li", {}, text));
  if (notes.children.length > NOTES) notes.firstElementChild!.remove();
}
const NOTES = 4;

/** The first line of a message about a picture: it names the file. */
export const reasonOf = (message: string): string => message.split("\n")[0]!.replace(/^decodeImage: /, "");

/** What went wrong, for people: the first lines of a message of ours say it. */
export const sayError = (error: unknown): void => say(error instanceof Error ? error.message : String(error), "bad");

/** Runs work from a button: off while it runs, the focus where it was, and a failure is said. */
export const working =
  (work: () => Promise<void>) =>
  async (event: Event): Promise<void> => {
    const button = event.currentTarget as HTMLButtonElement | HTMLFormElement;
    event.preventDefault();
    const buttons = button instanceof HTMLFormElement ? [...button.querySelectorAll("button")] : [button];
    const focused = document.activeElement;
    forgetError();
    for (const one of buttons) one.disabled = true;
    try {
      await work();
    } catch (error) {
      sayError(error);
    } finally {
      for (const one of buttons) one.disabled = false;
      if (document.activeElement === document.body && focused instanceof HTMLElement)
        focused.focus({ preventScroll: true });
    }
  };

/** Where a key leads in a row of `n` things. */
export const MOVES: Readonly<Record<string, (i: number, n: number) => number>> = {
  ArrowRight: (i, n) => (i + 1) % n,
  ArrowLeft: (i, n) => (i + n - 1) % n,
  Home: () => 0,
  End: (_, n) => n - 1,
};

/** A list of buttons that is one stop of the Tab key: MOVES lead from one to another. Fill it with `replaceButtons`. */
export function buttonList(attributes: Attributes): HTMLUListElement {
  const list = el("ul", attributes);
  const all = (): HTMLButtonElement[] => [...list.querySelectorAll("button")];
  list.addEventListener("keydown", (event) => {
    const buttons = all();
    const next = MOVES[event.key]?.(buttons.indexOf(event.target as HTMLButtonElement), buttons.length);
    if (next === undefined) return;
    event.preventDefault();
    buttons[next]!.focus();
  });
  list.addEventListener("focusin", ({ target }) => {
    for (const button of all()) button.tabIndex = button === target ? 0 : -1;
  });
  return list;
}

/** New buttons for such a list. */
export function replaceButtons(list: HTMLUListElement, buttons: readonly HTMLButtonElement[]): void {
  for (const [i, button] of buttons.entries()) button.tabIndex = i === 0 ? 0 : -1;
  list.replaceChildren(...buttons.map((button) => el("li", {}, button)));
}

/** A picture that a person has given. */
export interface Picture {
  readonly name: string;
  readonly file: Blob;
  /** Address for an <img>. */
  readonly url: string;
}

/** RGB pixels on a canvas of their own size. */
export function canvasOf({ width, height, data }: Raster): HTMLCanvasElement {
  const canvas = el("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  for (let i = 0, o = 0; o < image.data.length; i += 3, o += 4)
    image.data.set([data[i]!, data[i + 1]!, data[i + 2]!, 255], o);
  context.putImageData(image, 0, 0);
  return canvas;
}

/** RGB pixels as a picture file. */
export async function pictureOf(name: string, raster: Raster): Promise<Picture> {
  const canvas = canvasOf(raster);
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

/** A row of a table. */
interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

/** A table with a title for each row and column; `shades` (0 to 1) colours its cells. */
export function table(
  corner: string,
  columns: readonly string[],
  rows: readonly Row[],
  shades?: readonly (readonly number[])[],
): HTMLElement {
  const head = el("tr", {}, ...[corner, ...columns].map((name) => el("th", { scope: "col" }, name)));
  const body = rows.map(({ name, cells }, i) => {
    const shaded = cells.map((text, j) => {
      const cell = el("td", {}, text);
      if (shades) cell.style.setProperty("--shade", `${Math.round(45 * shades[i]![j]!)}%`);
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row" }, name), ...shaded);
  });
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${corner}, a table` },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)),
  );
}
