import test from 'ava'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { sha256 } from '../../src/core/hash.ts'
import { parseSegmentKey, revisionKey } from '../../src/core/segment.ts'
import type { Store } from '../../src/ports/store.ts'
import { openBoundaries } from '../../src/roles/boundaries.ts'
import { openLedger } from '../../src/roles/ledger.ts'
import { expireBefore, putCatalog } from '../support/expiry.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'

/** `aa..-0`, as three segments of one line each, a day apart; the first `days` of them expired. */
const id = `${'a'.repeat(32)}-0`
const c0 = 'a'.repeat(32)
const texts = ['one\n', 'two two\n', 'three\n']
const times = ['2026-01-01T12:00:00Z', '2026-01-02T12:00:00Z', '2026-01-03T12:00:00Z']

async function expired(days: number): Promise<{ store: Store; keys: string[] }> {
  const store = openMemoryStore('memory://a')
  const keys = await archiveSource(store, texts, { source: id, times })
  await putCatalog(store)
  await expireBefore(store, `2026-01-0${days + 1}T00:00:00Z`)
  return { store, keys }
}

async function readAll(store: Store, start: number, end: number): Promise<string> {
  const pieces: Buffer[] = []
  for await (const { bytes } of openLedger(store, 'r').read(id, { start, end })) pieces.push(bytes)
  return Buffer.concat(pieces).toString()
}

for (const days of [1, 2, 3]) {
  test(`after ${days} of three segments have expired, the head is the same and its id is taken`, async (t) => {
    const { store, keys } = await expired(days)
    const [fresh] = [openLedger(store, 'r')]
    const whole = openMemoryStore('memory://b')
    await archiveSource(whole, texts, { source: id, times })
    const before = await openLedger(whole, 'r').last(id)
    const head = await fresh.last(id)
    for (const field of ['start', 'end', 'chain', 'sha256', 'witness', 'beginning', 'path', 'family'] as const)
      t.deepEqual(head?.[field], before?.[field], field)
    t.is(head?.expired, days === 3)
    t.deepEqual(
      (await openLedger(store, 'r').candidates(c0, 0)).map(({ source }) => source),
      [id],
    )
    t.is((await store.list('evidence/segments/')).objects.length, 3 - days)
    for (const key of keys) {
      const start = parseSegmentKey(key)?.start ?? -1
      const [one, other] = [await fresh.header(key, 0), await openLedger(whole, 'r').header(key, 0)]
      t.deepEqual(
        [one.start, one.end, one.chain, one.witness],
        [other.start, other.end, other.chain, other.witness],
        `${start}`,
      )
    }
  })

  test(`after ${days} of three have expired, what is left is read, and what is not is said to have expired`, async (t) => {
    const { store } = await expired(days)
    const text = texts.join('')
    const end = texts.slice(0, days).join('').length
    t.is(await readAll(store, end, text.length), text.slice(end))
    const error = await t.throwsAsync(readAll(store, 0, text.length), { code: 'expired' })
    t.regex(error.message, new RegExp(`first ${end} bytes have expired .*before 2026-01-0${days + 1}`))
    await t.throwsAsync(readAll(store, end - 1, end), { code: 'expired' })
    await t.throwsAsync(readAll(store, text.length, text.length + 1), { code: 'store-damaged' })
    t.is(await openLedger(store, 'r').expiredTo(id), end)
    const beginning = await openLedger(store, 'r').beginning(id, 4096)
    t.is(beginning.toString(), text.slice(0, end))
    t.is((await openLedger(store, 'r').beginning(id, 2)).toString(), 'on')
  })

  test(`after ${days} of three have expired, a shorter file is still a prefix, and its evidence is of its own bytes`, async (t) => {
    const { store } = await expired(days)
    const text = texts.join('')
    for (let size = 1; size < text.length; size++) {
      const prefix = await openLedger(store, 'r').prefix(id, size)
      t.is(prefix.beginning, sha256(text.slice(0, size)), `${size}`)
      t.is(prefix.sha256, sha256(text.slice(prefix.start, size)), `${size}`)
      const { witness } = prefix
      if (witness) t.is(witness.sha256, sha256(text.slice(witness.end - witness.length, witness.end)), `${size}`)
      t.is(witness?.end ?? 0, [18, 12, 4, 0].find((end) => end <= size) ?? 0, `${size}`)
    }
  })
}

test('earlier witnesses outlive their segments, and those of revisions too', async (t) => {
  const store = openMemoryStore('memory://a')
  await archiveSource(store, texts, { source: id, times })
  const { object, header } = segmentObject([Buffer.from('ONE\n')], { source: id })
  await store.create(revisionKey('r', id, { start: 0, n: 1 }), object)
  await putCatalog(store)
  const before = await openLedger(store, 'r').earlierWitnesses(id)
  await expireBefore(store, '2026-01-04T00:00:00Z')
  t.is((await store.list('evidence/revisions/')).objects.length, 0)
  const after = await openLedger(store, 'r').earlierWitnesses(id)
  const inOrder = (all: typeof after): string[] => all.map(({ end, sha256: hash }) => `${end} ${hash}`).sort()
  t.deepEqual(inOrder(after), inOrder(before))
  t.true(after.some(({ sha256: hash }) => hash === header.witness.sha256))
})

test('a head is trusted for a while after the store has named it, then asked for; one that was passed is not built on', async (t) => {
  const store = openMemoryStore('memory://a')
  let atMs = 0
  const clock = { monotonicMs: () => atMs, wallMs: () => 0, delay: () => Promise.resolve() }
  await archiveSource(store, texts.slice(0, 1), { source: id, times })
  let lists = 0
  const counted: Store = { ...store, list: (...args) => (lists++, store.list(...args)) }
  const ledger = openLedger(counted, 'r', { clock, headTrustedMs: 100 })
  const head = await ledger.last(id)
  if (!head) return t.fail()
  lists = 0
  t.true(await ledger.isCurrent(head))
  t.is(lists, 0)
  atMs = 101
  t.true(await ledger.isCurrent(head))
  t.is(lists, 1)
  await archiveSource(store, texts, { source: id, times })
  await putCatalog(store)
  await expireBefore(store, '2026-01-04T00:00:00Z')
  atMs = 202
  t.false(await ledger.isCurrent(head))
  t.is(ledger.known(id)?.end, 18)
  t.false(await ledger.isCurrent(head))
})

test('whether anything has expired is listed once for all who asked before, and anew for whoever asks later', async (t) => {
  const store = openMemoryStore('memory://a')
  const begun: (() => void)[] = []
  const slow: Store = {
    ...store,
    async list(prefix, options) {
      if (prefix.startsWith('evidence/boundaries/')) await new Promise<void>((resolve) => void begun.push(resolve))
      return store.list(prefix, options)
    },
  }
  const boundary = openBoundaries(slow, 'r')
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
  const early = Array.from({ length: 10 }, (_, n) => boundary(`${c0}-${n}`))
  await turn()
  t.is(begun.length, 1)
  // What asks while a listing is under way is not answered by it.
  const later = [boundary(id), boundary(`${c0}-1`)]
  await turn()
  t.is(begun.length, 1)
  begun[0]?.()
  t.deepEqual(
    await Promise.all(early),
    Array.from({ length: 10 }, () => null),
  )
  await archiveSource(store, texts, { source: id, times })
  await putCatalog(store)
  await expireBefore(store, '2026-01-02T00:00:00Z')
  await turn()
  t.is(begun.length, 2)
  const answers = Promise.all(later)
  for (let listed = 1; listed < 4; listed++) {
    begun[listed]?.()
    for (let turns = 0; turns < 5; turns++) await turn()
  }
  const [own, other] = await answers
  t.is(own?.end, 4)
  t.is(other, null)
})

test('a listing of what has expired that fails is an error for those who asked, and is tried anew by the next', async (t) => {
  const store = openMemoryStore('memory://a')
  let fails = true
  const failing: Store = {
    ...store,
    list: (...args) => (fails ? Promise.reject(new Error('away')) : store.list(...args)),
  }
  const boundary = openBoundaries(failing, 'r')
  const both = await Promise.allSettled([boundary(id), boundary(`${c0}-1`)])
  t.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  fails = false
  t.is(await boundary(id), null)
})
