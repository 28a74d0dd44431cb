// A new password: at a terminal typed twice and never shown, elsewhere one line of the input. Kept nowhere.

import { StoreError } from '../shared/errors.js';
import type { LineReader } from './repl/line-reader.js';

export async function askNewPassword(reader: LineReader, user: string): Promise<string> {
  const password = await reader.askSecret(`Password of ${user}:`);
  if (password === undefined || password === '') {
    throw new StoreError('INVALID_ARGUMENT', 'Cannot take the password: it is empty');
  }
  if (reader.isTerminal && (await reader.askSecret(`The password of ${user} again:`)) !== password) {
    throw new StoreError('INVALID_ARGUMENT', 'Cannot take the password: it was not the same twice');
  }
  return password;
}
