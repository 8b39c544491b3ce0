/** A picture with what chosen words of a sentence look at left bright. */
import type { AttentionMap } from "flava/web";
import { el, type Picture } from "./dom.ts";

/** Side of the drawing in pixels. */
const SIDE = 384;
/** How dark the places are that no chosen word looks at. */
const VEIL = 0.82;

/** The drawing, with a button for each word. */
export async function attentionView(picture: Picture, { grid, words }: AttentionMap): Promise<HTMLElement> {
  const bitmap = await createImageBitmap(picture.file);
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const canvas = el("canvas", { role: "img" });
  [canvas.width, canvas.height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  const chosen = new Set<number>([longest(words)]);
  const buttons = words.map(({ text }, i) => el("button", { type: "button", onclick: () => toggle(i) }, text));
  const draw = (): void => {
    const weights = meanOf(words.filter((_, i) => chosen.has(i)).map((word) => word.weights));
    paint(canvas, bitmap, grid, weights);
    for (const [i, button] of buttons.entries()) button.setAttribute("aria-pressed", String(chosen.has(i)));
    canvas.setAttribute(
      "aria-label",
      describe(
        picture.name,
        grid,
        weights,
        words.filter((_, i) => chosen.has(i)),
      ),
    );
  };
  const toggle = (i: number): void => {
    if (!chosen.delete(i)) chosen.add(i);
    draw();
  };
  draw();
  return el(
    "figure",
    { class: "attention" },
    canvas,
    el(
      "figcaption",
      {},
      el(
        "p",
        { class: "hint" },
        "Bright: where the chosen words look, by the last layer, averaged over its heads. Choose one word or several.",
      ),
      el("div", { class: "row", role: "group", "aria-label": "Words" }, ...buttons),
    ),
  );
}

const longest = (words: AttentionMap["words"]): number =>
  words.reduce((best, { text }, i) => (text.length > words[best]!.text.length ? i : best), 0);

function meanOf(maps: readonly (readonly number[])[]): number[] {
  const [first] = maps;
  return first ? first.map((_, p) => maps.reduce((sum, map) => sum + map[p]!, 0) / maps.length) : [];
}

function paint(
  canvas: HTMLCanvasElement,
  bitmap: ImageBitmap,
  [rows, columns]: readonly [number, number],
  weights: readonly number[],
): void {
  const context = canvas.getContext("2d")!;
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  if (weights.length === 0) return;
  const most = Math.max(...weights);
  const veil = new OffscreenCanvas(columns, rows);
  const small = veil.getContext("2d")!;
  const image = small.createImageData(columns, rows);
  for (const [p, weight] of weights.entries()) image.data[4 * p + 3] = 255 * VEIL * (1 - weight / most);
  small.putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(veil, 0, 0, canvas.width, canvas.height);
}

function describe(
  name: string,
  [, columns]: readonly [number, number],
  weights: readonly number[],
  words: AttentionMap["words"],
): string {
  if (weights.length === 0) return `${name}, no word chosen`;
  const at = weights.indexOf(Math.max(...weights));
  const named = words.map(({ text }) => text).join(", ");
  return `${name}: ${named} look most at row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1} of the grid`;
}
