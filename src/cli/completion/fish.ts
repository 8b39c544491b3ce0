/** Completion for fish, with descriptions. */
import type { CommandWords, OptionWords } from "./words.ts";

/** Commands, options and their values with what they are for. */
export function fishScript(commands: readonly CommandWords[]): string {
  const steps = commands.flatMap(({ path, commands: below }) =>
    below.map(({ name }) => `            case '${path}/${name}'\n                set at '${`${path} ${name}`.trim()}'`),
  );
  const lines = commands.flatMap(({ path, commands: below, options, values }) => {
    const here = `complete -c flava -n 'test "$(__flava_at)" = "${path}"'`;
    return [
      ...below.map(({ name, about }) => `${here} -f -a ${name} -d '${about}'`),
      ...(values.length > 0 ? [`${here} -f -a '${values.join(" ")}'`] : []),
      ...options.map((option) => `${here} ${fishOption(option)}`),
    ];
  });
  return `# Completion of flava for fish. Put into ~/.config/fish/config.fish: flava completion fish | source
function __flava_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
${steps.join("\n")}
        end
    end
    echo $at
end
${lines.join("\n")}
`;
}

function fishOption({ names, about, values }: OptionWords): string {
  const flags = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(" ");
  const takes = values === undefined ? "" : values.length > 0 ? ` -x -a '${values.join(" ")}'` : " -r";
  return `${flags}${takes} -d '${about}'`;
}
