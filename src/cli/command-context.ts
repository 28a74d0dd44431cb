// What a command works with, on the command line and in the interactive client alike: its connection, how it is to print,
// whom to ask for a password. And where such commands are registered.

import type { Command } from 'commander';
import type { ZabtreeClient } from '../client/zabtree-client.js';

export interface CommandContext {
  readonly client: ZabtreeClient;
  readonly output: 'text' | 'json';
  /** A line for the person, not part of the data. */
  tell(text: string): void;
  /** The new password of a user, typed unseen and twice at a terminal, else the next line of the input. */
  askNewPassword(user: string): Promise<string>;
}

export interface CommandHost {
  /** Adds a command that works with a context. */
  command(parent: Command, name: string, description: string): Command;
  /** `flags`: the command's options, as commander gives them. */
  run(flags: object, work: (context: CommandContext) => Promise<void>): Promise<void>;
}
