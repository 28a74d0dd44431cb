// What a unary gRPC call costs: 100 connections with 10 calls each in flight, against this project's transport and against
// @grpc/grpc-js's server in turn, each in a process of its own. CPU per call is the figure to compare: other work on the
// machine moves it least.
//
//   npx tsx test/bench/grpc-echo.ts [--seconds 5]
//
// PROF=<directory> leaves a CPU profile of each server there.

import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:net';
import { argv, cpuUsage, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { ArrivalBudget } from '../../src/api/arrival-budget.js';
import type { GrpcMethod } from '../../src/api/etcd/grpc/grpc-call.js';
import { GrpcListener } from '../../src/api/etcd/grpc/grpc-listener.js';
import { FrontEndGuard } from '../../src/api/front-end-guard.js';
import { QueueBudget } from '../../src/api/queue-budget.js';
import { limits } from '../../src/config/limits.js';
import { createLog } from '../../src/observability/log.js';
import { endStream, frame, frameTypes, messagePrefix, openCall, RawHttp2, settings } from '../support/raw-http2.js';

const connections = 100;
const callsPerConnection = 10;
const path = '/test.Echo/Unary';
const message = Buffer.alloc(280, 'x');

/** What the servers say when they are asked: calls answered and CPU used since the last question. */
interface Usage {
  readonly calls: number;
  readonly cpuUs: number;
}

let answered = 0;

async function serveOurs(): Promise<number> {
  const echo: GrpcMethod = {
    type: 'unary',
    handle: (call, request) => {
      answered++;
      call.send(request);
      call.finish();
    },
  };
  const listener = new GrpcListener({
    methods: new Map([[path, echo]]),
    limits,
    budget: new QueueBudget(limits.clientQueueBytesTotalMax, limits.clientAnswersBytesTotalMax),
    arrivals: new ArrivalBudget(limits.clientArrivalBytesTotalMax),
    guard: new FrontEndGuard(createLog({ level: 'error', format: 'text' })),
  });
  const server = createServer({ noDelay: true }, (socket) => listener.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function serveGrpcJs(): Promise<number> {
  const server = new Server();
  const plain = (bytes: Buffer): Buffer => bytes;
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: plain,
    responseDeserialize: plain,
  };
  server.addService(
    { Unary: definition },
    {
      Unary: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
        answered++;
        done(null, call.request);
      },
    },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** One connection that keeps its number of calls in flight. */
class Load {
  done = 0;
  readonly #raw: RawHttp2;
  readonly #data: Buffer;
  #nextStream = 1;

  constructor(port: number) {
    this.#raw = new RawHttp2(port, (one) => {
      const isEnd = one.type === frameTypes.headers && (one.flags & endStream) !== 0;
      if (one.type === frameTypes.reset) throw new Error('A call was reset');
      if (!isEnd) return;
      this.done++;
      this.#call();
    });
    this.#data = Buffer.concat([messagePrefix(message.length), message]);
    // A window that lasts for the whole run.
    const grow = frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0]));
    this.#raw.begin(grow, settings([4, 2 ** 20]));
    for (let count = 0; count < callsPerConnection; count++) this.#call();
  }

  stop(): void {
    this.#raw.socket.destroy();
  }

  #call(): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#raw.socket.cork();
    this.#raw.socket.write(openCall(stream, path));
    this.#raw.socket.write(frame(frameTypes.data, endStream, stream, this.#data));
    process.nextTick(() => this.#raw.socket.uncork());
  }
}

function ask(child: ChildProcess): Promise<Usage> {
  return new Promise((resolve) => {
    child.once('message', (usage: Usage) => resolve(usage));
    child.send('usage');
  });
}

async function measure(subject: string, seconds: number): Promise<void> {
  const directory = process.env['PROF'];
  const profile = directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`];
  const execArgv = [...process.execArgv, ...profile];
  const child = fork(fileURLToPath(import.meta.url), ['--serve', subject], { execArgv });
  const port = await new Promise<number>((resolve) => child.once('message', (bound: number) => resolve(bound)));
  const loads = Array.from({ length: connections }, () => new Load(port));
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(1_500);
  await ask(child);
  const beginMs = performance.now();
  await pause(seconds * 1_000);
  const { calls, cpuUs } = await ask(child);
  const rate = calls / ((performance.now() - beginMs) / 1_000);
  process.stdout.write(
    `${subject.padEnd(8)} ${Math.round(rate).toLocaleString('en-US').padStart(8)} calls/s ${(cpuUs / calls).toFixed(1).padStart(7)} µs CPU a call\n`,
  );
  for (const load of loads) load.stop();
  child.kill();
}

if (argv[2] === '--serve') {
  const port = await (argv[3] === 'zabtree' ? serveOurs() : serveGrpcJs());
  let last = { calls: 0, cpu: cpuUsage() };
  process.on('message', () => {
    const { user, system } = cpuUsage(last.cpu);
    process.send?.({ calls: answered - last.calls, cpuUs: user + system } satisfies Usage);
    last = { calls: answered, cpu: cpuUsage() };
  });
  process.on('SIGTERM', () => exit(0));
  process.send?.(port);
} else {
  const seconds = Number(argv[argv.indexOf('--seconds') + 1] ?? 5) || 5;
  for (const subject of ['zabtree', 'grpc-js']) await measure(subject, seconds);
  exit(0);
}
