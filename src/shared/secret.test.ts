import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Secret } from './secret.js';

it('shows its bytes to nobody who does not ask for them', () => {
  const secret = new Secret(new Uint8Array([104, 117, 115, 104]));
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true, depth: 9 })];
  for (const text of shown) expect(text).not.toMatch(/104|117|hush/);
  expect(secret.reveal()).toEqual(new Uint8Array([104, 117, 115, 104]));
});
