/** Teach: a linear probe on the model's embeddings, trained on the page. */
import { chart, el, type Picture, pictureOf, reasonOf, say, table, working } from "./dom.ts";
import { dropPlace } from "./drop.ts";
import { download } from "./files.ts";
import { type Probe, predict, trainProbe } from "./linear-probe.ts";
import { call } from "./protocol.ts";
import { scenes } from "./scenes.ts";

interface Class {
  readonly name: HTMLInputElement;
  readonly pictures: (Picture & { readonly embeds: Float32Array })[];
  readonly shown: HTMLElement;
}

/** Fills the tab. */
export function teach(panel: HTMLElement): void {
  const classes: Class[] = [];
  const list = el("div", { class: "columns" });
  const curve = chart("Loss");
  const results = el("div", { "aria-live": "polite" });
  const answer = el("p", { class: "hint", "aria-live": "polite" }, "Train first, then drop a picture here.");
  const save = el("button", { type: "button", disabled: true }, "Download the probe");
  let probe: Probe | undefined;

  const give = async (to: Class, pictures: readonly Picture[]): Promise<void> => {
    const found = await call(
      "embedImages",
      pictures.map(({ file }) => file),
    );
    for (const [i, embeds] of found.entries())
      if (typeof embeds === "string") say(reasonOf(embeds), true);
      else to.pictures.push({ ...pictures[i]!, embeds });
    const items = to.pictures.map(({ url, name }) => el("li", { class: "still" }, el("img", { src: url, alt: name })));
    to.shown.replaceChildren(...items);
  };
  const addClass = (name = ""): Class => {
    const id = `class-${classes.length + 1}`;
    const input = el("input", { type: "text", id, value: name, placeholder: `class ${classes.length + 1}` });
    const shown = el("ul", { class: "pictures small" });
    const made: Class = { name: input, pictures: [], shown };
    classes.push(made);
    const examples = dropPlace("Examples", (pictures) => give(made, pictures));
    list.append(
      el(
        "div",
        { class: "class" },
        el("label", { for: id }, `Name of class ${classes.length}`),
        input,
        examples,
        shown,
      ),
    );
    return made;
  };
  /** Drawings of one figure, sorted by its colour. */
  const drawings = async (): Promise<void> => {
    const named = ["red", "blue", "green"];
    for (const [i, colour] of named.entries()) {
      const to = classes[i] ?? addClass();
      to.name.value ||= colour;
      const fits = scenes(400, 2)
        .filter(({ text }) => new RegExp(`^a (small|large) ${colour} `).test(text))
        .slice(0, 8);
      await give(to, await Promise.all(fits.map(({ key, pixels }) => pictureOf(key, pixels))));
    }
  };
  const train = async (): Promise<void> => {
    const used = classes.filter(({ pictures }) => pictures.length > 0);
    if (used.length < 2) throw new Error("Give at least two classes some examples first.");
    const labels = used.map(({ name }, i) => name.value.trim() || `class ${i + 1}`);
    const rows = used.flatMap(({ pictures }, label) => pictures.map(({ embeds }) => ({ x: embeds, label })));
    const trained = await trainProbe(rows, labels.length, (losses) => curve.draw(losses, Math.log(labels.length)));
    probe = { ...trained.probe, labels };
    save.disabled = false;
    const rowsOf = trained.confusion.map((row, i) => ({ name: labels[i]!, cells: row.map(String) }));
    const shares = trained.confusion.map((row) =>
      row.map(
        (n) =>
          n /
          Math.max(
            1,
            row.reduce((a, b) => a + b),
          ),
      ),
    );
    const right = trained.confusion.reduce((sum, row, i) => sum + row[i]!, 0);
    results.replaceChildren(
      el("h2", {}, `Right for ${right} of ${rows.length} examples that the probe had not seen`),
      el(
        "p",
        { class: "hint" },
        "Each fifth of the examples was guessed by a probe of the others. Rows: what they are. Columns: what was guessed.",
      ),
      table("Class", labels, rowsOf, shares),
    );
    answer.textContent = "Now drop a picture to see its class.";
  };
  const guess = async ([picture]: readonly Picture[]): Promise<void> => {
    if (!probe) throw new Error("Train the probe first.");
    const [embeds] = await call("embedImages", [picture!.file]);
    if (typeof embeds === "string") throw new Error(embeds);
    const scores = predict(probe, embeds!);
    const best = scores.indexOf(Math.max(...scores));
    answer.textContent = `${picture!.name}: ${probe.labels[best]} (${(100 * scores[best]!).toFixed(0)} %)`;
  };
  save.addEventListener(
    "click",
    working(async () => {
      const { labels, weight, bias } = probe!;
      const bytes = await call("probeFile", labels, weight, bias);
      download("probe.safetensors", new Blob([bytes as BlobPart]));
      say("Put probe.safetensors beside the model: flava classify reads it.");
    }),
  );

  addClass();
  addClass();
  panel.append(
    el(
      "div",
      { class: "row" },
      el("button", { type: "button", onclick: working(drawings) }, "Use some drawings"),
      el("button", { type: "button", onclick: () => void addClass().name.focus() }, "Another class"),
    ),
    list,
    el(
      "div",
      { class: "row" },
      el("button", { type: "button", class: "primary", onclick: working(train) }, "Train"),
      save,
    ),
    curve.element,
    results,
    el("h2", {}, "Try it"),
    dropPlace("A picture to guess", guess, { multiple: false }),
    answer,
  );
}
