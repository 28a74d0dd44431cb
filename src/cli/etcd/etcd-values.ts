// What was given for etcd's flags, with etcd's defaults behind it, and its lists of URLs as etcd reads them.

import { parseAddress } from '../../shared/address.js';
import { EtcdUsageError } from './etcd-arguments.js';
import { etcdFlags } from './etcd-flags.js';

export class EtcdValues {
  private readonly values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  text(name: string): string {
    return this.values.get(name) ?? etcdFlags[name]?.byDefault ?? '';
  }

  number(name: string): number {
    const text = this.text(name);
    const value = Number(text);
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw wrong(`invalid value "${text}" for flag -${name}: parse error`, 2);
  }
}

export interface Url {
  readonly scheme: string;
  /** host:port */
  readonly address: string;
}

/** As etcd reads lists of URLs. */
export function urlsOf(flag: string, text: string): readonly Url[] {
  return text.split(',').map((part) => {
    const url = part.trim();
    const [, scheme = '', address = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)(.*)$/.exec(url) ?? [];
    const bad = (reason: string): EtcdUsageError => wrong(`invalid value "${text}" for flag -${flag}: ${reason}`, 2);
    if (scheme === 'unix' || scheme === 'unixs') throw bad(`sockets of the file system are not supported: ${url}`);
    if (scheme !== 'http' && scheme !== 'https') throw bad(`URL scheme must be http, https, unix, or unixs: ${url}`);
    if (path !== '' && path !== '/') throw bad(`URL must not contain a path: ${url}`);
    const parsed = parseAddress(address);
    if (typeof parsed === 'string' || parsed.port === 0)
      throw bad(`URL address does not have the form "host:port": ${url}`);
    return { scheme, address };
  });
}

/** etcd binds numbers only, and takes "localhost" for one. */
export function bindable({ address }: Url): string {
  return address.replace(/^localhost:/, '127.0.0.1:');
}

export function wrong(message: string, exitCode = 1): EtcdUsageError {
  return new EtcdUsageError(message, exitCode);
}
