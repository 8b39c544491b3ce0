/** docs/cli.md from the commands themselves: what each is for, and an example out of its help. */
import type { Command } from "commander";

const HEAD = `# Commands

\`flava --help\` lists them, \`flava COMMAND --help\` says what each takes. Everywhere: \`--json\` prints the result as JSON, \`--quiet\` nothing but
results and errors. Results go to stdout, all else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 128 and the signal's number when
stopped (130 after Ctrl-C). \`flava completion\` makes your shell complete all of this. Files of models that a command downloads are kept
in the cache that Python's libraries use ([cache.md](cache.md)).

This page is written by \`UPDATE_CLI=1 npx vitest run src/cli/contract.test.ts\`.
`;

/** The page. \`commands\` are those without commands below them, \`helpOf\` gives what --help prints. */
export function cliPage(
  commands: readonly (readonly [path: string, command: Command])[],
  helpOf: (command: Command) => string,
): string {
  const sections = commands.map(([path, command]) => {
    const examples = exampleLines(helpOf(command));
    return `## flava ${path}\n\n${sentence(command.description())}\n\n\`\`\`sh\n${examples.join("\n")}\n\`\`\`\n`;
  });
  return `${HEAD}\n${sections.join("\n")}`;
}

/** The lines behind "Examples:", up to one that is not indented. */
export function exampleLines(help: string): string[] {
  const behind = help.split(/\nExamples?:\n/)[1] ?? "";
  const lines = behind.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("  "));
  return lines.slice(0, end < 0 ? undefined : end).map((line) => line.slice(2));
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
