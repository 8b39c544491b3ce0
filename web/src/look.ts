/** Look: what the model makes of one picture and a sentence. */
import { attentionView } from "./attention-view.ts";
import { buttonList, el, type Picture, replaceButtons, table, working } from "./dom.ts";
import { dropPlace } from "./drop.ts";
import { call } from "./protocol.ts";
import { add, collection, grown } from "./search.ts";

/** Pictures in the score matrix, at most. */
const ROWS = 12;
/** Pictures to choose from, at most: the newest. */
const CHOICES = 60;

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
  const unknown = el("p", { class: "hint", "aria-live": "polite" });
  const needSentence = async (): Promise<string> => {
    const text = sentence.value.trim();
    if (text === "") throw new Error("Write a sentence first.");
    const words = await call("unknownWords", text);
    unknown.textContent = words.length > 0 ? `The model does not know: ${words.join(", ")}.` : "";
    return text;
  };
  const match = async (): Promise<void> => {
    const picture = chooser.need();
    const probability = await call("match", picture.file, await needSentence());
    found.replaceChildren(el("h2", {}, "Do they belong together?"), bar({ word: "probability", score: probability }));
  };
  const fill = async (): Promise<void> => {
    const picture = chooser.need();
    const given = await needSentence();
    const text = given.includes("[MASK]") ? given : masked(given);
    sentence.value = text;
    const without = await call("fill", text, undefined);
    const beside = await call("fill", text, picture.file);
    const side = (title: string, words: typeof without): HTMLElement =>
      el("div", {}, el("h2", {}, title), ...words.flatMap((list, i) => [...nameOf(i, words.length), ...list.map(bar)]));
    const both = [side("From the sentence alone", without), side("With the picture", beside)];
    found.replaceChildren(el("div", { class: "columns" }, ...both));
  };
  const attend = async (): Promise<void> => {
    const picture = chooser.need();
    const map = await call("attention", picture.file, await needSentence());
    if (map.words.length === 0) throw new Error("The sentence has no words.");
    found.replaceChildren(el("h2", {}, "Where the words look"), await attentionView(picture, map));
  };
  const button = (name: string, work: () => Promise<void>, kind = ""): HTMLElement =>
    el("button", { type: "button", class: kind, onclick: working(work) }, name);
  panel.append(
    dropPlace("A picture to look at", async (given) => {
      await add(given);
      chooser.chooseNewest();
    }),
    chooser.element,
    el("label", { for: "sentence" }, "A sentence; write [MASK] for a word that the model should fill in"),
    sentence,
    unknown,
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

/** The newest pictures that have been read, one of them chosen. */
function pictureChooser(changed: () => void): {
  readonly element: HTMLElement;
  chooseNewest(): void;
  need(): Picture;
} {
  let chosen: Picture | undefined;
  let choices: readonly Picture[] = [];
  const list = buttonList({ class: "pictures small" });
  const hint = el("p", { class: "hint" });
  const choose = (picture: Picture | undefined): void => {
    if (chosen !== picture) changed();
    chosen = picture;
    for (const [i, button] of [...list.querySelectorAll("button")].entries())
      button.setAttribute("aria-pressed", String(choices[i] === picture));
  };
  const show = (): void => {
    choices = collection.slice(-CHOICES);
    const buttons = choices.map((picture) => {
      const image = el("img", { src: picture.url, alt: "", loading: "lazy" });
      const name = el("span", { class: "name" }, picture.name);
      return el("button", { type: "button", onclick: () => choose(picture) }, image, name);
    });
    replaceButtons(list, buttons);
    const n = collection.length;
    hint.textContent =
      n === 0
        ? "No pictures yet: drop one here, or take some drawings in Search."
        : n > CHOICES
          ? `The newest ${CHOICES} of ${n}.`
          : "";
    choose(chosen && choices.includes(chosen) ? chosen : choices.at(-1));
  };
  grown.add(show);
  show();
  const need = (): Picture => {
    if (!chosen) throw new Error("Choose a picture first: drop one above, or take some drawings in Search.");
    return chosen;
  };
  return { element: el("div", {}, hint, list), chooseNewest: () => choose(choices.at(-1)), need };
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

/** A title for each hidden word where there are several. */
const nameOf = (i: number, n: number): HTMLElement[] => (n > 1 ? [el("h3", {}, `Hidden word ${i + 1}`)] : []);

function bar({ word, score }: { readonly word: string; readonly score: number }): HTMLElement {
  const line = el("i");
  const percent = (100 * score).toFixed(1);
  line.style.width = `${percent}%`;
  return el(
    "div",
    { class: "bar" },
    el("span", {}, word),
    el("span", {}, line),
    el("span", { class: "score" }, `${percent} %`),
  );
}

/** The longest word of a sentence hidden. */
function masked(text: string): string {
  const words = text.split(/\s+/);
  const longest = words.reduce((best, word, i) => (word.length > words[best]!.length ? i : best), 0);
  return words.map((word, i) => (i === longest ? "[MASK]" : word)).join(" ");
}
