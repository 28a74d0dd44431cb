// `zabtree client`: gometa's dialogue, one prompt a line, and what a person expects beside it. Reads a terminal or a pipe.

import type { ConnectionEvent } from '../../client/peer-rotation.js';
import { ZabtreeClient } from '../../client/zabtree-client.js';
import { type ConnectionFlags, targetOf, withUserHint } from '../connection-options.js';
import { errorText } from '../exit-codes.js';
import { LineReader } from './line-reader.js';
import { isExit, isHelp, ReplCommands } from './repl-commands.js';

const selectPrompt = 'Select Host (number)';
const commandPrompt = 'Enter command(Add, Set, Delete, Get)';

/** Runs until `exit` or the end of the input. */
export async function runRepl(flags: ConnectionFlags): Promise<void> {
  const target = await targetOf(flags);
  const { peers } = target;
  const reader: LineReader = new LineReader({
    input: process.stdin,
    output: process.stdout,
    complete: (line) => commands?.completions(line) ?? [],
    onInterrupt: () => {
      if (commands?.interrupt() !== true) reader.close();
    },
  });
  let commands: ReplCommands | undefined;
  try {
    const notices = new ConnectionNotices((text) => commands?.notice(text));
    const client = new ZabtreeClient({
      ...target,
      timeoutMs: flags.timeout,
      onConnection: (event) => notices.tell(event),
    });
    try {
      const known = new ReplCommands({ client, target, reader, timeoutMs: flags.timeout });
      const selected = await selectHost(reader, peers, known.helpText);
      if (selected === undefined) return;
      client.usePeer(selected);
      commands = known;
      if (reader.isTerminal) print('Type help for more commands, exit to leave.');
      await converse(reader, known, target.credentials === undefined ? withUserHint : (error) => error);
    } finally {
      client.close();
    }
  } finally {
    reader.close();
  }
}

async function selectHost(reader: LineReader, peers: readonly string[], helpText: string): Promise<number | undefined> {
  const expected = `a number in 0..${peers.length - 1}`;
  for (const [index, peer] of peers.entries()) print(`\t${index} - ${peer}`);
  for (;;) {
    try {
      const line = await reader.ask(selectPrompt);
      if (line === undefined || isExit(line)) return undefined;
      if (isHelp(line)) {
        print(`${helpText}\nFirst choose whom to talk to: ${expected}.`);
        continue;
      }
      const selected = Number(line.trim());
      if (line.trim() !== '' && Number.isInteger(selected) && selected >= 0 && selected < peers.length) return selected;
      print(`Error : Invalid argument: expected ${expected}, help or exit`);
    } catch (error) {
      print(`Error : ${errorText(error)}`);
    }
  }
}

async function converse(
  reader: LineReader,
  commands: ReplCommands,
  explained: (error: unknown) => unknown,
): Promise<void> {
  for (;;) {
    try {
      const line = await reader.ask(commandPrompt);
      if (line === undefined || isExit(line)) return;
      if (line.trim() === '') continue;
      await commands.run(line);
    } catch (error) {
      print(`Error : ${errorText(explained(error))}`);
    }
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Says once that a connection is gone and once that another is there, however many attempts lie between. */
class ConnectionNotices {
  readonly #print: (text: string) => void;
  #lost = false;

  constructor(printLine: (text: string) => void) {
    this.#print = printLine;
  }

  tell(event: ConnectionEvent): void {
    if (event.type === 'connected') {
      if (this.#lost) this.#print(`Connected to ${event.peer}`);
      this.#lost = false;
    } else if (!this.#lost) {
      this.#lost = true;
      const what = event.type === 'lost' ? 'Lost the connection to' : 'Cannot reach';
      this.#print(`${what} ${event.peer} (${event.reason}), trying the next peer`);
    }
  }
}
