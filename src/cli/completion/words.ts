/** What can be typed after `flava`, read from the commands themselves. */
import type { Argument, Command, Option } from "commander";

/** An option of a command, and what may follow it. */
export interface OptionWords {
  /** `--sheet`, and `-s` where there is a short form. */
  readonly names: readonly string[];
  readonly about: string;
  /** Undefined for a switch; empty where any value, such as a path, may follow. */
  readonly values: readonly string[] | undefined;
}

/** A command at the end of `path`: "" is the program, "data build" a command of a command. */
export interface CommandWords {
  readonly path: string;
  readonly about: string;
  /** Of its own, of the commands above it, and `--help`. */
  readonly options: readonly OptionWords[];
  /** What its arguments may be where that is a list; paths else. */
  readonly values: readonly string[];
  readonly commands: readonly { readonly name: string; readonly about: string }[];
}

/** Every command below `program`, itself first. Hidden ones are left out. */
export function commandWords(program: Command): CommandWords[] {
  const walk = (command: Command, path: string, above: readonly OptionWords[]): CommandWords[] => {
    const helper = command.createHelp();
    const visible = helper.visibleCommands(command).filter((each) => each.name() !== "help");
    const options = [...helper.visibleOptions(command).map(optionWords), ...above];
    const own: CommandWords = {
      path,
      about: aboutOf(command),
      options,
      values: command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []),
      commands: visible.map((each) => ({ name: each.name(), about: aboutOf(each) })),
    };
    const inherited = options.filter(({ names }) => !names.includes("--help") && !names.includes("--version"));
    return [own, ...visible.flatMap((each) => walk(each, `${path} ${each.name()}`.trim(), inherited))];
  };
  return walk(program, "", []);
}

const aboutOf = (command: Command): string => firstSentence(command.summary() || command.description());

const optionWords = (option: Option): OptionWords => ({
  names: [option.long, option.short].filter((name) => name !== undefined && name !== null),
  about: firstSentence(option.description),
  values: option.required || option.optional ? (option.argChoices ?? []) : undefined,
});

/** Short, and without what any shell reads as its own. */
const firstSentence = (text: string): string =>
  text
    .split(/[.:;](?:\s|$)/)[0]!
    .replace(/[`'"\\$[\]]/g, "")
    .replace(/\s+/g, " ")
    .trim();

/** Arms of `case "$at/$word"` in bash and zsh: which command a word leads to. */
export const stepArms = (commands: readonly CommandWords[]): string[] =>
  commands.flatMap(({ path, commands: below }) =>
    below.map(({ name }) => `      "${path}/${name}") at="${`${path} ${name}`.trim()}" ;;`),
  );

/** Arms of `case "$at/$previous"` in bash and zsh: what completes the value of an option; without values to choose from any path does. */
export const valueArms = (
  commands: readonly CommandWords[],
  complete: (values: readonly string[]) => string,
): string[] =>
  commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, values }) => {
      if (values === undefined) return [];
      const patterns = names.map((name) => `"${path}/${name}"`).join("|");
      return [`    ${patterns}) ${complete(values)} ;;`];
    }),
  );
