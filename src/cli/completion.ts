/** `flava completion SHELL`: a script that makes a shell complete commands, options and their values. */
import { Argument, type Command } from "commander";
import { action } from "./command.ts";

const EXAMPLE = `
Examples:
  eval "$(flava completion bash)"        in ~/.bashrc
  eval "$(flava completion zsh)"         in ~/.zshrc, behind compinit
  flava completion fish | source         in ~/.config/fish/config.fish`;

export function define(program: Command): void {
  program
    .command("completion")
    .summary("a script that completes commands and options in your shell")
    .description("Prints a script for a shell that completes flava's commands, options and their values.")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", EXAMPLE)
    .action(
      action<object>(async (io, [shell]) => {
        const { commandWords } = await import("./completion/words.ts");
        const { bashScript } = await import("./completion/bash.ts");
        const { fishScript } = await import("./completion/fish.ts");
        const { zshScript } = await import("./completion/zsh.ts");
        const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell as "bash" | "zsh" | "fish"];
        const script = write(commandWords(program));
        io.result(script.trimEnd(), { shell, script });
      }),
    );
}
