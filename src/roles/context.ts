/** What every role of one root is given: the ports, and the root's settled configuration. Composed in one place, `main.ts`. */

import type { FamilyRules } from '../core/family.ts'
import type { Header } from '../core/identity.ts'
import type { Seal } from '../core/due.ts'
import type { Format, ParseContext } from '../formats/format.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'
import type { Files } from '../ports/files.ts'
import type { Signals } from '../ports/signals.ts'
import type { Store } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { DigestNews } from './digest-news.ts'

export interface RootContext {
  root: RootSettings
  node: string
  clock: Clock
  files: Files
  store: Store
  /** Where what can be made again is kept: the same archive, or another. */
  derived: Store
  /** Null without Redis: no records stream, and signals stay in the process. */
  feed: Feed | null
  signals: Signals | null
  telemetry: Telemetry
  /** Where digests are made: told of what is proven. */
  news?: DigestNews
  /** 16 random bytes in hex, for write ids and epochs. */
  random(): string
}

export interface RootSettings {
  name: string
  format: Format
  parse: ParseContext
  header: Header
  family: FamilyRules
  /** Whether a path is collected: by its own name or its family's. */
  includes(path: string): boolean
  /** null: ask the mount. */
  remote: boolean | null
  /** One document per file. */
  wholeFiles: boolean
  seal: Seal
  settle: { readMs: number; tailMs: number; finalMs: number }
  limits: { lineBytesMax: number; storeBytesInFlight: number; proveBytesPerSecond: number }
  feed: { since: 'now' | 'all'; maxAgeMs: number; maxBytes: number; recordBytesMax: number }
  reconcile: { everyMs: number; fullEveryMs: number; metadataPerSecondMax: number }
}
