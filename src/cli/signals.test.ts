import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";

const SIGNALS = new URL("../../dist/cli/signals.js", import.meta.url).href;

/** A process that says when a signal stops it, then runs `after`, which may block. */
async function stoppable(after: string): Promise<{ child: ChildProcess; said: () => string }> {
  const code = `
    const { onStop } = await import(${JSON.stringify(SIGNALS)});
    const { writeSync } = await import("node:fs");
    const busy = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
    onStop((signal) => { writeSync(1, signal); setTimeout(() => { writeSync(1, " busy"); ${after} }, 20); });
    setInterval(() => {}, 1000);
    writeSync(1, "ready ");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout!.on("data", (chunk) => {
    text += String(chunk);
  });
  while (!text.includes("ready")) await once(child.stdout!, "data");
  return { child, said: () => text };
}

const until = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("onStop", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("hears %s and lets the work end well", async (signal) => {
    const { child, said } = await stoppable("process.exit(7);");
    child.kill(signal);
    expect((await once(child, "exit"))[0]).toBe(7);
    expect(said()).toBe(`ready ${signal} busy`);
  });

  it("ends a process at the second signal, not when its loop has been busy for a minute", async () => {
    const { child, said } = await stoppable("busy(60_000);");
    child.kill("SIGINT");
    await until(() => said().includes("busy"));
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([null, "SIGINT"]);
  });

  it("ends a process at the second signal also where both came while its loop was busy", async () => {
    const { child } = await stoppable("");
    child.kill("SIGSTOP"); // as good as busy: both signals wait
    child.kill("SIGTERM");
    child.kill("SIGINT");
    child.kill("SIGCONT");
    const [code, signal] = await once(child, "exit");
    expect(code).toBeNull();
    expect(["SIGINT", "SIGTERM"]).toContain(signal);
  });
});
