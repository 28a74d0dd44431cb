// A COMMIT that stands for one batch only.

import { decodeBatch } from '../../../src/wire/batch-codec.js';
import type { Batch } from '../../../src/zab/messages.js';
import { type Mutation, replace } from '../mutation.js';

export const missedCommit: Mutation = {
  id: 'gometa-missed-commit',
  source: 'gometa',
  broken:
    'A COMMIT applies the batch that it names and nothing before it: whoever missed one never applies that batch.',
  leaves: [
    replace<typeof import('../../../src/ensemble/delivery-queue.js')>(
      'ensemble/delivery-queue',
      ({ DeliveryQueue }) => ({
        DeliveryQueue: class extends DeliveryQueue {
          private readonly named = new Map<number, { readonly batch: Batch; readonly staged: boolean }>();

          override append(batch: Batch, staged: boolean): void {
            this.named.set(batch.last, { batch, staged });
          }

          override deliver(...[through, tree]: Parameters<InstanceType<typeof DeliveryQueue>['deliver']>): void {
            const pending = this.named.get(through);
            this.named.delete(through);
            if (pending?.staged === true) tree.commitStaged(through);
            else if (pending !== undefined) tree.apply(decodeBatch(pending.batch.body, pending.batch.first));
          }
        },
      }),
    ),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'a leader applies what was before its first proposal',
    'tree equals replay',
    'revision follows the history',
    'history equals replay',
    'no assertion fails',
  ],
};
