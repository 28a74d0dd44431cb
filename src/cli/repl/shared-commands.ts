// In the interactive client the commands that it shares with the command line: the same words and options, on the
// connection that is there.

import { Command, CommanderError } from 'commander';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import { StoreError } from '../../shared/errors.js';
import { registerAccess } from '../access-registration.js';
import type { CommandHost } from '../command-context.js';
import { registerCompact, registerLeases } from '../lease-registration.js';
import { askNewPassword } from '../new-password.js';
import type { LineReader } from './line-reader.js';

export class SharedCommands {
  readonly #host: CommandHost;
  /** Names and meanings, in the order of the help. */
  readonly commands: readonly { readonly name: string; readonly usage: string; readonly meaning: string }[];

  constructor(client: ZabtreeClient, reader: LineReader) {
    this.#host = {
      command: (parent, name, description) => parent.command(name).description(description),
      run: (_, work) =>
        work({
          client,
          output: 'text',
          tell: (text) => process.stdout.write(`OK, ${text}\n`),
          askNewPassword: (user) => askNewPassword(reader, user),
        }),
    };
    this.commands = this.#program().commands.map((command) => ({
      name: command.name(),
      usage: usageOf(command),
      meaning: command.description(),
    }));
  }

  /** The words that may follow this command's name. */
  subcommands(name: string): readonly string[] {
    const command = this.#program().commands.find((one) => one.name() === name.toLowerCase());
    return command === undefined ? [] : command.commands.map((child) => child.name());
  }

  async run(name: string, words: readonly string[]): Promise<void> {
    let complaint = '';
    const program = this.#program();
    for (const command of withChildren(program)) {
      command.exitOverride().configureOutput({
        writeErr: (text) => {
          complaint += text;
        },
      });
    }
    try {
      await program.parseAsync([name, ...words], { from: 'user' });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      // Help was asked for, and printed.
      if (error.exitCode === 0) return;
      const known = this.subcommands(name);
      const [subcommand = ''] = words;
      const path = known.includes(subcommand) ? `${name} ${subcommand}` : name;
      throw new StoreError('INVALID_ARGUMENT', `Cannot run ${path}: ${problemOf(complaint, error, known)}`);
    }
  }

  /** Anew for each line: a command keeps what was parsed. */
  #program(): Command {
    const program = new Command('zabtree').helpCommand(false);
    registerLeases(program, this.#host, { endless: false });
    registerCompact(program, this.#host);
    registerAccess(program, this.#host);
    return program;
  }
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

function usageOf(command: Command): string {
  const children = command.commands.map((child) => child.name());
  return children.length > 0
    ? children.join('|')
    : command.registeredArguments.map((one) => `<${one.name()}>`).join(' ');
}

/** Without a subcommand commander prints the whole help, and with an unknown one it names none: both get the list. */
function problemOf(complaint: string, { code }: CommanderError, subcommands: readonly string[]): string {
  const expected = `expected ${subcommands.join(', ')}`;
  if (code === 'commander.help') return expected;
  const problem = complaint.trim().replace(/^error: /, '');
  return code === 'commander.unknownCommand' ? `${problem.replace(/\n.*/s, '')}, ${expected}` : problem;
}
