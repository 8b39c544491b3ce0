/** The picture sections of a report as HTML. */
import type {
  AttentionMaps,
  ColourErrors,
  Confusion,
  Guess,
  ImageToText,
  LoadedSection,
  MaskedPatches,
  MaskedWords,
  Reconstructions,
  Scores,
  SectionForms,
  SectionKind,
  TextToImage,
  WordNeighbours,
} from "../record/index.ts";
import { type Html, html, raw } from "./html.ts";
import { scoreSvg } from "./score-matrix.ts";

type Show = (file: string, alt: string) => Html;

/** One section of the gallery. */
export function pictureSection({ name, section, images }: LoadedSection): Html {
  const show: Show = (file, alt) => html`<img src="${images.get(file)}" alt="${alt}" loading="lazy">`;
  return html`<section id="pictures-${name}"><h2>${section.title}</h2>
${section.text !== undefined && html`<p class="lead">${section.text}</p>`}
${(section.kind === "masked-words" || section.kind === "attention") && section.items.some(({ caption }) => caption !== undefined) && html`<p class="lead">Where the model does not see every word, since its vocabulary lacks it or the text is too long, the text stands below as it was written.</p>`}
${body(section, show)}</section>`;
}

/** How each form is shown: one without a row does not compile. */
const SHOWN: { readonly [K in SectionKind]: (section: SectionForms[K], show: Show) => Html } = {
  reconstructions,
  "masked-patches": maskedPatches,
  "masked-words": maskedWords,
  "image-to-text": imageToText,
  "text-to-image": textToImage,
  attention,
  scores,
  "word-neighbours": wordNeighbours,
  confusion,
};

const body = <K extends SectionKind>(section: SectionForms[K] & { readonly kind: K }, show: Show): Html =>
  SHOWN[section.kind](section, show);

/** Pictures side by side under one caption. */
const strip = (pictures: readonly Html[], caption: string | undefined): Html =>
  html`<figure class="strip"><div>${pictures}</div>${caption !== undefined && html`<figcaption>${caption}</figcaption>`}</figure>`;

const legend = (...names: string[]): Html => html`<p class="muted legend">each: ${names.join(" → ")}</p>`;

function reconstructions({ items, errors = [] }: Reconstructions, show: Show): Html {
  return html`${errors.length > 0 && errorTable(errors)}${legend("picture", "from its visual words")}
<div class="strips">${items.map(({ original, reconstruction, caption }) => strip([show(original, caption ?? "picture"), show(reconstruction, "reconstruction")], caption))}</div>`;
}

const errorTable = (errors: readonly ColourErrors[]): Html =>
  html`<table class="facts narrow"><tr><th>mean error of all held-out pictures</th><th class="number">in colour</th><th class="number">in lightness</th></tr>${errors.map(
    ({ of, colour, lightness }) =>
      html`<tr><td>${of}</td><td class="number">${colour.toFixed(1)}</td><td class="number">${lightness.toFixed(1)}</td></tr>`,
  )}</table><p class="muted">In CIELAB units, the two parts of ΔE*ab (CIE 1976): √(Δa*² + Δb*²) and |ΔL*|. Black and white are 100 apart in lightness; about 2 is the least that is seen.</p>`;

function maskedPatches({ items }: MaskedPatches, show: Show): Html {
  return html`${legend("picture", "what the model sees", "what it puts there")}
<div class="strips wide">${items.map(({ original, masked, filled, caption }) => strip([show(original, caption ?? "picture"), show(masked, "with hidden patches"), show(filled, "filled in by the model")], caption))}</div>`;
}

const percent = (p: number): string => (p < 0.0995 ? `${(100 * p).toFixed(1)} %` : `${Math.round(100 * p)} %`);

/** WordPiece continuations stick to the piece before them. */
const isContinuation = (text: string): boolean => text.startsWith("##");
const glued = (text: string): string => (isContinuation(text) ? text.slice(2) : ` ${text}`);

function maskedWords({ items }: MaskedWords, show: Show): Html {
  const word = ({ text, guesses }: MaskedWords["items"][number]["tokens"][number]): Html => {
    if (!guesses) return html`${glued(text)}`;
    const right = guesses[0]!.text === text;
    return html`${!isContinuation(text) && " "}<span class="${right ? "right" : "wrong"} word"><b>${guesses[0]!.text}</b>${!right && html`<s>${text}</s>`}</span>`;
  };
  const bars = (truth: string, guesses: readonly Guess[]): Html =>
    html`<table class="guesses"><caption>${truth}</caption>${guesses.map(
      (guess) =>
        html`<tr${guess.text === truth && html` class="right"`}><td>${guess.text}</td><td>${bar(guess.probability)}</td><td>${percent(guess.probability)}</td></tr>`,
    )}</table>`;
  return html`<div class="stack">${items.map(
    ({
      image,
      caption,
      tokens,
    }) => html`<article class="card words">${image !== undefined && show(image, "picture of the text")}
<div><p class="sentence">${tokens.map(word)}</p>${written(
      caption,
      tokens.map(({ text }) => text),
    )}<details><summary>guesses</summary><div class="bars">${tokens.flatMap(({ text, guesses }) =>
      guesses ? [bars(text, guesses)] : [],
    )}</div></details></div></article>`,
  )}</div>`;
}

const letters = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** The text as it was written, where the model does not see all of it. */
const written = (caption: string | undefined, seen: readonly string[]): Html | false =>
  caption !== undefined &&
  letters(caption) !== letters(seen.join("")) &&
  html`<p class="written"><b>written:</b> ${caption}</p>`;

const bar = (share: number): Html =>
  html`<span class="bar"><span style="width:${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%"></span></span>`;

function imageToText({ items }: ImageToText, show: Show): Html {
  return html`<div class="cards">${items.map(({ image, captions, answer }) => {
    const shares = scaled(captions.map(({ score }) => score));
    const found = captions.some(({ right }) => right);
    return html`<article class="card ranked">${show(image, captions.find(({ right }) => right)?.text ?? answer?.text ?? "picture")}
<ol>${captions.map(({ text, right }, i) => html`<li${right && html` class="right"`}><span>${text}</span>${bar(shares[i]!)}</li>`)}
${!found && answer && html`<li class="answer" value="${answer.rank}"><span>${answer.text}</span></li>`}</ol></article>`;
  })}</div>`;
}

/** Scores have no zero and no unit: the best is a whole bar, the least a short one. */
function scaled(scores: readonly number[]): number[] {
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  return scores.map((score) => (high > low ? 0.15 + (0.85 * (score - low)) / (high - low) : 1));
}

function textToImage({ items }: TextToImage, show: Show): Html {
  return html`<div class="stack">${items.map(({ caption, images, answer }) => {
    const found = images.some(({ right }) => right);
    return html`<article class="card hits"><h3>${caption}</h3><div>${images.map(
      ({ image, right }, i) =>
        html`<figure${right && html` class="right"`}>${show(image, right ? caption : "another picture")}<figcaption>${i + 1}</figcaption></figure>`,
    )}${!found && answer && html`<figure class="answer">${show(answer.image, caption)}<figcaption>${answer.rank}</figcaption></figure>`}</div></article>`;
  })}</div>`;
}

/** The matrices of a pair below its picture, one a layer. */
function scores({ items }: Scores, show: Show): Html {
  return html`${items.map(({ image, caption, words, size, layers }) => {
    const drawn = layers.map((values, layer) =>
      raw(
        scoreSvg({
          ...{ title: `Layer ${layer}, mean of heads`, size, words },
          values: Float32Array.from(values, (value) => value ?? Number.NaN),
        }),
      ),
    );
    return html`<div class="strips">${strip([show(image, caption)], caption)}</div><div class="scores">${drawn}</div>`;
  })}`;
}

function attention({ items }: AttentionMaps, show: Show): Html {
  const heat = ([rows, columns]: readonly [number, number], shades: readonly number[]): Html =>
    html`<svg viewBox="0 0 ${columns} ${rows}" preserveAspectRatio="none" aria-hidden="true">${shades.map((shade, i) =>
      shade === 0
        ? false
        : html`<rect x="${i % columns}" y="${Math.floor(i / columns)}" width="1" height="1" opacity="${shade.toFixed(3)}"/>`,
    )}</svg>`;
  return html`<div class="stack">${items.map(({ image, caption, grid, words }) => {
    const shades = excesses(words.map(({ weights }) => weights));
    return html`<article class="card"><div class="word-maps"><figure>${show(image, words.map(({ text }) => text).join(" "))}</figure>${words.map(
      ({ text }, w) =>
        html`<figure><div class="heat">${show(image, `where "${text}" looks`)}${heat(grid, shades[w]!)}</div><figcaption>${text}</figcaption></figure>`,
    )}</div>${written(
      caption,
      words.map(({ text }) => text),
    )}</article>`;
  })}</div>`;
}

function wordNeighbours({ items }: WordNeighbours): Html {
  return html`<table class="facts narrow"><tr><th>word</th><th>nearest, with the cosine</th></tr>${items.map(
    ({ word, neighbours }) =>
      html`<tr><td>${word}</td><td>${neighbours.map(({ text, cosine }) => html`<span class="near">${text} <small>${cosine.toFixed(2)}</small></span> `)}</td></tr>`,
  )}</table>`;
}

/** Shaded by the share of its row that a cell has. */
function confusion({ classes, counts }: Confusion): Html {
  const rows = counts.map((row, right) => {
    const all = row.reduce((sum, n) => sum + n, 0);
    const cell = (n: number, said: number): Html =>
      html`<td class="${said === right ? "right" : "wrong"}" title="${classes[right]}, named ${classes[said]}">${n > 0 && html`<i style="opacity:${((0.9 * n) / all).toFixed(3)}"></i><span>${n}</span>`}</td>`;
    return html`<tr><th>${classes[right]}</th>${row.map(cell)}<td class="share">${all > 0 && percent(row[right]! / all)}</td></tr>`;
  });
  return html`<div class="wide-table"><table class="confusion"><tr><th>right ↓ named →</th>${classes.map(
    (name) => html`<th class="column"><span>${name}</span></th>`,
  )}<th class="column"><span>rightly named</span></th></tr>${rows}</table></div>`;
}

/**
 * How much more than its even share each patch gets, 0..1 on one scale for all words of a text: 1 is the largest excess, or
 * twice the even share if none is larger, so that attention that is all but even stays pale.
 */
function excesses(maps: readonly (readonly number[])[]): number[][] {
  const raw = maps.map((weights) => {
    const even = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    return weights.map((weight) => (even > 0 ? Math.max(0, weight / even - 1) : 0));
  });
  const most = Math.max(1, ...raw.flat());
  return raw.map((shades) => shades.map((shade) => shade / most));
}
