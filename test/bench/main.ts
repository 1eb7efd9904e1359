/**
 * `npm run bench -- NAME [--json]`: one benchmark, each with a plain tool run beside it in turn, so that its figures are ratios that hold on
 * another machine too.
 */

import { parseArgs } from 'node:util'
import { table } from './measure.ts'
import type { Outcome } from './measure.ts'

const benches: Record<string, () => Promise<() => Promise<Outcome>>> = {
  archive: async () => (await import('./archive.ts')).archive,
  latency: async () => (await import('./latency.ts')).latency,
  pass: async () => (await import('./pass.ts')).pass,
  idle: async () => (await import('./idle.ts')).idle,
  small: async () => (await import('./small.ts')).small,
  tables: async () => (await import('./tables.ts')).tables,
  lookup: async () => (await import('./lookup.ts')).lookup,
  decode: async () => (await import('./decode.ts')).decode,
  blind: async () => (await import('./blind.ts')).blind,
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } })
const load = benches[positionals[0] ?? '']
if (load === undefined || positionals.length !== 1) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(benches).join('|')} [--json]\n`)
  process.exit(2)
}
const outcome = await (await load())()
process.stdout.write(values.json ? `${JSON.stringify(outcome)}\n` : `${text(outcome)}\n`)

function text({ rows, figures, notes }: Outcome): string {
  const all = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  return `${table(rows)}\n\n${all.join('   ')}\n${notes.join('\n')}`
}
