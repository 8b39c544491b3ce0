/** Look: what the model makes of one picture and a sentence. */
import { attentionView } from "./attention-view.ts";
import { el, type Picture, table, working } from "./dom.ts";
import { dropPlace } from "./drop.ts";
import { call } from "./protocol.ts";
import { add, collection, grown } from "./search.ts";

/** Pictures in the score matrix, at most. */
const ROWS = 12;

/** Fills the tab. */
export function look(panel: HTMLElement): void {
  const found = el("div", { "aria-live": "polite" });
  const chooser = pictureChooser(() => found.replaceChildren());
  const sentence = el("input", {
    type: "text",
    id: "sentence",
    value: "a red circle on a blue background",
    autocomplete: "off",
  });
  const match = async (): Promise<void> => {
    const probability = await call("match", chooser.need().file, sentence.value);
    found.replaceChildren(el("h2", {}, "Do they belong together?"), bar("probability", probability));
  };
  const fill = async (): Promise<void> => {
    const picture = chooser.need();
    const text = sentence.value.includes("[MASK]") ? sentence.value : masked(sentence.value);
    sentence.value = text;
    const without = await call("fill", text, undefined);
    const beside = await call("fill", text, picture.file);
    const side = (title: string, words: typeof without): HTMLElement =>
      el("div", {}, el("h2", {}, title), ...words.flatMap((list) => list.map(({ word, score }) => bar(word, score))));
    const both = [side("From the sentence alone", without), side("With the picture", beside)];
    found.replaceChildren(el("div", { class: "columns" }, ...both));
  };
  const attend = async (): Promise<void> => {
    const picture = chooser.need();
    const map = await call("attention", picture.file, sentence.value);
    if (map.words.length === 0) throw new Error("Write a sentence first.");
    found.replaceChildren(el("h2", {}, "Where the words look"), await attentionView(picture, map));
  };
  const button = (name: string, work: () => Promise<void>, kind = ""): HTMLElement =>
    el("button", { type: "button", class: kind, onclick: working(work) }, name);
  panel.append(
    dropPlace("A picture to look at", async (pictures) => void (await add(pictures))),
    chooser.element,
    el("label", { for: "sentence" }, "A sentence; write [MASK] for a word that the model shall fill in"),
    sentence,
    el(
      "div",
      { class: "row" },
      button("Match", match, "primary"),
      button("Fill in", fill),
      button("Show attention", attend),
    ),
    found,
    ...scoreMatrix(chooser.need),
  );
}

/** The pictures that have been read, one of them chosen. */
function pictureChooser(changed: () => void): { readonly element: HTMLElement; need(): Picture } {
  let chosen: Picture | undefined;
  const element = el("ul", { class: "pictures small" });
  const choose = (picture: Picture | undefined): void => {
    if (chosen !== picture) changed();
    chosen = picture;
    for (const [i, button] of [...element.querySelectorAll("button")].entries())
      button.setAttribute("aria-pressed", String(collection[i] === picture));
  };
  grown.add(() => {
    const items = collection.map((picture) => {
      const image = el("img", { src: picture.url, alt: "", loading: "lazy" });
      const name = el("span", { class: "name" }, picture.name);
      return el("li", {}, el("button", { type: "button", onclick: () => choose(picture) }, image, name));
    });
    element.replaceChildren(...items);
    choose(chosen && collection.some((picture) => picture === chosen) ? chosen : collection.at(-1));
  });
  const need = (): Picture => {
    if (!chosen) throw new Error("Choose a picture first: drop one above, or take some drawings in Search.");
    return chosen;
  };
  return { element, need };
}

/** Every picture with every sentence. */
function scoreMatrix(need: () => Picture): HTMLElement[] {
  const lines = el("textarea", { id: "lines", rows: "4" });
  lines.value = "a large red circle\na small blue square\na green triangle above a white ring";
  const matrix = el("div", { "aria-live": "polite" });
  const compare = async (): Promise<void> => {
    need();
    const texts = lines.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    if (texts.length === 0) throw new Error("Write some sentences first, one a line.");
    const pictures = collection.slice(0, ROWS);
    const scores = await call(
      "similarity",
      pictures.map(({ file }) => file),
      texts,
    );
    const rows = pictures.map(({ name }, i) => ({ name, cells: scores[i]!.map((score) => score.toFixed(3)) }));
    const left = collection.length - pictures.length;
    matrix.replaceChildren(
      table("Picture", texts, rows, shades(scores)),
      el(
        "p",
        { class: "hint" },
        `Cosines; the stronger the colour, the likelier.${left > 0 ? ` ${left} more pictures are left out.` : ""}`,
      ),
    );
  };
  return [
    el("h2", {}, "Every picture with every sentence"),
    el("label", { for: "lines" }, "Sentences, one a line"),
    lines,
    el("div", { class: "row" }, el("button", { type: "button", onclick: working(compare) }, "Compare")),
    matrix,
  ];
}

/** Scores as shares of their range. */
function shades(scores: readonly (readonly number[])[]): number[][] {
  const [low, high] = [Math.min(...scores.flat()), Math.max(...scores.flat())];
  return scores.map((row) => row.map((score) => (score - low) / (high - low || 1)));
}

function bar(name: string, share: number): HTMLElement {
  const line = el("i");
  line.style.width = `${(100 * share).toFixed(1)}%`;
  const percent = `${(100 * share).toFixed(1)} %`;
  return el(
    "div",
    { class: "bar" },
    el("span", {}, name),
    el("span", {}, line),
    el("span", { class: "score" }, percent),
  );
}

/** The longest word of a sentence hidden. */
function masked(text: string): string {
  const words = text.split(/\s+/);
  const longest = words.reduce((best, word, i) => (word.length > words[best]!.length ? i : best), 0);
  return words.map((word, i) => (i === longest ? "[MASK]" : word)).join(" ");
}
