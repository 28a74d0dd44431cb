// Finds the URLs of a command line in which somebody has put a user and a password: nothing here asks for them, and an error
// about such a URL must not repeat them.

import { withoutCredentials } from '../../shared/address.js';
import { EtcdUsageError } from './etcd-arguments.js';

const urlFlags = [
  'listen-peer-urls',
  'listen-client-urls',
  'listen-metrics-urls',
  'initial-advertise-peer-urls',
  'advertise-client-urls',
] as const;

/** Throws EtcdUsageError. */
export function refuseUrlCredentials(values: ReadonlyMap<string, string>): void {
  for (const flag of urlFlags) refuseIn(flag, values.get(flag) ?? '');
  // The name of a member may have one.
  for (const part of (values.get('initial-cluster') ?? '').split(',')) {
    refuseIn('initial-cluster', part.slice(part.indexOf('=') + 1));
  }
}

function refuseIn(flag: string, text: string): void {
  if (!text.includes('@')) return;
  const shown = withoutCredentials(text);
  throw new EtcdUsageError(`invalid value "${shown}" for flag -${flag}: URL must not contain a user or a password`, 2);
}
