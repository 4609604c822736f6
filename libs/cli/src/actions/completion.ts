import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

/** Each passes the words on as they are, and never to a shell again. A line is a candidate, a tab and its description. */
const SCRIPTS = {
  bash: String.raw`_drydock() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in :* | '') ;; *) COMPREPLY+=("\${line%%$'\t'*}") ;; esac
  done < <(drydock complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _drydock drydock
`,
  zsh: String.raw`#compdef drydock
_drydock() {
  local line
  local -a found
  while IFS= read -r line; do
    [[ -z $line || $line == :* ]] || found+=("\${\${line%%$'\t'*}//:/\:}:\${line#*$'\t'}")
  done < <(drydock complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#found )); then _describe drydock found; else _files; fi
}
if [[ $funcstack[1] == _drydock ]]; then _drydock "$@"; else compdef _drydock drydock; fi
`,
  fish: `function __drydock_complete
  set -l words (commandline -opc) (commandline -ct)
  drydock complete -- $words[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c drydock -a '(__drydock_complete)'
`,
};

export async function completion(context: Context, shell: keyof typeof SCRIPTS): Promise<number> {
  // Templates keep the backslash before a $.
  await context.output.print(SCRIPTS[shell].replaceAll('\\$', '$'));
  return EXIT.ok;
}
