/** What every command keeps to, also one that is added tomorrow. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import { cliPage } from "../../test/support/cli-page.ts";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { commandWords } from "./completion/words.ts";
import { zshScript } from "./completion/zsh.ts";
import { createProgram } from "./program.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});

const run = (args: readonly string[]) =>
  spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    cwd: root,
    env: { ...process.env, FLAVA_DEBUG: "" },
  });

/** Every command with its name from the program on: "data build". */
function all(command: Command, path = ""): [path: string, command: Command][] {
  const below = command.commands.map((each) => [`${path} ${each.name()}`.trim(), each] as const);
  return below.flatMap(([name, each]) => [[name, each] as [string, Command], ...all(each, name)]);
}
const commands = all(createProgram());
const leaves = commands.filter(([, command]) => command.commands.length === 0);

/** What a command prints for --help, with what was added behind it. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => (text += piece) });
  command.outputHelp();
  return text;
}

/** Runs a command line in this process up to where a command would begin. Gives what it fails with. */
function parse(words: readonly string[]): { code: string; exitCode: number; said: string } | undefined {
  const program = createProgram();
  let said = "";
  for (const [, command] of [["", program] as const, ...all(program)])
    command.exitOverride().configureOutput({ writeErr: (text) => (said += text), writeOut: () => undefined });
  try {
    program.parse(words, { from: "user" });
    return undefined;
  } catch (error) {
    const { code, exitCode } = error as { code: string; exitCode: number };
    return { code, exitCode, said };
  }
}

describe("the help of every command", () => {
  it.each(commands)("flava %s has an example that the command itself accepts", (path, command) => {
    const help = helpOf(command);
    expect(help).toMatch(/\nExamples?:\n {2}\S/);
    const lines = help
      .slice(help.search(/\nExamples?:\n/))
      .split("\n")
      .filter((line) => /^ {2}flava /.test(line));
    for (const line of lines) {
      const shown = line.trim().split(/ {3,}| \| /)[0]!;
      const words = [...shown.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!).slice(1);
      expect(
        commands.some(([name]) => words.join(" ").startsWith(name)),
        line,
      ).toBe(true);
      expect(parse([...words, "--help"])?.code, line).toBe("commander.helpDisplayed");
      for (const word of words.filter((each) => /^--?[a-z]/.test(each)))
        expect(knows(words, word.split("=")[0]!), `${line}: ${word}`).toBe(true);
    }
    if (path !== "completion") expect(lines.length).toBeGreaterThan(0);
  });

  it.each(commands)("flava %s says in words what it, its arguments and its options are for", (_, command) => {
    expect(command.description()).not.toBe("");
    for (const { description } of [...command.options, ...command.registeredArguments])
      expect(description).not.toBe("");
  });

  it("is what docs/cli.md says", async () => {
    const file = new URL("../../docs/cli.md", import.meta.url);
    const page = cliPage(leaves, helpOf);
    if (process.env.UPDATE_CLI) await writeFile(file, page);
    expect(await readFile(file, "utf8"), "UPDATE_CLI=1 writes it anew").toBe(page);
  });
});

/** Whether the command that these words call has an option of this name. */
function knows(words: readonly string[], option: string): boolean {
  const named = commands.filter(([path]) => words.join(" ").startsWith(path)).at(-1)!;
  const chain = [
    createProgram(),
    ...commands.filter(([path]) => named[0].startsWith(path)).map(([, command]) => command),
  ];
  return chain.some((command) => command.options.some(({ long, short }) => long === option || short === option));
}

describe("wrong usage of every command", () => {
  it.each(leaves)("flava %s refuses an unknown option and offers the nearest", (path, command) => {
    const known = command.options.find(({ long }) => long && long.length > 5)?.long ?? "--quiet";
    const wrong = `${known.slice(0, 4)}${known.slice(5)}`;
    const failed = parse([...path.split(" "), ...command.registeredArguments.map(argumentOf), wrong]);
    expect(failed).toMatchObject({ code: expect.stringMatching(/unknownOption|missingMandatory|optionMissing/) });
    if (failed!.code === "commander.unknownOption") expect(failed!.said).toMatch(/Did you mean/);
  });

  it.each(leaves.filter(([, command]) => command.registeredArguments.some(({ required }) => required)))(
    "flava %s names the argument that is missing",
    (path) => {
      expect(parse(path.split(" "))).toMatchObject({
        code: expect.stringMatching(/missingArgument|missingMandatoryOption/),
      });
    },
  );

  it("offers the nearest command, or the values there are", () => {
    for (const line of [
      "pretrian",
      "data inspct x",
      "completion csh",
      "report x --crad",
      "doctor too much",
      "pretrain x --device gpu",
    ])
      expect(parse(line.split(" "))!.said, line).toMatch(/Did you mean|Allowed choices|too many arguments/);
  });

  it("ends with code 2 and nothing on stdout", () => {
    const { status, stdout, stderr } = run(["data", "inspct"]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/unknown command 'inspct'\n\(Did you mean inspect\?\)/);
  });
});

const argumentOf = ({ argChoices }: { argChoices?: readonly string[] | undefined }): string => argChoices?.[0] ?? "x";

describe("--json", () => {
  it.each([
    [["completion", "bash", "--json"]],
    [["--json", "data", "inspect", "synthetic:3", "--limit", "2"]],
    [["table", "--published", "--json"]],
  ])("flava %j prints JSON and nothing else on stdout", (args) => {
    const { status, stdout } = run(args);
    expect(status).toBe(0);
    expect(() => JSON.parse(stdout)).not.toThrow();
  });

  it("leaves stdout empty where a command fails", () => {
    for (const args of [
      ["report", "nowhere"],
      ["data", "inspect", "nowhere.csv"],
    ]) {
      const { status, stdout, stderr } = run([...args, "--json"]);
      expect([stdout, status], args.join(" ")).toEqual(["", 1]);
      expect(stderr).toMatch(/^\w+Error: .*nowhere/m);
    }
  });
});

describe("a closed pipe", () => {
  it("ends no command in a failure", async () => {
    const child = spawn(process.execPath, [MAIN, "completion", "zsh"], { stdio: ["ignore", "pipe", "ignore"] });
    child.stdout.destroy();
    expect((await once(child, "exit"))[0]).toBe(0);
  });
});

describe("flava completion", () => {
  const words = commandWords(createProgram());

  it("knows every command, option and listed value", () => {
    expect(words.map(({ path }) => path)).toEqual(["", ...commands.map(([path]) => path)]);
    const pretrain = words.find(({ path }) => path === "pretrain")!;
    expect(pretrain.options.find(({ names }) => names.includes("--device"))!.values).toContain("xla:cpu");
    expect(pretrain.options.map(({ names }) => names[0])).toEqual(
      expect.arrayContaining(["--json", "--help", "--set"]),
    );
    expect(words.find(({ path }) => path === "completion")!.values).toEqual(["bash", "zsh", "fish"]);
  });

  const CASES: readonly [typed: string, offered: string[], not?: string][] = [
    ["flava da", ["data"]],
    ["flava data ins", ["inspect"]],
    ["flava data inspect x --mas", ["--masks"]],
    ["flava --json pretrain x --de", ["--device"]],
    ["flava pretrain x --device xla:c", ["xla:cpu", "xla:cuda"]],
    ["flava pretrain x --dtype=f", ["fp32"]],
    ["flava completion z", ["zsh"]],
    ["flava data inspect --sheet ./", []],
  ];

  it.runIf(existsSync("/bin/bash"))("offers what fits in bash", async () => {
    const file = join(root, "flava.bash");
    const lines = CASES.map(([typed]) => `try '${typed}'`).join("\n");
    const test = `try() { COMP_LINE="$1"; COMP_POINT=\${#1}; COMPREPLY=(); _flava; echo "\${COMPREPLY[*]}"; }\n${lines}\n`;
    await writeFile(file, bashScript(words) + test);
    const { stdout, stderr } = spawnSync("/bin/bash", ["--norc", file], { encoding: "utf8" });
    expect(stderr).toBe("");
    // bash has cut the line at the colon already
    const expected = CASES.map(([, offered]) => offered.map((word) => word.replace(/^.*:/, "")).join(" "));
    expect(stdout.trimEnd().split("\n").slice(0, expected.length)).toEqual(expected.slice(0, -1));
  });

  it.runIf(existsSync("/usr/bin/fish"))("offers what fits in fish", async () => {
    const file = join(root, "flava.fish");
    await writeFile(
      file,
      `${fishScript(words)}${CASES.slice(0, -1)
        .map(([typed]) => `complete -C '${typed}'\necho ==`)
        .join("\n")}\n`,
    );
    const { stdout, stderr } = spawnSync("/usr/bin/fish", ["--no-config", file], { encoding: "utf8", cwd: root });
    expect(stderr).toBe("");
    const offered = stdout
      .split("==\n")
      .slice(0, -1)
      .map((block) =>
        block
          .trim()
          .split("\n")
          .map((line) => line.split("\t")[0]!.replace(/^--\w+=/, "")),
      );
    expect(offered).toEqual(CASES.slice(0, -1).map(([, expected]) => expected));
  });

  it.runIf(existsSync("/usr/bin/zsh"))("is read by zsh", async () => {
    const file = join(root, "flava.zsh");
    const load = "autoload -U compinit && compinit -u -d /dev/null 2>/dev/null";
    await writeFile(file, `${load}\n${zshScript(words)}\nprint -r -- $_comps[flava]\n`);
    const { stdout, stderr } = spawnSync("/usr/bin/zsh", ["-f", file], { encoding: "utf8" });
    expect([stdout.trim(), stderr]).toEqual(["_flava", ""]);
  });
});
