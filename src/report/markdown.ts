/** Markdown in which every inserted text is text: what comes from a recipe or a run cannot become markup. */

/** Plain text: characters that Markdown or HTML would read as markup are escaped, line ends become spaces. */
export const markdown = (text: string): string =>
  text
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(/[\\`*_[\]#|~]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");

/** Code in a line: fenced by more backticks than it holds, so that nothing in it ends the fence. */
export function code(text: string): string {
  const line = text.replace(/[\r\n]+/g, " ");
  const fence = "`".repeat(longestRun(line) + 1);
  const edge = /^`|`$|^ .* $/.test(line) ? " " : "";
  return `${fence}${edge}${line}${edge}${fence}`;
}

/** A fenced block. */
export function codeBlock(language: string, text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}${language}\n${text}\n${fence}`;
}

const longestRun = (text: string): number => Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));

/** A table of cells that are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(unpiped).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A bar would end the cell, in code too. */
const unpiped = (cell: string): string => cell.replace(/(?<!\\)\|/g, "\\|");
