// Passwords as salted hashes (scrypt), made and compared on the thread pool that the disk uses too: a few at a time, a
// bounded number waiting. Whether there is a hash to compare with makes no difference in time. Hashes that came from etcd
// (bcrypt) are compared too, within the same bounds; none is made.

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import { Secret } from '../shared/secret.js';
import { BcryptThread, bcryptCostOf } from './bcrypt-thread.js';

/** Names and units as in the server's configuration. */
export interface PasswordLimits {
  readonly passwordBytesMax: number;
  readonly passwordHashesAtOnceMax: number;
  readonly passwordHashesWaitingMax: number;
  readonly bcryptCostMax: number;
}

/** How a password was hashed; stands in front of every hash. */
interface Parameters {
  /** Base-2 logarithm of scrypt's cost N. */
  readonly costLog2: number;
  readonly blockSize: number;
  readonly parallelism: number;
}

/** Of new hashes. 32 MiB and some 70 ms each: about as dear to guess as bcrypt at a cost of 10 or 11, and larger. */
const parametersNow: Parameters = { costLog2: 15, blockSize: 8, parallelism: 1 };

/** Byte 0: scheme. Bytes 1..3: parameters. Then salt and hash. */
const schemeScrypt = 1;
const headBytes = 4;
const saltBytes = 16;
const hashBytes = 32;
const bcryptBytes = 60;
/** Node's own limit would not do for these parameters; scrypt needs 128 · N · r. */
const memoryFactor = 256;

/** Stands for users that do not exist or have no password, so that they take as long to be refused. */
const nobody = new Secret(encode(parametersNow, new Uint8Array(saltBytes), new Uint8Array(hashBytes)));

type Task = (ended: () => void) => void;

/** Somebody can log in with the password of which this was made. */
export function isVerifiable(hash: Bytes, limits: Pick<PasswordLimits, 'bcryptCostMax'>): boolean {
  return isHash(hash) || bcryptTextOf(hash, limits) !== undefined;
}

export class PasswordHashing {
  private readonly limits: PasswordLimits;
  private readonly bcrypt = new BcryptThread();
  private readonly waiting = new Fifo<Task>();
  private running = 0;

  constructor(limits: PasswordLimits) {
    this.limits = limits;
  }

  hash(password: string, done: (error: StoreError | null, hash: Secret | null) => void): void {
    const salt = randomBytes(saltBytes);
    this.derive(password, parametersNow, salt, (error, key) => {
      if (error !== null || key === null) done(error, null);
      else done(null, new Secret(encode(parametersNow, salt, key)));
    });
  }

  /** `hash` undefined: nobody may log in with any password, which takes as long to find out. */
  verify(password: string, hash: Secret | undefined, done: (error: StoreError | null, matches: boolean) => void): void {
    const foreign = hash === undefined ? undefined : bcryptTextOf(hash.reveal(), this.limits);
    if (foreign !== undefined) {
      this.compareForeign(password, foreign, done);
      return;
    }
    const known = hash !== undefined && isHash(hash.reveal()) ? hash.reveal() : undefined;
    const row = known ?? nobody.reveal();
    const salt = row.subarray(headBytes, headBytes + saltBytes);
    this.derive(password, parametersOf(row), salt, (error, key) => {
      if (error !== null || key === null) {
        done(error, false);
        return;
      }
      const matches = timingSafeEqual(key, row.subarray(headBytes + saltBytes));
      done(null, matches && known !== undefined);
    });
  }

  private compareForeign(
    password: string,
    hash: string,
    done: (error: StoreError | null, matches: boolean) => void,
  ): void {
    const refusal = this.refusalOf(password);
    if (refusal !== null) {
      done(refusal, false);
      return;
    }
    this.enqueue((ended) => {
      this.bcrypt.compare(password, hash, (matches) => {
        ended();
        if (matches !== null) done(null, matches);
        else done(new StoreError('INTERNAL', 'A password could not be compared'), false);
      });
    });
  }

  private refusalOf(password: string): StoreError | null {
    const { passwordBytesMax, passwordHashesWaitingMax } = this.limits;
    if (Buffer.byteLength(password) > passwordBytesMax)
      return new StoreError('TOO_LARGE', `The password is longer than ${passwordBytesMax} bytes (passwordBytesMax)`);
    if (this.waiting.length < passwordHashesWaitingMax) return null;
    const text = `${passwordHashesWaitingMax} passwords are waiting already (passwordHashesWaitingMax)`;
    return new StoreError('OVERLOADED', text);
  }

  private derive(
    password: string,
    { costLog2, blockSize, parallelism }: Parameters,
    salt: Bytes,
    done: (error: StoreError | null, key: Bytes | null) => void,
  ): void {
    const refusal = this.refusalOf(password);
    if (refusal !== null) {
      done(refusal, null);
      return;
    }
    const cost = 2 ** costLog2;
    this.enqueue((ended) => {
      const options = { N: cost, r: blockSize, p: parallelism, maxmem: memoryFactor * cost * blockSize };
      scrypt(password, salt, hashBytes, options, (cause, key) => {
        ended();
        // What is thrown may tell of its input: it goes no further than this.
        if (cause === null) done(null, key);
        else done(new StoreError('INTERNAL', 'A password could not be hashed'), null);
      });
    });
  }

  private enqueue(task: Task): void {
    this.waiting.push(task);
    this.proceed();
  }

  private proceed(): void {
    while (this.running < this.limits.passwordHashesAtOnceMax) {
      const task = this.waiting.shift();
      if (task === undefined) return;
      this.running++;
      task(() => {
        this.running--;
        this.proceed();
      });
    }
  }
}

function encode({ costLog2, blockSize, parallelism }: Parameters, salt: Bytes, hash: Bytes): Bytes {
  const row = new Uint8Array(headBytes + saltBytes + hashBytes);
  row.set([schemeScrypt, costLog2, blockSize, parallelism]);
  row.set(salt, headBytes);
  row.set(hash, headBytes + saltBytes);
  return row;
}

function isHash(row: Bytes): boolean {
  return row.length === headBytes + saltBytes + hashBytes && row[0] === schemeScrypt;
}

/** Costs that would keep others waiting for seconds are not taken. */
function bcryptTextOf(row: Bytes, { bcryptCostMax }: Pick<PasswordLimits, 'bcryptCostMax'>): string | undefined {
  if (row.length !== bcryptBytes) return undefined;
  const text = Buffer.from(row).toString('latin1');
  const cost = bcryptCostOf(text);
  return cost === undefined || cost > bcryptCostMax ? undefined : text;
}

function parametersOf(row: Bytes): Parameters {
  return { costLog2: row[1] ?? 0, blockSize: row[2] ?? 0, parallelism: row[3] ?? 0 };
}
