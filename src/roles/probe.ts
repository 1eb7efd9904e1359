import { GleanerError, isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'

/**
 * The probe: whether a store keeps the promises that an archive rests on, tried on this very bucket or directory before it is
 * trusted. Stores exist that answer a second create with 200, or do so only where versioning is on (Ceph 16), or in a race only.
 *
 *   create-only        a second create of a key is refused, and the first body stands
 *   one winner         of 16 creates at once, of bodies that differ, at most one is answered `created`, and its body stands whole
 *   read-after-write   what was created is there at once, for get and for list
 *   list order         keys in byte order, strictly after a given key, no more than asked for
 *
 * An answer that was lost is no failure: as for a segment, the key is read back and tells who won. Keys are under
 * `derived/probe/<random>/` and are removed at the end, where the store allows it. The checks run side by side: a probe mostly waits.
 */
export interface ProbeReport {
  /** Whether the store may hold an archive. */
  ok: boolean
  checks: ProbeCheck[]
}

export interface ProbeCheck {
  name: string
  ok: boolean
  /** What was seen, in words for an operator. */
  saw: string
}

interface Verdict {
  ok: boolean
  saw: string
}

type Check = (store: Store, place: string) => Promise<Verdict>

const checksInOrder: Record<string, Check> = {
  'create-only': createOnly,
  'one winner': oneWinner,
  'read-after-write': readAfterWrite,
  'list order': listOrder,
}
const racers = 16
const attemptsMax = 4

/**
 * `random` gives a new string of letters and digits. Throws what may pass by itself (`store-unreachable`, `-denied`, `-missing`,
 * `-full`): then the store was not judged, and is to be probed again.
 */
export async function probeStore(store: Store, options: { random: () => string }): Promise<ProbeReport> {
  const place = `derived/probe/${options.random()}/`
  const settled = await Promise.allSettled(
    Object.entries(checksInOrder).map(async ([name, check]): Promise<ProbeCheck> => {
      const verdict = await check(store, `${place}${name.replaceAll(' ', '-')}/`).catch(refusal)
      return { name, ...verdict }
    }),
  )
  await clear(store, place)
  const checks = settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  return { ok: checks.every(({ ok }) => ok), checks }
}

async function createOnly(store: Store, place: string): Promise<Verdict> {
  const key = `${place}key`
  const [first, second] = [Buffer.from('the first body'), Buffer.from('the second body')]
  const answers = [await settledCreate(store, key, first), await settledCreate(store, key, second)].join(', then ')
  const stands = (await store.get(key))?.body
  if (stands?.equals(first) !== true) return { ok: false, saw: `${answers}; the first body is gone` }
  return { ok: answers === 'created, then exists', saw: answers }
}

async function oneWinner(store: Store, place: string): Promise<Verdict> {
  const key = `${place}key`
  const bodies = Array.from({ length: racers }, (_, n) => Buffer.alloc(65_536, `racer ${n}, `))
  const settled = await Promise.allSettled(bodies.map((body) => store.create(key, body)))
  const outcomes = settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value.outcome
  })
  const stands = (await store.get(key))?.body
  const winner = stands === undefined ? -1 : bodies.findIndex((body) => body.equals(stands))
  const count = (outcome: string) => outcomes.filter((one) => one === outcome).length
  const saw = `of ${racers} at once: ${count('created')} created, ${count('exists')} exist, ${count('unknown')} unknown`
  if (stands === undefined && count('unknown') === racers) throw unanswered(key)
  if (stands === undefined) return { ok: false, saw: `${saw}; the object is not there` }
  if (winner < 0) return { ok: false, saw: `${saw}; the object is none of the bodies sent` }
  if (outcomes[winner] === 'exists') return { ok: false, saw: `${saw}; the body that stands was refused` }
  return { ok: count('created') === (outcomes[winner] === 'created' ? 1 : 0), saw }
}

async function readAfterWrite(store: Store, place: string): Promise<Verdict> {
  for (let n = 1; n <= 4; n++) {
    const key = `${place}${n}`
    const body = Buffer.from(`body ${n}`)
    await settledCreate(store, key, body)
    if ((await store.get(key))?.body.equals(body) !== true)
      return { ok: false, saw: `get did not give object ${n} back` }
    const { length } = (await store.list(place)).objects
    if (length !== n) return { ok: false, saw: `list gave ${length} objects of ${n}` }
  }
  return { ok: true, saw: '4 objects, each there at once' }
}

/** `-` and `.` sort before `/`, digits after it: a store that sorts folder by folder gives these in another order. */
async function listOrder(store: Store, place: string): Promise<Verdict> {
  const names = ['a-b', 'a.b', 'a/b', 'a0', 'b']
  for (const name of ['b', 'a/b', 'a0', 'a.b', 'a-b']) await settledCreate(store, place + name, Buffer.from(name))
  const lists = [
    { saw: await store.list(place), wanted: names, more: false },
    { saw: await store.list(place, { after: `${place}a/b` }), wanted: ['a0', 'b'], more: false },
    { saw: await store.list(place, { after: `${place}a.` }), wanted: ['a.b', 'a/b', 'a0', 'b'], more: false },
    { saw: await store.list(place, { after: `${place}a-b`, limit: 2 }), wanted: ['a.b', 'a/b'], more: true },
  ]
  for (const { saw, wanted, more } of lists) {
    const [got, expected] = [saw.objects.map(({ key }) => key.slice(place.length)).join(' '), wanted.join(' ')]
    if (got !== expected) return { ok: false, saw: `listed ${got || 'nothing'} where ${expected} was expected` }
    if (saw.more !== more) return { ok: false, saw: `said that ${saw.more ? 'more' : 'nothing'} follows ${got}` }
  }
  return { ok: true, saw: names.join(' ') }
}

/** A create whose outcome is certain: an unknown one is read back, and sent again where nothing is there. */
async function settledCreate(store: Store, key: string, body: Buffer): Promise<'created' | 'exists'> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const { outcome } = await store.create(key, body)
    if (outcome === 'created' || (outcome === 'exists' && attempt === 1)) return outcome
    const found = await store.get(key)
    if (found !== null) return found.body.equals(body) ? 'created' : 'exists'
  }
  throw unanswered(key)
}

function unanswered(key: string): GleanerError {
  const message = 'the store did not say whether it created an object, and it is not there'
  return new GleanerError('store-unreachable', { operation: 'probe', subject: key, message })
}

/** A store that refuses for good has failed the check; what may pass is thrown on. */
function refusal(error: unknown): Verdict {
  if (isGleanerError(error) && !error.retry && error.code !== 'internal') return { ok: false, saw: error.message }
  throw error
}

async function clear(store: Store, place: string): Promise<void> {
  try {
    const { objects } = await store.list(place)
    await Promise.all(objects.map(({ key }) => store.remove(key)))
  } catch {
    // What stays behind is a few objects under derived/probe/.
  }
}
