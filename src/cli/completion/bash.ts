/** Completion for bash, from 3.2 on. */
import { type CommandWords, stepArms, valueArms } from "./words.ts";

/** Bash hands over words that are cut at `:` and `=`; the line itself is read instead, and what it has cut off is not repeated. */
export function bashScript(commands: readonly CommandWords[]): string {
  const values = valueArms(commands, (list) => (list.length > 0 ? `words="${list.join(" ")}"` : "paths=1"));
  const words = commands.map(({ path, commands: below, options, values: own }) => {
    const all = [...below.map(({ name }) => name), ...own, ...options.flatMap(({ names }) => names)];
    return `      "${path}") words="${all.join(" ")}" ;;`;
  });
  return `# Completion of flava for bash. Put into ~/.bashrc: eval "$(flava completion bash)"
_flava() {
  local line="\${COMP_LINE:0:COMP_POINT}" at="" words="" paths="" cur prev i
  local -a typed
  read -ra typed <<< "$line"
  [[ "$line" == *[[:space:]] ]] && typed+=("")
  cur="\${typed[\${#typed[@]}-1]}"
  prev="\${typed[\${#typed[@]}-2]}"
  for ((i = 1; i < \${#typed[@]} - 1; i++)); do
    case "$at/\${typed[i]}" in
${stepArms(commands).join("\n")}
    esac
  done
  if [[ "$cur" == --*=* ]]; then
    prev="\${cur%%=*}"
    cur="\${cur#*=}"
  fi
  case "$at/$prev" in
${values.join("\n")}
  esac
  if [[ -z "$words$paths" ]]; then
    case "$at" in
${words.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ "$cur" == *:* ]]; then
    local cut="\${cur%"\${cur##*:}"}"
    COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
  fi
}
complete -o bashdefault -o default -F _flava flava
`;
}
