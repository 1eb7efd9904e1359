import test from 'ava'
import * as fc from 'fast-check'
import { entryLine, recordEntry } from '../../src/formats/entry.ts'
import type { Framed } from '../../src/formats/format.ts'
import { jsonl } from '../../src/formats/jsonl.ts'
import { lines } from '../../src/formats/lines.ts'

const place = { source: 's-0', path: 'a%20b', family: 'a', rawBytesMax: 1000, parse: {} }
const framed = (raw: Buffer, flags: Framed['flags'] = []): Framed => ({ start: 5, end: 5 + raw.length, raw, flags })

test('an entry has the fields of the contract, all of them text but raw', (t) => {
  const raw = Buffer.from('{"type":"x","time":"2026-03-01T00:00:00Z"}\n')
  t.deepEqual(recordEntry(jsonl, framed(raw), place), {
    v: '1',
    kind: 'record',
    source: 's-0',
    start: '5',
    end: '48',
    revision: '0',
    path: 'a%20b',
    family: 'a',
    format: 'jsonl',
    type: 'x',
    time: '2026-03-01T00:00:00Z',
    flags: '',
    error: '',
    fields: '{"type":"x","time":"2026-03-01T00:00:00Z"}',
    raw,
  })
})

test('flags of framing and of parsing are joined, each once', (t) => {
  t.is(recordEntry(jsonl, framed(Buffer.from('{"a'), ['incomplete']), place)['flags'], 'incomplete,malformed')
  t.is(recordEntry(lines, framed(Buffer.from('a\0'), ['cut']), place)['flags'], 'cut,lossy')
})

test('what was torn in the middle of a line is an error, and gives no fields', (t) => {
  const entry = recordEntry(jsonl, framed(Buffer.from('{"type":"x","a":1}'), ['malformed']), place)
  t.like(entry, { type: 'x', flags: 'malformed', error: 'torn', fields: '{}' })
  const broken = recordEntry(jsonl, framed(Buffer.from('{"type"'), ['malformed']), place)
  t.like(broken, { flags: 'malformed', error: 'not-json' })
})

test('raw is left out above the bound', (t) => {
  const raw = Buffer.from('12345\n')
  t.true('raw' in recordEntry(lines, framed(raw), { ...place, rawBytesMax: 6 }))
  t.false('raw' in recordEntry(lines, framed(raw), { ...place, rawBytesMax: 5 }))
})

test('a line of NDJSON has numbers as numbers, fields as an object, and raw or raw_base64, never both', (t) => {
  const entry = { ...recordEntry(lines, framed(Buffer.from('a\n')), place), seq: '100000000000001', epoch: 'e' }
  const out = JSON.parse(entryLine(entry)) as Record<string, unknown>
  t.like(out, {
    v: 1,
    start: 5,
    end: 7,
    revision: 0,
    seq: 100_000_000_000_001,
    fields: { line: 'a' },
    raw: 'a\n',
    epoch: 'e',
  })
  const bytes = Buffer.of(0xff, 10)
  const other = JSON.parse(entryLine(recordEntry(lines, framed(bytes), place))) as Record<string, unknown>
  t.is(other['raw_base64'], bytes.toString('base64'))
  t.false('raw' in other)
})

test('an entry from Redis, all buffers, gives the same line', (t) => {
  const entry = recordEntry(lines, framed(Buffer.from('é\n')), place)
  const fromRedis = Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, Buffer.from(value)]))
  t.is(entryLine(fromRedis), entryLine(entry))
})

test('any bytes come back from their line, which is one line', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const line = entryLine(recordEntry(lines, framed(Buffer.from(bytes)), place))
      t.false(line.includes('\n'))
      const { raw, raw_base64: base64 } = JSON.parse(line) as { raw?: string; raw_base64?: string }
      const back = raw === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(raw)
      t.true(back.equals(bytes))
    }),
  )
})
