/** Contact sheets: pictures with their captions as one PNG, or as one HTML page that needs nothing else. */
import type { Pixels } from "../../image/index.ts";
import { type Example, type ShownToken, thumbnail } from "./examples.ts";

export interface SheetOptions {
  readonly title: string;
  /** Side of a picture. Default 160. */
  readonly side?: number | undefined;
  /** Pictures in a row of the PNG. Default: about as many as rows. */
  readonly columns?: number | undefined;
}

const GAP = 12;
const LINE = 15;
const LINES = 4;

/** A PNG of the examples in a grid, captions below. Captions are drawn with the fonts of the system, if it has any. */
export async function sheetPng(examples: readonly Example[], options: SheetOptions): Promise<Uint8Array> {
  const { side = 160, columns = Math.max(1, Math.ceil(Math.sqrt(examples.length * 1.4))) } = options;
  const { default: sharp } = await import("sharp");
  const [cellWidth, cellHeight] = [side + GAP, side + LINES * LINE + GAP + 4];
  const width = columns * cellWidth + GAP;
  const height = Math.ceil(examples.length / columns) * cellHeight + GAP + 24;
  const place = (i: number): { left: number; top: number } => ({
    left: GAP + (i % columns) * cellWidth,
    top: GAP + 24 + Math.floor(i / columns) * cellHeight,
  });
  const pictures = examples.flatMap(({ picture }, i) => {
    if (!picture) return [];
    const data = Buffer.from(thumbnail(picture, side).data);
    return [{ input: data, raw: { width: side, height: side, channels: 3 as const }, ...place(i) }];
  });
  const texts = examples.map((example, i) => captionSvg(example, place(i), side));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<text x="${GAP}" y="24" font-size="15" font-weight="bold">${escapeXml(options.title)}</text>${texts.join("")}</svg>`;
  const sheet = sharp({ create: { width, height, channels: 3, background: "white" } });
  const overlay = { input: Buffer.from(svg), left: 0, top: 0 };
  return new Uint8Array(
    await sheet
      .composite([...pictures, overlay])
      .png()
      .toBuffer(),
  );
}

function captionSvg(example: Example, { left, top }: { left: number; top: number }, side: number): string {
  const text =
    example.problem ??
    (example.tokens ? example.tokens.map(tokenText).join(" ") : (example.caption ?? example.label ?? ""));
  const lines = wrap(text, Math.floor(side / 6.3)).slice(0, example.picture ? LINES : 12);
  const y = top + (example.picture ? side : 0) + LINE;
  const colour = example.problem ? "#b00" : "#222";
  return lines
    .map((line, i) => `<text x="${left}" y="${y + i * LINE}" fill="${colour}">${escapeXml(line)}</text>`)
    .join("");
}

/** A target as `read→target`, or `‹target›` where it is masked. */
const tokenText = ({ text, target }: ShownToken): string =>
  target === undefined
    ? text
    : text === "[MASK]"
      ? `‹${target}›`
      : text === target
        ? `‹${text}=›`
        : `‹${text}→${target}›`;

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1)!;
    const next = line === "" ? word : `${line} ${word}`;
    if (next.length <= width || line === "") lines[lines.length - 1] = next.slice(0, width);
    else lines.push(word.slice(0, width));
  }
  return lines;
}

/** An HTML page with the pictures inside it. */
export async function sheetHtml(examples: readonly Example[], options: SheetOptions): Promise<string> {
  const { title, side = 160 } = options;
  const cells = await Promise.all(examples.map((example) => cellHtml(example, side)));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeXml(title)}</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(${side}px, 1fr)); gap: 1.2em }
figure { margin: 0 } img { width: ${side}px; height: ${side}px; object-fit: contain; background: #eee; image-rendering: pixelated }
small { color: #777; display: block; overflow-wrap: anywhere } .problem { color: #b00 }
mark { background: #ffd86b; border-radius: 3px; padding: 0 2px } mark.random { background: #f7a6a6 } mark.kept { background: #b9e3b0 }
</style></head>
<body><h1>${escapeXml(title)}</h1>
<p>${examples.some(({ tokens }) => tokens) ? "Grey patches are masked. Tokens: <mark>masked</mark> <mark class=random>replaced</mark> <mark class=kept>kept</mark> targets." : ""}</p>
<main>
${cells.join("\n")}
</main></body></html>
`;
}

async function cellHtml({ key, caption, label, picture, problem, tokens }: Example, side: number): Promise<string> {
  const source = picture && (await pngOf(picture, 2 * side));
  const image = source ? `<img alt="" src="data:image/png;base64,${Buffer.from(source).toString("base64")}">` : "";
  const text = tokens ? tokens.map(tokenHtml).join(" ") : escapeXml(caption ?? "");
  const name = escapeXml(label === undefined ? key : `${key} · label ${label}`);
  const trouble = problem ? `<span class="problem">${escapeXml(problem)}</span>` : "";
  return `<figure>${image}<figcaption>${text}${trouble}<small>${name}</small></figcaption></figure>`;
}

function tokenHtml({ text, target }: ShownToken): string {
  if (target === undefined) return escapeXml(text);
  const kind = text === "[MASK]" ? "" : text === target ? ' class="kept"' : ' class="random"';
  return `<mark${kind} title="${escapeXml(text)}">${escapeXml(target)}</mark>`;
}

async function pngOf(picture: Pixels, most: number): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp");
  const { width, height, data } = Math.max(picture.width, picture.height) > most ? thumbnail(picture, most) : picture;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

const escapeXml = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML forbids them
  text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, " ").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
