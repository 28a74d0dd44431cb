// The command line: names, options and help of every command, and how each ends. What a command does is imported when it
// runs, so that a small command starts fast.

import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { ConfigError } from '../config/config-error.js';
import { type FlagValues, settings } from '../config/config-settings.js';
import { withoutCredentials } from '../shared/address.js';
import { StoreError } from '../shared/errors.js';
import { registerAccess } from './access-registration.js';
import {
  appendPeer,
  type ConnectionFlags,
  connectionOptions,
  leaseId,
  type OutputFlags,
  outputOption,
  requestCommand,
  timeoutOption,
  wholeNumber,
} from './connection-options.js';
import { errorText, exitCodeOf, exitCodes } from './exit-codes.js';
import { registerCompact, registerLeases } from './lease-registration.js';
import { maskedArguments } from './masked-arguments.js';
import { oneShotHost } from './one-shot-host.js';

type RebuildOptions = Record<string, string | boolean | undefined> & {
  readonly peer?: readonly string[];
  readonly timeout: number;
  readonly yes?: boolean;
  readonly discard?: boolean;
};

/** Every command with subcommands has it. */
const helpWord = 'help';

/** Runs one command line (without node and script) and sets process.exitCode. */
export async function runCli(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endedByReader);
  try {
    const program = createProgram();
    await registerRest(program, args);
    await program.parseAsync(withHelpOption(program, args), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
      return;
    }
    process.exitCode = exitCodeOf(error);
    const expected = error instanceof StoreError || error instanceof ConfigError;
    process.stderr.write(`zabtree: ${expected || !debugging() ? errorText(error) : String((error as Error).stack)}\n`);
  }
}

/** Commander's own word for help knows one level of commands alone, and prints all help when there is no such command. */
function withHelpOption(program: Command, args: readonly string[]): readonly string[] {
  let command = program;
  for (const [index, word] of args.entries()) {
    if (word === helpWord && command.commands.length > 0) return helpOf(command, args, index);
    const child = command.commands.find((one) => one.name() === word);
    if (child === undefined) return args;
    command = child;
  }
  return args;
}

/** `at`: where the word stands. Throws ConfigError. */
function helpOf(parent: Command, args: readonly string[], at: number): readonly string[] {
  const topics = args.slice(at + 1);
  let command = parent;
  for (const [index, topic] of topics.entries()) {
    if (topic.startsWith('-') || topic === helpWord) return args;
    const child = command.commands.find((one) => one.name() === topic);
    if (child === undefined) {
      if (command.commands.length === 0) throw noSubcommand(command, topic);
      // Without the word for help it is an unknown command, and commander says so.
      return [...args.slice(0, at), ...topics.slice(0, index + 1)];
    }
    command = child;
  }
  return topics.length === 0 ? args : [...args.slice(0, at), ...topics, '--help'];
}

function noSubcommand(command: Command, topic: string): ConfigError {
  return new ConfigError(`Cannot help with "${withoutCredentials(topic)}": ${command.name()} has no subcommands`);
}

/** `zabtree list | head`: a reader that has enough is no failure. */
function endedByReader(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed);
}

function debugging(): boolean {
  return process.env['ZABTREE_DEBUG'] !== undefined;
}

function createProgram(): Command {
  const program = new Command('zabtree')
    .description('A replicated key-value store: an ensemble of servers, and its client.')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(zabtree help shows the commands)')
    .configureOutput({ outputError: (complaint, writeError) => writeError(maskedArguments(complaint)) })
    .exitOverride();
  registerServer(program);
  registerClient(program);
  registerWrites(program);
  registerReads(program);
  registerLeases(program, oneShotHost, { endless: true });
  registerAccess(program, oneShotHost);
  registerCompact(program, oneShotHost);
  registerAdministration(program);
  return program;
}

/** Every command that there is. */
export async function createWholeProgram(): Promise<Command> {
  const program = createProgram();
  await registerHeavy(program);
  return program;
}

/** Commands that bring much code with them are there when they are called, or when all commands are to be seen. */
async function registerRest(program: Command, args: readonly string[]): Promise<void> {
  const [word = ''] = args;
  if (word !== 'completion' && program.commands.some((command) => command.name() === word)) return;
  await registerHeavy(program);
}

async function registerHeavy(program: Command): Promise<void> {
  const [{ registerBench }, { registerDemo }, { registerSimulate }] = await Promise.all([
    import('./bench/bench-command.js'),
    import('./demo/demo-command.js'),
    import('./simulate-command.js'),
  ]);
  registerBench(program);
  registerDemo(program);
  registerSimulate(program);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version: unknown }).version);
}

function registerServer(program: Command): void {
  const command = program
    .command('server')
    .description('run one member of an ensemble in the foreground')
    .option('--config <file>', 'the configuration file (default: one node on 127.0.0.1:5001, 5002 and 5003)');
  settingOptions(command).action(async (options: Record<string, string | boolean | undefined>) => {
    const { runServer } = await import('./commands/server-command.js');
    await runServer(configFile(options), flagValues(options));
  });
  const rebuild = program
    .command('rebuild')
    .description("put a stopped member's damaged data aside, so that it starts blank and is filled by the others")
    .option('--config <file>', "the member's configuration file, as given to its server")
    .option(
      '--peer <address>',
      'HOST:PORT where another member takes clients, if it cannot be asked; repeatable',
      appendPeer,
    )
    .addOption(timeoutOption())
    .option('--yes', 'do not ask')
    .option('--discard', 'remove the old data instead of putting it aside');
  settingOptions(rebuild).action(async (options: RebuildOptions) => {
    const { runRebuild } = await import('./commands/rebuild-command.js');
    const { peer, timeout, yes, discard, ...settings } = options;
    const action = { peers: peer ?? [], timeoutMs: timeout, yes: yes === true, discard: discard === true };
    await runRebuild(configFile(settings), flagValues(settings), action);
  });
  registerSnapshot(program);
  const config = program.command('config').description('look at a configuration');
  const print = config
    .command('print')
    .description("check a server's configuration and print it")
    .option('--config <file>', 'the file')
    .option('--effective', 'with defaults, environment and flags, as a server would use it');
  settingOptions(print).action(async (options: Record<string, string | boolean | undefined>) => {
    const { runConfigPrint } = await import('./commands/config-command.js');
    await runConfigPrint(configFile(options), options['effective'] === true, flagValues(options));
  });
  config
    .command('from-etcd')
    .description('print the configuration file that stands for flags of bin/etcd and ETCD_… in the environment')
    .usage('-- [flags...]')
    .argument('[flags...]', 'as given to bin/etcd')
    .action(async (flags: readonly string[]) => {
      const { runConfigFromEtcd } = await import('./commands/config-command.js');
      await runConfigFromEtcd(flags);
    });
}

function registerSnapshot(program: Command): void {
  const snapshot = program
    .command('snapshot')
    .description("snapshots in etcd's format, which etcdctl makes and reads, too");
  const restore = snapshot
    .command('restore')
    .description("make a new ensemble's data directory from a snapshot; run it for every member, with the same file")
    .addArgument(new Argument('<file>', 'a snapshot that zabtree or etcd has made'))
    .option('--config <file>', "the member's configuration file, as given to its server")
    .option('--skip-hash-check', "take a file without a checksum, such as a stopped etcd's member/snap/db");
  settingOptions(restore).action(async (file: string, options: Record<string, string | boolean | undefined>) => {
    const { runRestore } = await import('./commands/restore-command.js');
    const { skipHashCheck, ...settings } = options;
    await runRestore(configFile(settings), flagValues(settings), { file, skipChecksum: skipHashCheck === true });
  });
  registerSnapshotSave(snapshot);
  registerSnapshotStatus(snapshot);
}

function registerSnapshotSave(snapshot: Command): void {
  requestCommand(snapshot, 'save', 'write what one node has applied to a file, a snapshot as of etcd')
    .addArgument(new Argument('<file>', 'where it goes; one that is there is replaced'))
    .action(async (file: string, flags: ConnectionFlags & OutputFlags) => {
      const { runSnapshotSave } = await import('./commands/snapshot-save-command.js');
      await runSnapshotSave(file, flags);
    });
}

function registerSnapshotStatus(snapshot: Command): void {
  outputOption(
    snapshot
      .command('status')
      .description('print hash, revision, number of rows and size of a snapshot, as etcdctl does')
      .addArgument(new Argument('<file>', 'a snapshot that zabtree or etcd has made')),
  ).action(async (file: string, { output }: OutputFlags) => {
    const { runSnapshotStatus } = await import('./commands/snapshot-status-command.js');
    await runSnapshotStatus(file, output);
  });
}

function settingOptions(command: Command): Command {
  for (const { flag, kind, description } of settings) {
    if (flag === undefined) continue;
    command.addOption(new Option(kind === 'boolean' ? `--${flag}` : `--${flag} <value>`, description));
  }
  return command;
}

function configFile(options: Readonly<Record<string, string | boolean | undefined>>): string | undefined {
  const file = options['config'] ?? process.env['ZABTREE_CONFIG'];
  return typeof file === 'string' && file !== '' ? file : undefined;
}

/** Commander names options in camel case; settings go by their flag. */
function flagValues(options: Readonly<Record<string, string | boolean | undefined>>): FlagValues {
  return Object.fromEntries(
    settings.flatMap(({ flag }) => {
      if (flag === undefined) return [];
      const name = flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      return [[flag, options[name]]];
    }),
  );
}

function registerClient(program: Command): void {
  connectionOptions(program.command('client').description('talk to an ensemble interactively')).action(
    async (flags) => {
      const { runRepl } = await import('./repl/repl.js');
      await runRepl(flags);
    },
  );
}

function registerWrites(program: Command): void {
  const key = new Argument('<key>', 'the key');
  const value = new Argument('<value>', 'the value, or - for standard input');
  const expected = new Option(
    '--expected-revision <n>',
    "only if this is the key's mod revision (set: 0 = only if it is absent)",
  ).argParser(wholeNumber(0));
  const lease = (): Option =>
    new Option('--lease <id>', 'the lease that holds the key, in hexadecimal (default: none)').argParser(leaseId);

  requestCommand(program, 'add', 'create a key; exits 4 when it exists')
    .addArgument(key)
    .addArgument(value)
    .addOption(lease())
    .action(async (name, text, flags) => (await import('./commands/key-commands.js')).runAdd(name, text, flags));
  requestCommand(program, 'set', 'create or overwrite a key')
    .addArgument(key)
    .addArgument(value)
    .addOption(expected)
    .addOption(lease())
    .action(async (name, text, flags) => (await import('./commands/key-commands.js')).runSet(name, text, flags));
  requestCommand(program, 'delete', 'delete a key; exits 3 when it is not there')
    .addArgument(key)
    .addOption(expected)
    .action(async (name, flags) => (await import('./commands/key-commands.js')).runDelete(name, flags));
  requestCommand(program, 'txn', "compare, and do one thing or another, at once: a transaction in etcdctl's words")
    .option('-i, --interactive', 'ask for its parts, as always at a terminal')
    .action(async (flags) => (await import('./commands/txn-command.js')).runTxn(flags));
  requestCommand(program, 'broadcast', 'tell everybody who listens now; nothing is stored')
    .argument('<payload>', 'the message, or - for standard input')
    .action(async (text, flags) => (await import('./commands/key-commands.js')).runBroadcast(text, flags));
}

function registerReads(program: Command): void {
  requestCommand(program, 'get', 'print the value of a key; exits 3 when it is not there')
    .argument('<key>', 'the key')
    .option('--local', "the connected node's own state, without asking the others")
    .action(async (name, flags) => (await import('./commands/key-commands.js')).runGet(name, flags));
  requestCommand(program, 'list', 'print keys and values in order')
    .option('--prefix <text>', 'keys that start with this')
    .addOption(new Option('--from <key>', 'from this key on').conflicts('prefix'))
    .addOption(new Option('--to <key>', 'up to this key, exclusive').conflicts('prefix'))
    .option('--limit <n>', 'at most so many', wholeNumber(1))
    .option('--revision <n>', 'as it was at this revision', wholeNumber(1))
    .option('--keys-only', 'without values')
    .option('--local', "the connected node's own state, without asking the others")
    .action(async (flags) => (await import('./commands/list-command.js')).runList(flags));
  requestCommand(program, 'watch', 'print changes as they come')
    .addArgument(new Argument('[key]', 'this key alone (default: all keys)'))
    .option('--prefix <text>', 'keys that start with this')
    .option('--from-revision <n>', 'begin with the changes of this revision', wholeNumber(1))
    .addOption(new Option('--initial', 'first print what is there').conflicts('fromRevision'))
    .option('--broadcasts', 'print broadcast messages too')
    .option('--count <n>', 'stop after so many lines', wholeNumber(1))
    .action(async (name, flags) => (await import('./commands/watch-command.js')).runWatch(name, flags));
}

function registerAdministration(program: Command): void {
  requestCommand(program, 'status', 'print the state of every member').action(async (flags) =>
    (await import('./commands/status-command.js')).runStatus(flags),
  );
  requestCommand(program, 'digest', "print a hash of one node's data")
    .option('--all', 'compare all nodes at one checkpoint; exits 1 when they differ')
    .action(async (flags) => (await import('./commands/digest-command.js')).runDigest(flags));
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { completionScript } = await import('./commands/completion-command.js');
      process.stdout.write(completionScript(shell, program));
    });
}
