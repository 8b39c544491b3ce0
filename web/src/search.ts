/** Search: pictures ranked by words, or by a picture. */
import { buttonList, el, pictureOf, reasonOf, replaceButtons, say, working } from "./dom.ts";
import { dropPlace, type Given } from "./drop.ts";
import { call } from "./protocol.ts";
import { type Indexed, readPictures } from "./reading.ts";
import { scenes } from "./scenes.ts";

/** Pictures that have been read, for the other tabs too. */
export const collection: Indexed[] = [];
/** Told when the collection has changed. */
export const grown = new Set<() => void>();

const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Ends the readings under way. */
let cleared = new AbortController();

/** Readings under way. */
let readings = 0;

async function counted(reading: () => Promise<void>): Promise<void> {
  readings += 1;
  try {
    await reading();
  } finally {
    readings -= 1;
  }
}

/** Reads pictures into the collection. */
export function add(given: Given): Promise<void> {
  const take = (read: readonly Indexed[]): void => {
    collection.push(...read);
    for (const tell of grown) tell();
  };
  return counted(() => readPictures(given, take, cleared.signal));
}

/** Drawn scenes, for who has no pictures at hand. */
const addDrawings = (): Promise<void> =>
  counted(async () => {
    const drawn = scenes(12, 1).map(({ key, pixels }) => pictureOf(key, pixels));
    await add({ pictures: await Promise.all(drawn), others: 0 });
  });

/** Pictures that are shown of a ranking, and that "Show more" adds. */
const SHOWN = 60;

/** Fills the tab. */
export function search(panel: HTMLElement): void {
  const query = el("input", {
    type: "text",
    id: "query",
    placeholder: "a red circle on a blue background",
    autocomplete: "off",
  });
  const results = buttonList({ class: "pictures", id: "results" });
  const heading = el("h2", { "aria-live": "polite" });
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const advice = el("p", { class: "hint" });
  const more = el("button", { type: "button", hidden: true });
  let ranking: { readonly embeds: Float32Array; readonly what: string } | undefined;
  let limit = SHOWN;

  const buttonOf = (picture: Indexed, score?: number): HTMLButtonElement =>
    el(
      "button",
      { type: "button", title: `Pictures like ${picture.name}`, onclick: working(async () => byMember(picture)) },
      el("img", { src: picture.url, alt: "", loading: "lazy" }),
      ...(score === undefined ? [] : [el("span", { class: "score" }, score.toFixed(3))]),
      el("span", { class: "name" }, picture.name),
    );
  const show = (): void => {
    const n = collection.length;
    const scored = collection.map((picture) => ({ picture, score: ranking && cosine(picture.embeds, ranking.embeds) }));
    if (ranking) scored.sort((a, b) => b.score! - a.score!);
    const title = ranking && n > 0 ? `Ranked by ${ranking.what}` : n === 0 ? "No pictures yet" : countOf(n);
    if (heading.textContent !== title) heading.textContent = title;
    advice.textContent =
      n === 0
        ? "Give some pictures first, or use some drawings."
        : "Choose a picture to rank the others by their likeness to it; arrow keys move among them.";
    replaceButtons(
      results,
      scored.slice(0, limit).map(({ picture, score }) => buttonOf(picture, score)),
    );
    const left = n - limit;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, SHOWN)} more of ${n}`;
  };
  const rank = (embeds: Float32Array, what: string): void => {
    [ranking, limit] = [{ embeds, what }, SHOWN];
    show();
  };
  more.addEventListener("click", () => {
    const at = limit;
    limit += SHOWN;
    show();
    results.querySelectorAll("button")[at]?.focus();
  });
  /** Pictures that are still being read come into the ranking as they are there. */
  const need = (): void => {
    if (collection.length + readings === 0) throw new Error("Drop some pictures first, or use some drawings.");
  };
  const byMember = (picture: Indexed): void => {
    rank(picture.embeds, `likeness to ${picture.name}`);
    results.querySelector("button")?.focus(); // the picture itself, which comes first
  };
  const byPicture = async ({ pictures: [picture] }: Given): Promise<void> => {
    if (!picture) throw new Error("This file is no picture.");
    URL.revokeObjectURL(picture.url); // only its numbers are kept
    need();
    const [embeds] = await call("embedImages", [picture.file]);
    if (typeof embeds === "string") throw new Error(reasonOf(embeds));
    rank(embeds!, `likeness to ${picture.name}`);
  };
  const byWords = async (): Promise<void> => {
    const words = query.value.trim();
    if (words === "") return query.focus();
    need();
    const { embeds, unknown } = await call("embedText", words);
    rank(embeds, `“${words}”`);
    hint.textContent = unknown.length > 0 ? `The model does not know: ${unknown.join(", ")}.` : "";
  };
  const clear = async (): Promise<void> => {
    cleared.abort();
    cleared = new AbortController();
    for (const { url } of collection.splice(0)) URL.revokeObjectURL(url);
    [ranking, limit] = [undefined, SHOWN];
    hint.textContent = "";
    for (const tell of grown) tell();
    say("Removed all pictures.");
  };
  grown.add(show);
  show();

  panel.append(
    dropPlace("Pictures to search", add, { folders: true }),
    el(
      "div",
      { class: "row" },
      el("button", { type: "button", onclick: working(addDrawings) }, "Use some drawings"),
      el("button", { type: "button", onclick: working(clear) }, "Remove all"),
    ),
    el(
      "form",
      { class: "row", onsubmit: (event) => void working(byWords)(event) },
      el("div", { class: "grow" }, el("label", { for: "query" }, "Words"), query),
      el("button", { class: "primary" }, "Search"),
    ),
    hint,
    el(
      "details",
      {},
      el("summary", {}, "Search by a picture instead"),
      dropPlace("A picture as query", byPicture, { multiple: false }),
    ),
    heading,
    advice,
    results,
    more,
  );
}

const countOf = (n: number): string => `${n} ${n === 1 ? "picture" : "pictures"}`;
