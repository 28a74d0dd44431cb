// `zabtree completion`: scripts for bash, zsh and fish, made from the commands, options and choices themselves, so that
// nothing that exists can be missing.

import type { Command, Option } from 'commander';

interface CompletedOption {
  readonly short: string | undefined;
  readonly long: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

interface Completed {
  /** Words that lead to the command: none for the program itself, `config print` has two. */
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly subcommands: readonly Completed[];
  /** What its argument may be, where that is known. */
  readonly choices: readonly string[];
}

/** Their values are names of files or directories. */
const fileOptions = ['--config', '--cluster-key-file', '--data-dir'];

export function completionScript(shell: 'bash' | 'zsh' | 'fish', program: Command): string {
  const root = completed(program, []);
  if (shell === 'bash') return bashScript(root);
  return shell === 'zsh' ? zshScript(root) : fishScript(root);
}

function completed(command: Command, words: readonly string[]): Completed {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command).map((child) => completed(child, [...words, child.name()]));
  const names = subcommands.map(nameOf).filter((name) => name !== 'help');
  return {
    words,
    description: command.description(),
    options: help.visibleOptions(command).map(completedOption),
    // `help` is commander's own; it takes the name of one of its sisters.
    subcommands: subcommands.map((child) => (nameOf(child) === 'help' ? { ...child, choices: names } : child)),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
}

function completedOption(option: Option): CompletedOption {
  return {
    short: option.short ?? undefined,
    long: option.long ?? undefined,
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}

function nameOf({ words }: Completed): string {
  return words.at(-1) ?? '';
}

function flagsOf({ short, long }: CompletedOption): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function isFileOption({ long }: CompletedOption): boolean {
  return long !== undefined && fileOptions.includes(long);
}

/** The command and all below it, the deepest first: in a `case` the longer words have to be tried first. */
function family(command: Completed): Completed[] {
  return [...command.subcommands.flatMap(family), command];
}

/** Pattern of a shell's `case` for the words typed so far. */
function casePattern({ words }: Completed): string {
  const path = words.join(' ');
  return words.length === 0 ? `''` : `'${path}'|'${path} '*`;
}

function bashScript(root: Completed): string {
  const cases = family(root).map((command) => {
    const words = [
      ...command.subcommands.map(nameOf),
      ...command.choices,
      ...command.options.flatMap((option) => flagsOf(option)),
    ];
    return `    ${casePattern(command)}) words='${words.join(' ')}' ;;`;
  });
  const values = optionsWithValues(root).map(({ flags, choices }) => {
    return `    ${flags.join('|')}) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current")); return ;;`;
  });
  return `# Completion for bash: source <(zabtree completion bash)
_zabtree() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} typed='' words=''
  case $previous in
    ${fileOptions.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
${values.join('\n')}
  esac
  ((COMP_CWORD > 1)) && typed=\${COMP_WORDS[1]}
  ((COMP_CWORD > 2)) && typed="$typed \${COMP_WORDS[2]}"
  case $typed in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _zabtree zabtree
`;
}

/** Options with a closed set of values, each once, with the values that it has in any command. */
function optionsWithValues(root: Completed): { readonly flags: string[]; readonly choices: readonly string[] }[] {
  const found = new Map<string, { readonly flags: string[]; readonly choices: Set<string> }>();
  for (const option of family(root).flatMap(({ options }) => options)) {
    if (option.choices.length === 0) continue;
    const flags = flagsOf(option);
    const known = found.get(flags.join('|')) ?? { flags, choices: new Set<string>() };
    for (const choice of option.choices) known.choices.add(choice);
    found.set(flags.join('|'), known);
  }
  return [...found.values()].map(({ flags, choices }) => ({ flags, choices: [...choices] }));
}

function zshScript(root: Completed): string {
  const cases = family(root).map((command) => {
    const depth = command.words.length;
    const described = command.subcommands.map((child) => `'${nameOf(child)}:${quoted(child.description)}'`);
    const position = command.choices.length > 0 ? `'1:argument:(${command.choices.join(' ')})'` : `'*:file:_files'`;
    const listing = `local -a names=(${described.join(' ')}); _describe command names; `;
    const moving = depth === 0 ? '' : `shift ${depth} words; ((CURRENT -= ${depth})); `;
    const specifications = [...command.options.flatMap(zshOption), ...(described.length > 0 ? [] : [position])];
    return `    ${casePattern(command)}) ${described.length > 0 ? listing : ''}${moving}_arguments ${specifications.join(' ')} ;;`;
  });
  return `#compdef zabtree
# Completion for zsh: source <(zabtree completion zsh)
_zabtree() {
  local typed=''
  ((CURRENT > 2)) && typed=$words[2]
  ((CURRENT > 3)) && typed="$words[2] $words[3]"
  case $typed in
${cases.join('\n')}
  esac
}
compdef _zabtree zabtree
`;
}

function zshOption(option: CompletedOption): string[] {
  const values = option.choices.length > 0 ? `(${option.choices.join(' ')})` : isFileOption(option) ? '_files' : ' ';
  const value = option.takesValue ? `:value:${values}` : '';
  return flagsOf(option).map((flag) => `'${flag}[${quoted(option.description)}]${value}'`);
}

function fishScript(root: Completed): string {
  const lines = family(root).flatMap((command) => {
    const start = `complete -c zabtree -n '${fishCondition(command)}'`;
    return [
      ...command.subcommands.map((child) => `${start} -f -a ${nameOf(child)} -d '${quoted(child.description)}'`),
      ...(command.choices.length > 0 ? [`${start} -f -a '${command.choices.join(' ')}'`] : []),
      ...command.options.map((option) => `${start}${fishOption(option)} -d '${quoted(option.description)}'`),
    ];
  });
  return `# Completion for fish: zabtree completion fish | source\n${lines.join('\n')}\n`;
}

/** All words of the command were typed and none of those that lead further. */
function fishCondition({ words, subcommands }: Completed): string {
  if (words.length === 0) return '__fish_use_subcommand';
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const further = subcommands.map(nameOf).join(' ');
  return [...seen, ...(further === '' ? [] : [`not __fish_seen_subcommand_from ${further}`])].join('; and ');
}

function fishOption(option: CompletedOption): string {
  const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
  const long = option.long === undefined ? '' : ` -l ${option.long.slice(2)}`;
  if (!option.takesValue) return `${short}${long}`;
  if (option.choices.length > 0) return `${short}${long} -x -a '${option.choices.join(' ')}'`;
  return `${short}${long} ${isFileOption(option) ? '-r' : '-x'}`;
}

/** Safe inside single quotes and inside zsh's brackets and colons. */
function quoted(text: string): string {
  return text.replace(/[':[\]\\]/g, ' ').replace(/ +/g, ' ');
}
