/** The page: four tabs over one worker. */
import { say, sayError } from "./dom.ts";
import { look } from "./look.ts";
import { call, listeners } from "./protocol.ts";
import { search } from "./search.ts";
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

/** Arrow keys move between tabs, as the pattern of the ARIA guide has it. */
const KEYS: Readonly<Record<string, (i: number) => number>> = {
  ArrowRight: (i) => (i + 1) % tabs.length,
  ArrowLeft: (i) => (i + tabs.length - 1) % tabs.length,
  Home: () => 0,
  End: () => tabs.length - 1,
};

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const next = KEYS[event.key];
    if (!next) return;
    event.preventDefault();
    select(tabs[next(i)]!);
    tabs[next(i)]!.focus();
  });
}
for (const [name, fill] of Object.entries(TABS)) fill(document.querySelector<HTMLElement>(`#${name}`)!);
const asked = tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
if (asked) select(asked);

listeners.add((text) => say(text));
const wanted = new URLSearchParams(location.search).get("device");
const device = wanted === "wasm" || wanted === "webgpu" ? wanted : "auto";
call("open", new URL("model", document.baseURI).href, device).catch(sayError);

if ("serviceWorker" in navigator)
  navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI)).catch(() => undefined);
