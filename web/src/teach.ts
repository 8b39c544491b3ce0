/** Teach: a linear probe on the model's embeddings, trained on the page. */
import { chart, el, pictureOf, reasonOf, say, table, working } from "./dom.ts";
import { dropPlace, type Given } from "./drop.ts";
import { download } from "./files.ts";
import { type Probe, predict, trainProbe } from "./linear-probe.ts";
import { call } from "./protocol.ts";
import { type Indexed, readPictures } from "./reading.ts";
import { scenes } from "./scenes.ts";

interface Class {
  readonly name: HTMLInputElement;
  readonly pictures: Indexed[];
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
  const another = el("button", { type: "button", onclick: () => void addClass().name.focus() }, "Another class");
  let probe: Probe | undefined;
  let made = 0;

  const give = (to: Class, given: Given): Promise<void> =>
    readPictures(given, (read) => {
      to.pictures.push(...read);
      const items = to.pictures.map(({ url, name }) =>
        el("li", { class: "still" }, el("img", { src: url, alt: name, loading: "lazy" })),
      );
      to.shown.replaceChildren(...items);
    });
  const addClass = (name = ""): Class => {
    const n = ++made;
    const id = `class-${n}`;
    const input = el("input", { type: "text", id, value: name, placeholder: `class ${n}` });
    const shown = el("ul", { class: "pictures small" });
    const one: Class = { name: input, pictures: [], shown };
    const block = el(
      "div",
      { class: "class" },
      el("label", { for: id }, `Name of class ${n}`),
      input,
      dropPlace("Examples", (given) => give(one, given)),
      shown,
      el("button", { type: "button", onclick: () => remove() }, `Remove class ${n}`),
    );
    const remove = (): void => {
      for (const { url } of one.pictures.splice(0)) URL.revokeObjectURL(url);
      classes.splice(classes.indexOf(one), 1);
      block.remove();
      another.focus();
    };
    classes.push(one);
    list.append(block);
    return one;
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
      const pictures = await Promise.all(fits.map(({ key, pixels }) => pictureOf(key, pixels)));
      await give(to, { pictures, others: 0 });
    }
  };
  const train = async (): Promise<void> => {
    const used = classes.filter(({ pictures }) => pictures.length > 0);
    if (used.length < 2) throw new Error("Give at least two classes some examples first.");
    const labels = used.map(({ name }, i) => name.value.trim() || `class ${i + 1}`);
    const twice = labels.find((label, i) => labels.indexOf(label) !== i);
    if (twice !== undefined) throw new Error(`Two classes are called “${twice}”: give each a name of its own.`);
    const empty = classes.filter((one) => !used.includes(one)).map(({ name }) => name.value.trim());
    const rows = used.flatMap(({ pictures }, label) => pictures.map(({ embeds }) => ({ x: embeds, label })));
    const trained = await trainProbe(rows, labels.length, {
      probe: (k, all) => say(`Training probe ${k} of ${all}…`, "progress"),
      losses: (values) => curve.draw(values, Math.log(labels.length)),
    });
    probe = { ...trained.probe, labels };
    const left = empty.filter((name) => name !== "");
    const without = left.length > 0 ? ` Left out, as there are no examples: ${left.join(", ")}.` : "";
    say(`Trained on ${rows.length} examples of ${labels.length} classes.${without}`);
    save.disabled = false;
    const rowsOf = trained.confusion.map((row, i) => ({ name: labels[i]!, cells: row.map(String) }));
    const sum = (row: readonly number[]): number => row.reduce((a, b) => a + b);
    const shares = trained.confusion.map((row) => row.map((n) => n / Math.max(1, sum(row))));
    const right = sum(trained.confusion.map((row, i) => row[i]!));
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
  const guess = async ({ pictures: [picture] }: Given): Promise<void> => {
    if (!picture) throw new Error("This file is no picture.");
    URL.revokeObjectURL(picture.url);
    if (!probe) throw new Error("Train the probe first.");
    const [embeds] = await call("embedImages", [picture.file]);
    if (typeof embeds === "string") throw new Error(reasonOf(embeds));
    const scores = predict(probe, embeds!);
    const best = scores.indexOf(Math.max(...scores));
    answer.textContent = `${picture.name}: ${probe.labels[best]} (${(100 * scores[best]!).toFixed(0)} %)`;
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
      another,
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
