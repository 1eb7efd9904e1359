/** Builds the tables of one root in an archive, as a process that can be measured: ARCHIVE ROOT FORMAT. */

import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { formatOf } from '../../src/formats/registry.ts'
import { buildTables } from '../../src/query/build.ts'
import { settingsOf } from '../support/root-context.ts'
import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'

const [path = '', name = '', format = ''] = process.argv.slice(2)
const store = openDirectoryStore({ path, url: pathToFileURL(path).href })
const limits = { lineBytesMax: 16 * 1024 * 1024, storeBytesInFlight: 1e8, proveBytesPerSecond: 1e9 }
const root = { ...settingsOf(formatOf(format)), name, limits }
const random = (): string => randomBytes(16).toString('hex')
const report = await buildTables({ root, store, derived: store, clock: systemClock, random }, { date: null })
if (report.failed.length > 0) throw new Error(JSON.stringify(report.failed))
process.stdout.write(`${JSON.stringify(report)}\n`)
await store.close()
process.exit(0)
