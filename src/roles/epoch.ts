/**
 * The epoch of a root: which Redis history positions and `seq` belong to, and from where an absent position counts.
 *
 * An empty Redis (new, or wiped) gets a new epoch, set if absent, with floor = now: what is archived by now counts as published.
 * In an archive that has no segments yet (none that expired either), `feed.since: all` gives floor 0; `now` gives an epoch that is `starting`: nothing is published
 * until a full pass has set the position of every file that was there (reconcile.ts), so that years of backfill do not flood.
 *
 * The floor lies a little before "now", since a store may round the times of its objects down: an object made after the epoch
 * began must never count as stored by the floor.
 */

import { boundaryPrefix } from '../core/boundary.ts'
import { segmentPrefix } from '../core/segment.ts'
import { GleanerError } from '../errors.ts'
import type { Epoch, Feed } from '../ports/feed.ts'
import type { RootContext } from './context.ts'

const floorMarginMs = 2000

export interface EpochKeeper {
  /** The epoch that stands, making one if there is none. Throws `redis-*`, `redis-other-archive`, `store-*`. */
  current(): Promise<Epoch>
  /** Ask Redis again at the next `current`. */
  forget(): void
}

export function openEpochKeeper(context: RootContext, feed: Feed): EpochKeeper {
  let known: Epoch | null = null
  return {
    async current() {
      known ??= checked(context, (await feed.epoch(context.root.name)) ?? (await begin(context, feed)))
      return known
    },
    forget() {
      known = null
    },
  }
}

async function begin(context: RootContext, feed: Feed): Promise<Epoch> {
  const { root, store } = context
  const prefixes = [segmentPrefix(root.name), boundaryPrefix(root.name)]
  const pages = await Promise.all(prefixes.map((prefix) => store.list(prefix, { limit: 1 })))
  const isNew = pages.every((page) => page.objects.length === 0)
  const nowMs = (await store.nowMs()) - floorMarginMs - 2 * store.clockStepMs
  const epoch: Epoch = {
    id: context.random(),
    archive: store.url,
    floorMs: isNew && root.feed.since === 'all' ? 0 : Math.floor(nowMs),
    state: isNew && root.feed.since === 'now' ? 'starting' : 'open',
  }
  return feed.begin(root.name, epoch)
}

function checked(context: RootContext, epoch: Epoch): Epoch {
  if (epoch.archive === context.store.url) return epoch
  const message = `it publishes ${epoch.archive}, this collector writes ${context.store.url}`
  throw new GleanerError('redis-other-archive', { operation: 'publish', subject: context.root.name, message })
}
