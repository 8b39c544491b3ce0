/** The page of a search: pictures in a grid, each with its place and its scores, in one file. */
import { join } from "node:path";
import { decodeImage, type Pixels, resize } from "../image/index.ts";
import { readBytes } from "../io/index.ts";
import { type Html, html, raw } from "../report/html.ts";
import type { Result } from "./search-run.ts";

/** What is shown. */
export interface SearchPage {
  readonly folder: string;
  /** The words, or what stands for the picture. */
  readonly title: string;
  /** The picture that was looked for. */
  readonly query: Uint8Array | undefined;
  readonly results: readonly Result[];
  /** How many the folder has. */
  readonly pictures: number;
}

/** Pixels of the longer side of what is shown; screens draw them at half of that. */
const SIDE = 480;

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2230;--paper:#fbfbfa;--card:#fff;--muted:#667085;--line:#e4e6eb;--accent:#3457d5;--back:#f1f2f5}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ee;--paper:#12151c;--card:#1a1e28;--muted:#98a1b3;--line:#2b3140;--accent:#8fa6ff;--back:#232836}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
header,main{max-width:1180px;margin:0 auto;padding:0 clamp(14px,3vw,28px)}
header{padding-top:36px;padding-bottom:18px;display:flex;gap:18px;align-items:center}
header img{width:84px;height:84px;object-fit:cover;border-radius:12px;border:1px solid var(--line);background:#fff;flex:none}
h1{font-size:clamp(1.4rem,4vw,2rem);line-height:1.2;margin:0;letter-spacing:-.02em;overflow-wrap:anywhere}
p{margin:4px 0 0;color:var(--muted);overflow-wrap:anywhere}
ol{list-style:none;margin:0;padding:0 0 48px;display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(200px,1fr))}
@media (max-width:520px){ol{grid-template-columns:1fr 1fr;gap:10px}}
li{background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden;display:flex;flex-direction:column}
.picture{aspect-ratio:1;background:#fff;display:flex;align-items:center;justify-content:center;border-bottom:1px solid var(--line)}
.picture img{width:100%;height:100%;object-fit:contain;display:block}
.small img{width:62%;height:62%}
.gone{color:#667085;font-size:.85rem;padding:12px;text-align:center}
figcaption{padding:10px 12px 12px;font-size:.86rem;line-height:1.4;min-width:0}
.name{display:block;font-weight:600;overflow-wrap:anywhere}
.row{display:flex;align-items:center;gap:8px;color:var(--muted);font-size:.8rem;font-variant-numeric:tabular-nums;margin-top:4px}
.bar{flex:1;height:5px;border-radius:3px;background:var(--back);overflow:hidden}
.bar i{display:block;height:100%;border-radius:3px;background:var(--accent)}
figure{margin:0;display:contents}`;

/** The page as text. Pictures that cannot be read any more are named without one. */
export async function searchPage({ folder, title, query, results, pictures }: SearchPage): Promise<string> {
  const cards: Html[] = [];
  const best = results.reduce((most, { score }) => Math.max(most, score), 1e-9);
  for (const result of results) cards.push(await card(folder, result, best));
  const head = query && html`<img alt="" src="${await thumbnailUrl(query)}">`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title><style>${raw(STYLE)}</style></head>
<body><header>${head}<div><h1>${title}</h1><p>the first ${results.length} of ${pictures} pictures in ${folder}</p></div></header>
<main><ol>
${cards}</ol></main></body></html>
`;
  return page.markup;
}

async function card(folder: string, { path, score, match }: Result, best: number): Promise<Html> {
  const picture = await pictureOf(join(folder, path));
  const bar = (share: number): Html =>
    html`<span class="bar"><i style="width:${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%"></i></span>`;
  const judged =
    match !== undefined && html`<span class="row">match ${bar(match)} ${(100 * match).toFixed(0)} %</span>`;
  const [name, ...above] = path.split("/").reverse();
  return html`<li><figure>${picture}<figcaption><span class="name">${name}</span>${
    above.length > 0 && html`<span class="row">${above.reverse().join("/")}</span>`
  }${judged}<span class="row">cosine ${bar(score / best)} ${score.toFixed(3)}</span></figcaption></figure></li>
`;
}

async function pictureOf(path: string): Promise<Html> {
  try {
    const bytes = await readBytes(path, 1 << 28);
    const { url, small } = await thumbnail(bytes);
    return html`<div class="${small ? "picture small" : "picture"}"><img alt="" src="${url}"></div>`;
  } catch (error) {
    return html`<div class="picture"><span class="gone">${(error as Error).message.split("\n")[0]}</span></div>`;
  }
}

const thumbnailUrl = async (bytes: Uint8Array): Promise<string> => (await thumbnail(bytes)).url;

/** A picture as people see it: turned as it asks to be, at most SIDE pixels long. Small ones stay as they are. */
async function thumbnail(bytes: Uint8Array): Promise<{ url: string; small: boolean }> {
  const { default: sharp } = await import("sharp");
  const { width, height, data } = shrink(await decodeImage(bytes, { applyOrientation: true }));
  const small = Math.max(width, height) < SIDE / 3;
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const encoded = await (small ? image.png() : image.webp({ quality: 82 })).toBuffer();
  return { url: `data:image/${small ? "png" : "webp"};base64,${encoded.toString("base64")}`, small };
}

function shrink(picture: Pixels): Pixels {
  const scale = SIDE / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return resize(picture, side(picture.width), side(picture.height), "lanczos");
}
