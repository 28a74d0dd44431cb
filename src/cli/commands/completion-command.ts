// `zabtree completion`: scripts for bash, zsh and fish, made from the commands and options themselves.

import type { Command } from 'commander';

interface Completed {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
}

export function completionScript(shell: 'bash' | 'zsh' | 'fish', program: Command): string {
  const commands = completedCommands(program);
  if (shell === 'bash') return bashScript(commands);
  return shell === 'zsh' ? zshScript(commands) : fishScript(commands);
}

function completedCommands(program: Command): Completed[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .map((command) => ({
      name: command.name(),
      description: command.description(),
      options: command.options.flatMap(({ long, description, hidden }) =>
        long === undefined || long === null || hidden ? [] : [{ flag: long, description }],
      ),
    }));
}

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words='${options.map(({ flag }) => flag).join(' ')} --help' ;;`,
  );
  return `# Completion for bash: source <(zabtree completion bash)
_zabtree() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    --config|--cluster-key-file|--data-dir) COMPREPLY=($(compgen -f -- "$current")); return ;;
    -o|--output) COMPREPLY=($(compgen -W 'text json' -- "$current")); return ;;
  esac
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _zabtree zabtree
`;
}

function zshScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name, description }) => `    '${name}:${quoted(description)}'`);
  const cases = commands.map(({ name, options }) => {
    const specifications = options.map(({ flag, description }) => `'${flag}[${quoted(description)}]'`);
    return `    ${name}) _arguments ${specifications.join(' ')} '*:file:_files' ;;`;
  });
  return `#compdef zabtree
# Completion for zsh: source <(zabtree completion zsh)
_zabtree() {
  local -a commands=(
${names.join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
compdef _zabtree zabtree
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c zabtree -n __fish_use_subcommand -f -a ${name} -d '${quoted(description)}'`,
    ...options.map(
      (option) =>
        `complete -c zabtree -n '__fish_seen_subcommand_from ${name}' -l ${option.flag.slice(2)} -d '${quoted(option.description)}'`,
    ),
  ]);
  return `# Completion for fish: zabtree completion fish | source\n${lines.join('\n')}\n`;
}

/** Safe inside single quotes and inside zsh's brackets and colons. */
function quoted(text: string): string {
  return text.replace(/[':[\]\\]/g, ' ').replace(/ +/g, ' ');
}
