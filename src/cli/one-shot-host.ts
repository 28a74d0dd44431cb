// Commands that work with a context, on the command line: each makes a connection of its own by its options.

import type { CommandHost } from './command-context.js';
import { type ConnectionFlags, type OutputFlags, requestCommand, withClient } from './connection-options.js';
import { note } from './output.js';

export const oneShotHost: CommandHost = {
  command: requestCommand,
  run: async (given, work) => {
    const flags = given as ConnectionFlags & OutputFlags;
    await withClient(flags, (client) =>
      work({ client, output: flags.output, tell: note, askNewPassword: newPasswordFromInput }),
    );
  },
};

async function newPasswordFromInput(user: string): Promise<string> {
  const [{ LineReader }, { askNewPassword }] = await Promise.all([
    import('./repl/line-reader.js'),
    import('./new-password.js'),
  ]);
  const reader: import('./repl/line-reader.js').LineReader = new LineReader({
    input: process.stdin,
    output: process.stderr,
    complete: () => [],
    onInterrupt: () => reader.close(),
  });
  try {
    return await askNewPassword(reader, user);
  } finally {
    reader.close();
  }
}
