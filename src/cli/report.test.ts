import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeDemoRun } from "../../test/support/demo-run.ts";
import { createProgress } from "./progress.ts";
import { define } from "./report.ts";
import { consoleReporter } from "./run-reporter.ts";

describe("flava report", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-cli-report-"));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (...args: string[]): Promise<string> => {
    const written: string[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const program = new Command("flava").option("--json").option("--quiet").exitOverride();
    define(program);
    await program.parseAsync(["node", "flava", ...args]);
    return written.join("");
  };

  it("writes the page and the card, and prints where", async () => {
    await writeDemoRun(folder);
    const output = join(folder, "page.html");
    expect(await run("report", folder, "--output", output, "--card")).toBe(`${output}\n${join(folder, "card.md")}\n`);
    expect(await readFile(output, "utf8")).toContain("<h1>starter</h1>");
    expect(await readFile(join(folder, "card.md"), "utf8")).toContain("# starter");
  });

  it("says that a folder is no run's", async () => {
    await expect(run("report", folder)).rejects.toThrow(
      /run\.json: expected a file, got none\n {2}help: is this the folder/,
    );
  });
});

describe("consoleReporter", () => {
  it("prints a line an interval a stage, in a pipe", () => {
    let [clock, text] = [0, ""];
    const stream = {
      write: (part: string) => {
        text += part;
      },
    };
    const note = (line: string): void => void stream.write(`${line}\n`);
    const reporter = consoleReporter({
      note,
      progress: (options) => createProgress({ ...options, stream, now: () => clock, intervalMs: 10_000 }),
    });
    reporter.note("tracing the image step…");
    reporter.begin("joint", 100, 20);
    for (let step = 21; step <= 60; step++) {
      clock += 500;
      reporter.step(step, "mim 6.20 (chance 6.24)");
    }
    reporter.end();
    const lines = text.trimEnd().split("\n");
    expect(lines[0]).toBe("tracing the image step…");
    expect(lines[1]).toBe("joint: 40/100 steps (40 %), 2.0 steps/s, 30 s left, mim 6.20 (chance 6.24)");
    expect(lines).toHaveLength(4);
  });
});
