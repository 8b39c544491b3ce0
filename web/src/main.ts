/** The page: four tabs over one worker. */
import { MOVES, note, say, sayError } from "./dom.ts";
import { look } from "./look.ts";
import { call, told } from "./protocol.ts";
import { search } from "./search.ts";
import { START_FILES, startAddress } from "./start-files.ts";
import { teach } from "./teach.ts";
import { train } from "./train.ts";

const TABS: Readonly<Record<string, (panel: HTMLElement) => void>> = { search, look, teach, train };
const tabs = Object.keys(TABS).map((name) => document.querySelector<HTMLButtonElement>(`#tab-${name}`)!);

function select(wanted: HTMLButtonElement): void {
  for (const tab of tabs) {
    const chosen = tab === wanted;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.querySelector<HTMLElement>(`#${tab.getAttribute("aria-controls")}`)!.hidden = !chosen;
  }
  history.replaceState(null, "", `#${wanted.getAttribute("aria-controls")}`);
}

// Arrow keys move between tabs, as the pattern of the ARIA guide has it.
for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const next = tabs[MOVES[event.key]?.(i, tabs.length) ?? -1];
    if (!next) return;
    event.preventDefault();
    select(next);
    next.focus();
  });
}
for (const [name, fill] of Object.entries(TABS)) fill(document.querySelector<HTMLElement>(`#${name}`)!);
const asked = tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
if (asked) select(asked);

// A picture that is dropped beside its place would replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

told.progress = (text) => say(text, text.endsWith("…") ? "progress" : "news");
told.warning = note;
const wanted = new URLSearchParams(location.search).get("device");
const device = wanted === "wasm" || wanted === "webgpu" ? wanted : "auto";
call("open", new URL("model", document.baseURI).href, device).then(stayOffline, sayError);

/** Hands the service worker the addresses of all that the page consists of, so that it opens without a network. */
async function stayOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", ({ data }: MessageEvent<{ readonly notKept: string }>) =>
    note(`The browser keeps no copy of this page (${data.notKept}): it will not open without a network.`),
  );
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const start = START_FILES.map((file) => startAddress(document.baseURI, file));
    active?.postMessage({ keep: [location.href, ...loaded, ...(await call("resources")), ...start] });
  } catch (error) {
    note(`This page will not open without a network: ${error instanceof Error ? error.message : error}`);
  }
}
