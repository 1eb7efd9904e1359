import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openFiles } from '../../src/adapters/files.ts'
import { openMemoryFeed, type MemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { compileFamilyRules } from '../../src/core/family.ts'
import type { Format } from '../../src/formats/format.ts'
import { lines } from '../../src/formats/lines.ts'
import type { Store } from '../../src/ports/store.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import type { RootContext, RootSettings } from '../../src/roles/context.ts'

/** Root `r`: local, numbered rotation, everything included. */
export function settingsOf(format: Format = lines): RootSettings {
  return {
    name: 'r',
    format,
    parse: {},
    header: 'none',
    family: compileFamilyRules({ rotation: [String.raw`\.\d+$`], oldDirectories: [] }),
    includes: () => true,
    remote: false,
    wholeFiles: false,
    seal: { bytes: 1, ageMs: 1 },
    settle: { readMs: 10, tailMs: 60_000, finalMs: 3_600_000 },
    limits: { lineBytesMax: 1000, storeBytesInFlight: 1e6, proveBytesPerSecond: 1e9 },
    feed: { since: 'all', maxAgeMs: 1e9, maxBytes: 1e9, recordBytesMax: 1000 },
    reconcile: { everyMs: 1000, fullEveryMs: 1000, metadataPerSecondMax: 1e6 },
  }
}

export interface RootOnDisk {
  context: RootContext
  /** Where its files are. */
  path: string
  store: Store
  feed: MemoryFeed
}

/** A root on a real directory, with real files and a store and a feed in memory. */
export function openRoot(t: ExecutionContext): RootOnDisk {
  const directory = mkdtempSync(join(tmpdir(), 'gleaner-root-'))
  const path = join(directory, 'files')
  mkdirSync(path)
  const files = openFiles({ root: 'r', path, remote: false, deadlineMs: 10_000 })
  const feed = openMemoryFeed({ clock: systemClock })
  const store = openMemoryStore('memory://a')
  t.teardown(async () => {
    await files.close()
    await feed.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const context: RootContext = {
    root: settingsOf(),
    node: 'test',
    clock: systemClock,
    files,
    store,
    derived: store,
    feed,
    signals: null,
    telemetry: silent,
    random: () => '00',
  }
  return { context, path, store, feed }
}

/** Nothing that reads tells anything. */
const silent = new Proxy({}, { get: () => () => undefined }) as Telemetry
