// The options that every command with a connection has, and the client that they make.

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClientTransport } from '../client/client-transport.js';
import type { Credentials } from '../client/native-connection.js';
import type { ZabtreeClient } from '../client/zabtree-client.js';
import { ConfigError } from '../config/config-error.js';
import type { ClientConfig, PeerTls } from '../config/load-client-config.js';
import { parseAddress, withoutCredentials } from '../shared/address.js';
import { StoreError } from '../shared/errors.js';
import { errorText } from './exit-codes.js';
import { note } from './output.js';
import { type TlsFlags, tlsOf, tlsOptions } from './tls-options.js';

export const defaultPeer = '127.0.0.1:5003';
const timeoutMsDefault = 5_000;
/** One-shot commands give every peer this many chances before they say that nobody is there. */
const unreachableRoundsMax = 2;

export interface ConnectionFlags extends TlsFlags {
  readonly user?: string;
  readonly config?: string;
  readonly peer?: readonly string[];
  readonly timeout: number;
}

export interface OutputFlags {
  readonly output: 'text' | 'json';
}

export function connectionOptions(command: Command): Command {
  return tlsOptions(command)
    .addOption(new Option('--config <file>', "a client's (or a server's) configuration file").conflicts('peer'))
    .option('--peer <address>', `HOST:PORT of a member, repeatable (default: ${defaultPeer})`, appendPeer)
    .addOption(new Option('--user <name:password>', 'who you are, where access control is on').env('ZABTREE_USER'))
    .addOption(timeoutOption());
}

export function timeoutOption(): Option {
  return new Option('--timeout <duration>', 'how long to wait for an answer, e.g. 5s or 500ms')
    .default(timeoutMsDefault, '5s')
    .argParser(durationMs);
}

/** What `--user` or the environment says of who the client is. Throws ConfigError. */
export function credentialsOf({ user }: Pick<ConnectionFlags, 'user'>): { readonly credentials?: Credentials } {
  if (user === undefined) return {};
  // Only the first colon parts them.
  const at = user.indexOf(':');
  // What is wrong is not shown: a password may be in it.
  if (at < 1) throw new ConfigError('Cannot use --user: expected NAME:PASSWORD');
  return { credentials: { user: user.slice(0, at), password: user.slice(at + 1) } };
}

export function outputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'of the data').choices(['text', 'json']).default('text'),
  );
}

/** A command that asks an ensemble something and prints what it says. */
export function requestCommand(program: Command, name: string, description: string): Command {
  return outputOption(connectionOptions(program.command(name).description(description)));
}

/** `5s`, `500ms`, `1m`, or a number of seconds. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? 's'] ?? 1_000;
  const value = Math.round(Number(match?.[1]) * unitMs);
  if (match === null || value < 1 || value > 86_400_000) {
    throw new InvalidArgumentError('expected a duration from 1ms to 24h, such as 5s or 500ms.');
  }
  return value;
}

/** Hexadecimal, as etcd's client shows lease ids. */
export function leaseId(text: string): bigint {
  const digits = text.replace(/^0x/i, '');
  if (!/^[0-9a-f]{1,16}$/i.test(digits) || /^0+$/.test(digits)) {
    throw new InvalidArgumentError('expected a lease id: up to 16 hexadecimal digits, not 0.');
  }
  return BigInt.asIntN(64, BigInt(`0x${digits}`));
}

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
    }
    return value;
  };
}

export function appendPeer(text: string, peers: readonly string[] = []): readonly string[] {
  // Commander's own error would repeat the argument.
  if (text.includes('@')) throw new ConfigError(`Cannot use --peer: ${beforeAt(text)}`);
  const address = parseAddress(text);
  if (typeof address === 'string') throw new InvalidArgumentError(`${address}.`);
  if (address.port === 0) throw new InvalidArgumentError(`"${text}" has a bad port: expected a number in 1..65535.`);
  return peers.includes(text) ? peers : [...peers, text];
}

/** The name and the password that etcdctl takes in the same place. */
function beforeAt(text: string): string {
  return `"${withoutCredentials(text)}" has something before an @: expected HOST:PORT (who you are is said by --user or ZABTREE_USER)`;
}

/** Whom to talk to, and how. */
export interface Target {
  /** In the order in which they are tried. */
  readonly peers: readonly string[];
  readonly transport: ClientTransport;
  readonly credentials?: Credentials;
}

/** Throws ConfigError. */
export async function targetOf(flags: Omit<ConnectionFlags, 'timeout'>): Promise<Target> {
  const { peers, tls } = await configOf(flags);
  return { peers, transport: await transportOf(flags, tls), ...credentialsOf(flags) };
}

/** `configured`: what the configuration says that names the peers. Throws ConfigError. */
export async function transportOf(flags: TlsFlags, configured: PeerTls | undefined): Promise<ClientTransport> {
  const tls = tlsOf(flags, configured);
  if (tls === undefined) return (await import('../client/tcp-transport.js')).tcpTransport;
  const { tlsTransport } = await import('../client/tls-transport.js');
  try {
    return tlsTransport(tls);
  } catch (error) {
    throw new ConfigError(`Cannot speak TLS: a file is of no use: ${errorText(error)}`, { cause: error });
  }
}

async function configOf(flags: Pick<ConnectionFlags, 'config' | 'peer'>): Promise<ClientConfig> {
  if (flags.peer !== undefined) return { peers: flags.peer, tls: undefined };
  const file = flags.config ?? process.env['ZABTREE_CLIENT_CONFIG'];
  if (file !== undefined && file !== '') {
    const { loadClientConfig } = await import('../config/load-client-config.js');
    return loadClientConfig(file);
  }
  const text = process.env['ZABTREE_PEERS'] ?? '';
  // Asked of all of it: a password may have commas.
  if (text.includes('@')) throw new ConfigError(`Cannot use ZABTREE_PEERS: ${beforeAt(text)}`);
  const peers = text.split(',').filter((peer) => peer !== '');
  for (const peer of peers) {
    const problem = parseAddress(peer);
    if (typeof problem === 'string') throw new ConfigError(`Cannot use ZABTREE_PEERS: ${problem}`);
  }
  return { peers: peers.length > 0 ? peers : [defaultPeer], tls: undefined };
}

/** Runs `work` with a client and closes it. `patient`: waits for a peer until the deadline, however many fail. */
export async function withClient<T>(
  flags: ConnectionFlags,
  work: (client: ZabtreeClient) => Promise<T>,
  options: { readonly patient?: boolean } = {},
): Promise<T> {
  const target = await targetOf(flags);
  const client = await openClient(target, flags.timeout, options);
  try {
    return await work(client);
  } catch (error) {
    throw target.credentials === undefined ? withUserHint(error) : error;
  } finally {
    client.close();
  }
}

/** The server says what is missing; how it is given is known here. */
export function withUserHint(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== 'UNAUTHENTICATED') return error;
  const hint = 'give --user NAME:PASSWORD or ZABTREE_USER';
  return new StoreError(error.code, `${error.message} (${hint})`, { cause: error });
}

export async function openClient(
  target: Target,
  timeoutMs: number,
  options: { readonly patient?: boolean; readonly quiet?: boolean } = {},
): Promise<ZabtreeClient> {
  const { ZabtreeClient } = await import('../client/zabtree-client.js');
  return new ZabtreeClient({
    ...target,
    timeoutMs,
    ...(options.patient === true ? {} : { unreachableRoundsMax }),
    onConnection: (event) => {
      if (options.quiet !== true && event.type === 'lost')
        note(`lost the connection to ${event.peer}: ${event.reason}`);
    },
  });
}
