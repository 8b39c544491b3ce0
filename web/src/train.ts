/** Train: a small FLAVA learns from nothing in this page, on drawn scenes. */
import { createTarPacker } from "modern-tar";
import { canvasOf, chart, el, say, timeLeft, working } from "./dom.ts";
import { download } from "./files.ts";
import { call } from "./protocol.ts";
import { scenes } from "./scenes.ts";
import { startAddress } from "./start-files.ts";

const GRID = 8;
/** Steps between two looks at what the model has learnt. */
const LOOK_EVERY = 20;
/** Losses that have a curve, and what they are called. */
const CURVES = {
  global_contrastive: "Contrastive",
  itm: "Matching",
  mmm_text: "Masked words, with the picture",
  mmm_image: "Masked patches, with the words",
  mlm: "Masked words",
  mim: "Masked patches",
} as const;

/** The pictures of one scene. */
const VIEWS = { original: "the picture", masked: "with patches hidden", filled: "as the model fills them in" } as const;

/** Fills the tab. */
export function train(panel: HTMLElement): void {
  let [running, step, steps] = [false, 0, 0];
  let begun = { at: 0, step: 0 };
  let chance: Record<string, number> = {};
  const histories = new Map<string, number[]>();
  const charts = new Map(Object.entries(CURVES).map(([name, title]) => [name, chart(title)] as const));
  const grid = el("ul", { class: "pictures wide" });
  const found = el("p", { class: "score", "aria-live": "polite" });
  const button = el("button", { type: "button", class: "primary" }, "Train");
  const save = el("button", { type: "button", disabled: true }, "Save to a file");
  const captions = scenes(GRID, 1).map(({ text }) => text);

  /** What it has learnt: captions found for unseen pictures, and hidden patches filled in. */
  const show = async (): Promise<void> => {
    const scores = await call("trainGrid");
    const best = scores.map((row) => row.indexOf(Math.max(...row)));
    const right = best.filter((caption, i) => caption === i).length;
    found.textContent = `After ${step} steps the right caption is found for ${right} of ${GRID} unseen pictures; by chance it is 1.`;
    const pictures = await call("trainPictures");
    const items = pictures.map((picture, i) => {
      const isRight = best[i] === i;
      const views = (["original", "masked", "filled"] as const).map((name) => {
        const canvas = canvasOf(picture[name]);
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${VIEWS[name]}: ${captions[i]}`);
        return canvas;
      });
      return el(
        "li",
        { class: "still" },
        el("div", { class: "views" }, ...views),
        el("span", { class: `name wrap ${isRight ? "right" : ""}` }, `${isRight ? "✓" : "✗"} ${captions[best[i]!]}`),
      );
    });
    grid.replaceChildren(...items);
  };
  const one = async (): Promise<void> => {
    const { metrics, ...update } = await call("trainStep");
    step = update.step;
    for (const [name, curve] of charts) {
      if (metrics[name] === undefined) continue;
      const history = histories.get(name) ?? [];
      history.push(metrics[name]);
      histories.set(name, history);
      curve.draw(history, chance[name]);
    }
    const left = timeLeft(begun.at, step - begun.step, steps - begun.step);
    say(`Step ${step} of ${steps}: loss ${metrics.loss!.toFixed(3)}${left}`, "progress");
  };
  const run = async (): Promise<void> => {
    running = true;
    button.textContent = "Pause";
    save.disabled = true;
    try {
      if (steps === 0) ({ steps, chance } = await call("trainOpen", document.baseURI, GRID));
      begun = { at: performance.now(), step };
      while (running && step < steps) {
        await one();
        if (step % LOOK_EVERY === 0 || step === 1) await show();
      }
    } finally {
      running = false;
      button.textContent = step === 0 ? "Train" : isDone() ? "Trained" : "Go on";
      save.disabled = step === 0;
    }
    say(isDone() ? `Trained for all of its ${steps} steps.` : `Paused at step ${step} of ${steps}.`);
  };
  const isDone = (): boolean => step > 0 && step === steps;
  button.addEventListener("click", (event) => {
    if (running) running = false;
    else void working(run)(event).finally(() => (button.disabled = isDone()));
    if (running) button.disabled = false; // it says Pause now
  });
  save.addEventListener(
    "click",
    working(async () => {
      const { step: at, files } = await call("trainSave");
      download(`flava-run-step-${at}.tar`, await runFolder(at, files));
      say(`Saved step ${at}. Unpack it, then: flava pretrain run/recipe.json --resume run/joint/checkpoint-${at}`);
    }),
  );

  panel.append(
    el(
      "p",
      {},
      "A small FLAVA learns here from nothing: 256 drawn scenes with captions, all six losses of the paper. Only its codebook was trained before.",
    ),
    el("div", { class: "row" }, button, save),
    found,
    el(
      "p",
      { class: "hint" },
      "Each picture, the same with patches hidden, and as the model fills them in from the caption; below, the caption that it finds.",
    ),
    grid,
    el("h2", {}, "Losses"),
    el("div", { class: "columns" }, ...[...charts.values()].map(({ element }) => element)),
  );
}

/** The folder of a run with its checkpoint, as one file. */
async function runFolder(step: number, checkpoint: Readonly<Record<string, Uint8Array>>): Promise<Blob> {
  const files: Record<string, Uint8Array> = {};
  for (const name of ["recipe.json", "run.json", "tokenizer.json"] as const)
    files[`run/${name}`] = new Uint8Array(await (await fetch(startAddress(document.baseURI, name))).arrayBuffer());
  for (const [name, bytes] of Object.entries(checkpoint)) files[`run/joint/checkpoint-${step}/${name}`] = bytes;
  const { readable, controller } = createTarPacker();
  const packed = new Response(readable).blob();
  for (const [name, bytes] of Object.entries(files)) {
    const entry = controller.add({ name, size: bytes.byteLength, type: "file" }).getWriter();
    await entry.write(bytes);
    await entry.close();
  }
  controller.finalize();
  return packed;
}
