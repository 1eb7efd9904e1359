import { createHash } from 'node:crypto'
import test from 'ava'
import * as fc from 'fast-check'
import type { Candidate, Judged, Prefix, Seen, Verdict, Witness } from '../../src/core/identity.ts'
import { choose, contentId, firstLine, judge, parseSourceId, probesFor, sourceId } from '../../src/core/identity.ts'

const sha = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

// Made with `printf 'ROOT\0FAMILY\0FIRST RECORD' | sha256sum | head -c 32`.
const vectors: [string, string, Buffer, Buffer, string][] = [
  [
    'an LSF record',
    'lsf',
    Buffer.from('lsb.acct'),
    Buffer.from('"JOB_FINISH" "10.108" 1762000000'),
    'a527814ae2a463f3f94a88e81fd5e669',
  ],
  ['an empty first record', 'a', Buffer.from('b'), Buffer.alloc(0), '8fb20ef63ced4145fc2e983ffe597d1d'],
  [
    'bytes that are no text',
    'pbs',
    Buffer.from('ol\xe9d/%', 'latin1'),
    Buffer.of(0xff, 0xfe),
    '90a2c079c4c8f9eaf274dfa871cb0f68',
  ],
  [
    'a record cut at 64 KiB',
    'lsf',
    Buffer.from('lsb.acct'),
    Buffer.alloc(70_000, 'x'),
    '25b095d341d572347093ecb056d67d07',
  ],
]
for (const [title, root, family, first, expected] of vectors) {
  test(`the content id of ${title} is a fixed vector`, (t) => t.is(contentId(root, family, first), expected))
}

test('a source id is c0 and n, and nothing else is one', (t) => {
  const c0 = 'a527814ae2a463f3f94a88e81fd5e669'
  t.deepEqual(parseSourceId(sourceId(c0, 0)), { c0, n: 0 })
  t.deepEqual(parseSourceId(sourceId(c0, 120)), { c0, n: 120 })
  for (const wrong of [
    '',
    c0,
    `${c0}-`,
    `${c0}-01`,
    `${c0}--1`,
    `${c0.toUpperCase()}-0`,
    `x${c0}-0`,
    `${c0}-0/..`,
    `${c0}-1234567890`,
  ]) {
    t.is(parseSourceId(wrong), null, wrong)
  }
})

const line = (text: string, header: Parameters<typeof firstLine>[1] = 'none') =>
  firstLine(Buffer.from(text), header)?.toString() ?? null

test('the first record is the first complete line without its newline', (t) => {
  t.is(line('one\ntwo\n'), 'one')
  t.is(line('\ntwo\n'), '')
  t.is(line('one'), null)
  t.is(line(''), null)
})

test('header lines are skipped, and a file that holds only those has no record yet', (t) => {
  t.is(line('# a\n# b\none\n', { prefix: '#' }), 'one')
  t.is(line('# a\n# b', { prefix: '#' }), null)
  t.is(line('# a\n', { prefix: '#' }), null)
  t.is(line('one\n# a\n', { prefix: '#' }), 'one')
  t.is(line('JobID|User\n1|x\n', { lines: 1 }), '1|x')
  t.is(line('JobID|User\n', { lines: 1 }), null)
  t.is(line('one\n', { lines: 0 }), 'one')
})

test('a first line longer than 64 KiB is cut there, whether or not its end was seen', (t) => {
  const long = Buffer.alloc(70_000, 'x')
  t.is(firstLine(long, 'none')?.length, 65_536)
  t.is(firstLine(Buffer.concat([long, Buffer.from('\n')]), 'none')?.length, 65_536)
  t.is(firstLine(long.subarray(0, 65_535), 'none'), null)
})

/** A file as one look sees it, answering for any range. */
function seenOf(text: string): Seen {
  const bytes = Buffer.from(text)
  return {
    size: bytes.length,
    beginning: bytes.subarray(0, 4096),
    hash: (start, end) => (end > bytes.length ? null : sha(bytes.subarray(start, end))),
  }
}

function witness(text: string, end: number, length = Math.min(4, end)): Witness {
  return { end, length, sha256: sha(Buffer.from(text).subarray(end - length, end)) }
}

/** A source that holds `text`, archived in one segment. */
function candidateOf(text: string, over: Partial<Candidate> = {}): Candidate {
  const bytes = Buffer.from(text)
  const beginning = { length: Math.min(4096, bytes.length), sha256: sha(bytes.subarray(0, 4096)) }
  const evidence = { earlier: null, heldElsewhere: null, prefix: null }
  return { id: 'c-0', head: bytes.length, beginning, witness: witness(text, bytes.length), ...evidence, ...over }
}

function prefixOf(text: string, size: number, start = 0): Prefix {
  const bytes = Buffer.from(text)
  const beginning = sha(bytes.subarray(0, Math.min(4096, size)))
  return {
    size,
    start,
    sha256: sha(bytes.subarray(start, size)),
    witness: start > 0 ? witness(text, start) : null,
    beginning,
  }
}

const archived = 'aaaa\nbbbb\ncccc\n'
const holder = { verdict: 'need', evidence: 'holder' }
const table: [string, Candidate, string, object][] = [
  ['equal to the head: same', candidateOf(archived), archived, { verdict: 'same' }],
  ['longer than the head, last witness equal: same', candidateOf(archived), `${archived}dddd\n`, { verdict: 'same' }],
  ['another beginning: different', candidateOf(archived), 'Xaaa\nbbbb\ncccc\n', { verdict: 'different' }],
  [
    'a short file with another end: different by its beginning',
    candidateOf(archived),
    'aaaa\nbbbb\nXccc\n',
    { verdict: 'different' },
  ],
  [
    'shorter than the head: the prefix must be known',
    candidateOf(archived),
    'aaaa\n',
    { verdict: 'need', evidence: 'prefix' },
  ],
  [
    'shorter, equal to the archived bytes: prefix',
    candidateOf(archived, { prefix: prefixOf(archived, 5) }),
    'aaaa\n',
    { verdict: 'prefix' },
  ],
  [
    'shorter, diverging: different',
    candidateOf(archived, { prefix: prefixOf(archived, 5) }),
    'aaaX\n',
    { verdict: 'different' },
  ],
  [
    'shorter, witness before it differs: different',
    candidateOf(archived, { prefix: prefixOf(archived, 12, 10) }),
    'aaaa\nbbbX\ncc',
    { verdict: 'different' },
  ],
  [
    'shorter, evidence for another size: asked again',
    candidateOf(archived, { prefix: prefixOf(archived, 5) }),
    'aaaa\nbb',
    { verdict: 'need', evidence: 'prefix' },
  ],
  [
    'diverged before, grown since: stays different',
    candidateOf(archived, { prefix: prefixOf(archived, 5) }),
    'aaaX\nbbbb\n',
    { verdict: 'different' },
  ],
]
for (const [title, candidate, text, expected] of table) {
  test(`judge: ${title}`, (t) => t.like(judge(candidate, seenOf(text)), expected))
}

// Longer than 4 KiB, so that the beginning is equal while the last bytes are not.
const long = `${'a'.repeat(5000)}\nbbbb\ncccc\n`
const edited = `${'a'.repeat(5000)}\nbbbb\nXXXX\n`
const early = witness(long, 5006)

test('judge: a last witness that differs asks who holds it, then for earlier ones, in this order', (t) => {
  t.deepEqual(judge(candidateOf(long), seenOf(edited)), holder as Verdict)
  t.deepEqual(judge(candidateOf(long, { heldElsewhere: true }), seenOf(edited)), { verdict: 'different' })
  t.deepEqual(judge(candidateOf(long, { heldElsewhere: false }), seenOf(edited)), {
    verdict: 'need',
    evidence: 'earlier',
  })
  t.deepEqual(judge(candidateOf(long, { heldElsewhere: false, earlier: [early] }), seenOf(edited)), {
    verdict: 'same',
    matched: early,
  })
  t.deepEqual(judge(candidateOf(long, { heldElsewhere: false, earlier: [] }), seenOf(edited)), { verdict: 'different' })
})

test('judge: an earlier witness counts for nothing while another member holds the last one', (t) => {
  t.is(judge(candidateOf(long, { heldElsewhere: true, earlier: [early] }), seenOf(edited)).verdict, 'different')
})

test('judge: the longest earlier witness is the one that matched', (t) => {
  const earlier = [witness(edited, 5011), witness(long, 5006), witness(long, 5001)]
  const verdict = judge(candidateOf(long, { heldElsewhere: false, earlier }), seenOf(edited))
  t.deepEqual(verdict, { verdict: 'same', matched: earlier[0] as Witness })
})

test('judge: a range that was not probed never counts as equal', (t) => {
  const seen = { ...seenOf(archived), hash: () => undefined }
  t.not(judge(candidateOf(archived, { heldElsewhere: false, earlier: [] }), seen).verdict, 'same')
})

test('judge: the beginning is compared over the shorter length', (t) => {
  const candidate = candidateOf('aaaa\n')
  t.is(judge(candidate, seenOf('aaaa\nanything\n')).verdict, 'same')
})

test('probesFor asks for no range past the file, and for each that judge needs', (t) => {
  const candidate = candidateOf(archived, { earlier: [witness(archived, 5)], prefix: prefixOf(archived, 12, 10) })
  t.deepEqual(probesFor(candidate, 4), [])
  t.deepEqual(probesFor(candidate, 12), [
    { start: 10, end: 12 },
    { start: 6, end: 10 },
  ])
  t.deepEqual(probesFor(candidate, 15).slice(2), [
    { start: 11, end: 15 },
    { start: 1, end: 5 },
  ])
})

test('any growth of a source is the same, any shortening of it a prefix', (t) => {
  const text = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(text, fc.string({ maxLength: 20 }), fc.nat(), (held, more, cut) => {
      t.is(judge(candidateOf(held), seenOf(held + more)).verdict, 'same')
      const size = cut % Buffer.byteLength(held)
      if (size === 0) return
      const shorter = Buffer.from(held).subarray(0, size).toString('latin1')
      t.is(judge(candidateOf(held, { prefix: prefixOf(held, size) }), seenOf(shorter)).verdict, 'prefix')
    }),
  )
})

function judged(id: string, head: number, verdict: 'same' | 'prefix' | 'different'): Judged {
  const matched = witness(archived, 5)
  return {
    candidate: { ...candidateOf(archived), id, head },
    verdict: verdict === 'same' ? { verdict, matched } : { verdict },
  }
}

test('choose: of several that fit the longest head wins, then a prefix, then none', (t) => {
  const pick = (...all: Judged[]) => choose(all)?.candidate.id ?? null
  t.is(pick(judged('a', 5, 'same'), judged('b', 10, 'same'), judged('c', 20, 'prefix')), 'b')
  t.is(pick(judged('a', 5, 'different'), judged('b', 10, 'prefix'), judged('c', 20, 'prefix')), 'c')
  t.is(pick(judged('a', 5, 'different')), null)
  t.is(pick(), null)
})

test('choose: of equal heads the first candidate wins, so every node chooses alike', (t) => {
  t.is(choose([judged('a', 5, 'same'), judged('b', 5, 'same')])?.candidate.id, 'a')
})
