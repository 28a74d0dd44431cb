// Reads a command line as etcd does: Go's way to write flags, and the environment for what the command line leaves out.
// Knows which flags there are, not what they mean.

import { nearestKey } from '../../config/nearest-key.js';
import { withoutCredentials } from '../../shared/address.js';
import { environmentName, etcdFlags } from './etcd-flags.js';

/** `exitCode`: 2 for a command line that cannot be read, 1 for one that makes no sense, as etcd ends. */
export class EtcdUsageError extends Error {
  override readonly name = 'EtcdUsageError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface EtcdArguments {
  readonly wants: 'server' | 'version' | 'help';
  /** What was given, by the flag's name. */
  readonly values: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  /** A file that says everything: then there are no values. */
  readonly configFile?: string;
}

const prefix = 'ETCD_';
/** Of etcdctl, which often shares the environment. */
const foreignPrefix = 'ETCDCTL_';
/** Says which platforms etcd may run on. */
const platformVariable = 'ETCD_UNSUPPORTED_ARCH';

export function readEtcdArguments(words: readonly string[], environment: NodeJS.ProcessEnv): EtcdArguments {
  const values = new Map<string, string>();
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--' || !word.startsWith('-') || word === '-') {
      const first = word === '--' ? words[index + 1] : word;
      if (first === undefined) break;
      throw new EtcdUsageError(`'${withoutCredentials(first)}' is not a valid flag`, 1);
    }
    const [, name = '', given] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === 'version' || name === 'v') return { wants: 'version', values, warnings: [] };
    if (name === 'help' || name === 'h') return { wants: 'help', values, warnings: [] };
    const flag = Object.hasOwn(etcdFlags, name) ? etcdFlags[name] : undefined;
    if (flag === undefined) throw unknownFlag(word, name);
    if (given !== undefined) values.set(name, given);
    else if (flag.kind === 'truth') values.set(name, 'true');
    else {
      index += 1;
      const value = words[index];
      if (value === undefined) throw new EtcdUsageError(`flag needs an argument: -${name}`, 2);
      values.set(name, value);
    }
  }
  for (const [name, value] of values) requireTruth(name, value);
  const configFile = values.get('config-file') || environment[environmentName('config-file')];
  if (configFile) return { wants: 'server', values: new Map(), warnings: besideFile(values, environment), configFile };
  const warnings = addEnvironment(values, environment);
  for (const [name, value] of values) requireTruth(name, value);
  return { wants: 'server', values, warnings };
}

function unknownFlag(word: string, name: string): EtcdUsageError {
  if (name === '' || name.startsWith('-')) return new EtcdUsageError(`bad flag syntax: ${withoutCredentials(word)}`, 2);
  const nearest = nearestKey(name, Object.keys(etcdFlags));
  const hint = nearest === undefined ? '' : `; did you mean -${nearest}?`;
  return new EtcdUsageError(`flag provided but not defined: -${withoutCredentials(name)}${hint}`, 2);
}

/** As etcd, a file takes no second word. */
function besideFile(values: ReadonlyMap<string, string>, environment: NodeJS.ProcessEnv): readonly string[] {
  const flags = [...values.keys()].filter((name) => name !== 'config-file').map((name) => `--${name}`);
  const variables = Object.keys(etcdFlags).map(environmentName);
  const others = variables.filter((name) => environment[name] && name !== environmentName('config-file'));
  const ignored = [...flags, ...others];
  return ignored.length === 0 ? [] : [`the configuration file counts alone, these are ignored: ${ignored.join(', ')}`];
}

/** Returns a warning for each variable that means nothing. */
function addEnvironment(values: Map<string, string>, environment: NodeJS.ProcessEnv): readonly string[] {
  const flags = new Map(Object.keys(etcdFlags).map((flag) => [environmentName(flag), flag]));
  const warnings: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(prefix) || variable.startsWith(foreignPrefix) || variable === platformVariable) continue;
    const flag = flags.get(variable);
    if (flag === undefined) warnings.push(`unrecognized environment variable ${variable}`);
    else if (values.has(flag)) {
      const advice = 'either unset environment variable or disable flag';
      const text = `conflicting environment variable ${variable} is shadowed by corresponding command-line flag`;
      throw new EtcdUsageError(`${text} (${advice})`, 1);
    } else if (value !== undefined && value !== '') values.set(flag, value);
  }
  return warnings;
}

const truths = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const falsehoods = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function requireTruth(name: string, value: string): void {
  if (etcdFlags[name]?.kind !== 'truth' || truths.includes(value) || falsehoods.includes(value)) return;
  throw new EtcdUsageError(`invalid boolean value "${withoutCredentials(value)}" for -${name}: parse error`, 2);
}

export function isTrue(value: string | undefined): boolean {
  return value !== undefined && truths.includes(value);
}
