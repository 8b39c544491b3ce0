/** Completion for zsh, with descriptions. */
import { type CommandWords, stepArms, valueArms } from "./words.ts";

const described = (name: string, about: string): string => `'${name.replaceAll(":", "\\:")}:${about}'`;

/** Commands, options and their values with what they are for. */
export function zshScript(commands: readonly CommandWords[]): string {
  const quoted = (list: readonly string[]): string => list.map((value) => `'${value}'`).join(" ");
  const values = valueArms(commands, (list) => `${list.length > 0 ? `compadd -- ${quoted(list)}` : "_files"}; return`);
  const words = commands.map(({ path, commands: below, options, values: own }) => {
    const names = [...below.map(({ name, about }) => described(name, about)), ...own.map((value) => `'${value}'`)];
    const flags = options.flatMap(({ names, about }) => names.map((name) => described(name, about)));
    return `    "${path}") names=(${names.join(" ")}); flags=(${flags.join(" ")}) ;;`;
  });
  return `#compdef flava
# Completion of flava for zsh. Put into ~/.zshrc, behind compinit: eval "$(flava completion zsh)"
_flava() {
  local at="" word
  local -a names flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
${stepArms(commands).join("\n")}
    esac
  done
  local prev="\${words[CURRENT-1]}"
  if [[ "\${words[CURRENT]}" == --*=* ]]; then
    prev="\${words[CURRENT]%%=*}"
    compset -P '*='
  fi
  case "$at/$prev" in
${values.join("\n")}
  esac
  case "$at" in
${words.join("\n")}
  esac
  (( \${#names} )) && _describe -t commands 'flava' names
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -t options 'option' flags
  elif (( ! \${#names} )); then
    _files
  fi
}
if [ "$funcstack[1]" = "_flava" ]; then
  _flava "$@"
else
  compdef _flava flava
fi
`;
}
