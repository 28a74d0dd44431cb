import { expect, test } from 'vitest';
import { toServerId } from '../shared/ids.js';
import { memberLog } from './member-log.js';

test('members are called by their MessageAddr in texts and details, other numbers stay', () => {
  const lines: unknown[] = [];
  const keep = (text: string, details?: Readonly<Record<string, unknown>>): void => {
    lines.push([text, details]);
  };
  const log = memberLog({ info: keep, warn: keep, error: keep }, [
    { id: toServerId(8_009_839_950_259_546), messageAddr: 'host-a:5002' },
    { id: toServerId(7), messageAddr: 'host-b:5002' },
  ]);
  log.info('waits for servers 8009839950259546, 7', { epoch: 3, leader: 7 });
  log.warn('closed after 70 ms');
  expect(lines).toEqual([
    ['waits for servers host-a:5002, host-b:5002', { epoch: 3, leader: 'host-b:5002' }],
    ['closed after 70 ms', {}],
  ]);
});
