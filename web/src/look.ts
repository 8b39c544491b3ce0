/** Look: what the model makes of one picture and a sentence. */
import { dropPlace, el, type Picture, table, working } from "./dom.ts";
import { call } from "./protocol.ts";
import { add, collection, grown } from "./search.ts";

/** Fills the tab. */
export function look(panel: HTMLElement): void {
  let chosen: Picture | undefined;
  const choices = el("ul", { class: "pictures" });
  const sentence = el("input", {
    type: "text",
    id: "sentence",
    value: "a red circle on a blue background",
    autocomplete: "off",
  });
  const found = el("div", { "aria-live": "polite" });
  const lines = el("textarea", { id: "lines", rows: "4" });
  lines.value = "a large red circle\na small blue square\na green triangle above a white ring";
  const matrix = el("div");

  const choose = (picture: Picture): void => {
    chosen = picture;
    for (const [i, button] of [...choices.querySelectorAll("button")].entries())
      button.setAttribute("aria-pressed", String(collection[i] === picture));
  };
  const redraw = (): void => {
    const items = collection.map((picture) => {
      const image = el("img", { src: picture.url, alt: picture.name });
      const name = el("span", { class: "name" }, picture.name);
      return el("li", {}, el("button", { type: "button", onclick: () => choose(picture) }, image, name));
    });
    choices.replaceChildren(...items);
    choose(chosen ?? collection[0]!);
  };
  grown.add(redraw);

  const need = (): Picture => {
    if (!chosen) throw new Error("Choose a picture first: drop one above, or take some drawings in Search.");
    return chosen;
  };
  const bar = (name: string, share: number): HTMLElement => {
    const line = el("i");
    line.style.width = `${(100 * share).toFixed(1)}%`;
    return el(
      "div",
      { class: "bar" },
      el("span", {}, name),
      line,
      el("span", { class: "score" }, `${(100 * share).toFixed(1)} %`),
    );
  };
  const match = async (): Promise<void> => {
    const [probability] = await call("match", need().file, [sentence.value]);
    found.replaceChildren(el("h2", {}, "Do they belong together?"), bar("probability", probability!));
  };
  const fill = async (): Promise<void> => {
    const text = sentence.value.includes("[MASK]") ? sentence.value : masked(sentence.value);
    sentence.value = text;
    const picture = need();
    const without = await call("fill", text, undefined);
    const beside = await call("fill", text, picture.file);
    const side = (title: string, words: typeof without): HTMLElement =>
      el("div", {}, el("h2", {}, title), ...words.flatMap((list) => list.map(({ word, score }) => bar(word, score))));
    found.replaceChildren(
      el("div", { class: "columns" }, side("From the sentence alone", without), side("With the picture", beside)),
    );
  };
  const compare = async (): Promise<void> => {
    const texts = lines.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    const pictures = collection.slice(0, 12);
    if (pictures.length === 0) need();
    const scores = await call(
      "similarity",
      pictures.map(({ file }) => file),
      texts,
    );
    const rows = pictures.map(({ name }, i): [string, ...string[]] => [
      name,
      ...scores[i]!.map((score) => score.toFixed(3)),
    ]);
    matrix.replaceChildren(table("Picture", texts, rows));
  };

  panel.append(
    dropPlace("A picture to look at", async (pictures) => void (await add(pictures))),
    choices,
    el("label", { for: "sentence" }, "A sentence; write [MASK] for a word that the model shall fill in"),
    sentence,
    el(
      "div",
      { class: "row" },
      el("button", { type: "button", class: "primary", onclick: working(match) }, "Match"),
      el("button", { type: "button", onclick: working(fill) }, "Fill in"),
    ),
    found,
    el("h2", {}, "Every picture with every sentence"),
    el("label", { for: "lines" }, "Sentences, one a line"),
    lines,
    el("div", { class: "row" }, el("button", { type: "button", onclick: working(compare) }, "Compare")),
    matrix,
  );
}

/** The longest word of a sentence hidden. */
function masked(text: string): string {
  const words = text.split(/\s+/);
  const longest = words.reduce((best, word, i) => (word.length > words[best]!.length ? i : best), 0);
  return words.map((word, i) => (i === longest ? "[MASK]" : word)).join(" ");
}
