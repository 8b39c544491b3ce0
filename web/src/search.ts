/** Search: pictures ranked by words, or by a picture. */
import { el, type Picture, pictureOf, reasonOf, say, working } from "./dom.ts";
import { dropPlace } from "./drop.ts";
import { call } from "./protocol.ts";
import { scenes } from "./scenes.ts";

interface Indexed extends Picture {
  readonly embeds: Float32Array;
}

/** Pictures that have been read, for the other tabs too. */
export const collection: Indexed[] = [];
/** Told when the collection has grown. */
export const grown = new Set<() => void>();

const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Reads pictures into the collection; those that cannot be read are named. */
export async function add(pictures: readonly Picture[]): Promise<string[]> {
  const found = await call(
    "embedImages",
    pictures.map(({ file }) => file),
  );
  const failed: string[] = [];
  for (const [i, embeds] of found.entries()) {
    if (typeof embeds === "string") failed.push(reasonOf(embeds));
    else collection.push({ ...pictures[i]!, embeds });
  }
  for (const tell of grown) tell();
  if (failed.length > 0)
    say(`Read ${pictures.length - failed.length} of ${pictures.length}. ${failed.slice(0, 3).join("; ")}`, true);
  return failed;
}

/** Drawn scenes, for who has no pictures at hand. */
export const addDrawings = async (): Promise<void> => {
  const drawn = scenes(12, 1).map(({ key, pixels }) => pictureOf(key, pixels));
  await add(await Promise.all(drawn));
};

/** Pictures that are shown of a ranking. */
const SHOWN = 60;

/** Fills the tab. */
export function search(panel: HTMLElement): void {
  const query = el("input", {
    type: "text",
    id: "query",
    placeholder: "a red circle on a blue background",
    autocomplete: "off",
  });
  const results = el("ul", { class: "pictures", id: "results" });
  const heading = el("h2", {}, "No pictures yet");
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const more = el("p", { class: "hint" });

  const show = (order: readonly { readonly picture: Indexed; readonly score?: number }[]): void => {
    const items = order.slice(0, SHOWN).map(({ picture, score }) => {
      const like = async (): Promise<void> => byMember(picture);
      const line = score === undefined ? [] : [el("span", { class: "score" }, score.toFixed(3))];
      const button = el(
        "button",
        { type: "button", title: `Pictures like ${picture.name}`, onclick: working(like) },
        el("img", { src: picture.url, alt: "", loading: "lazy" }),
        ...line,
        el("span", { class: "name" }, picture.name),
      );
      return el("li", {}, button);
    });
    results.replaceChildren(...items);
    const left = order.length - items.length;
    more.textContent = left > 0 ? `${left} more are not shown.` : "";
  };
  const rank = (embeds: Float32Array, what: string): void => {
    heading.textContent = `Ranked by ${what}`;
    const scored = collection.map((picture) => ({ picture, score: cosine(picture.embeds, embeds) }));
    show(scored.sort((a, b) => b.score - a.score));
  };
  const need = (): void => {
    if (collection.length === 0) throw new Error("Drop some pictures first, or use some drawings.");
  };
  const byMember = (picture: Indexed): void => {
    rank(picture.embeds, `likeness to ${picture.name}`);
    results.querySelector("button")?.focus(); // the picture itself, which comes first
  };
  const byPicture = async ([picture]: readonly Picture[]): Promise<void> => {
    need();
    const [embeds] = await call("embedImages", [picture!.file]);
    URL.revokeObjectURL(picture!.url);
    if (typeof embeds === "string") throw new Error(reasonOf(embeds));
    rank(embeds!, `likeness to ${picture!.name}`);
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
    for (const { url } of collection.splice(0)) URL.revokeObjectURL(url);
    for (const tell of grown) tell();
    say("Removed all pictures.");
  };
  grown.add(() => {
    const n = collection.length;
    heading.textContent = n === 0 ? "No pictures yet" : `${n} ${n === 1 ? "picture" : "pictures"}`;
    show(collection.map((picture) => ({ picture })));
  });

  panel.append(
    dropPlace("Pictures to search", async (pictures) => void (await add(pictures)), { folders: true }),
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
    el("p", { class: "hint" }, "Choose a picture to rank the others by their likeness to it."),
    results,
    more,
  );
}
