// `lease` and `compact`: names, arguments and options. What they do is imported when they run.

import { Argument, type Command, Option } from 'commander';
import type { CommandHost } from './command-context.js';
import { durationMs, leaseId, wholeNumber } from './connection-options.js';

const load = (): Promise<typeof import('./commands/lease-commands.js')> => import('./commands/lease-commands.js');

export function registerLeases(program: Command, host: CommandHost, options: { readonly endless: boolean }): void {
  const lease = program.command('lease').description('promises to keep keys for as long as somebody renews them');
  const id = new Argument('<id>', 'the lease, in hexadecimal').argParser(leaseId);
  host
    .command(lease, 'grant', 'a new lease; prints its id')
    .addArgument(new Argument('<seconds>', 'its time to live').argParser(wholeNumber(1)))
    .addOption(new Option('--id <id>', 'the id to take, in hexadecimal (default: a random one)').argParser(leaseId))
    .action((seconds: number, flags: { readonly id?: bigint }) =>
      host.run(flags, async (context) => (await load()).runGrant(context, seconds, flags.id)),
    );
  host
    .command(lease, 'revoke', 'end a lease and delete its keys; exits 3 when there is no such lease')
    .addArgument(id)
    .action((which: bigint, flags: object) =>
      host.run(flags, async (context) => (await load()).runRevoke(context, which)),
    );
  const keepAlive = host
    .command(lease, 'keep-alive', 'begin the time of a lease anew; exits 3 when there is no such lease')
    .addArgument(id)
    .action((which: bigint, flags: { readonly every?: number }) =>
      host.run(flags, async (context) => (await load()).runKeepAlive(context, which, flags.every)),
    );
  // Nothing but the end of the process ends this.
  if (options.endless) keepAlive.option('--every <duration>', 'again and again, until the lease has ended', durationMs);
  host
    .command(lease, 'ttl', 'print the time that a lease has left; exits 3 when there is no such lease')
    .addArgument(id)
    .option('--keys', 'print the keys that it holds too')
    .action((which: bigint, flags: { readonly keys?: boolean }) =>
      host.run(flags, async (context) => (await load()).runTimeToLive(context, which, flags.keys === true)),
    );
  registerList(lease, host);
}

function registerList(lease: Command, host: CommandHost): void {
  host
    .command(lease, 'list', 'print the ids of all leases')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runLeaseList(context)));
}

export function registerCompact(program: Command, host: CommandHost): void {
  host
    .command(program, 'compact', 'forget versions that reads at this revision or later do not need')
    .addArgument(new Argument('<revision>', 'the revision').argParser(wholeNumber(1)))
    .action((revision: number, flags: object) =>
      host.run(flags, async (context) => (await import('./commands/compact-command.js')).runCompact(context, revision)),
    );
}
