import type { ExecutionContext, TestFn } from 'ava'
import * as fc from 'fast-check'
import { GleanerError } from '../../src/errors.ts'
import type { Store } from '../../src/ports/store.ts'

/**
 * What every object store must do, whatever it is made of: `ports/store.ts` as tests. `open` gives a new, empty store, which is
 * ended by `close` after each test.
 */
export interface OpenedStore {
  store: Store
  close: () => Promise<void>
}

export function storeContract(test: TestFn, name: string, open: () => Promise<OpenedStore>): void {
  const check = (title: string, run: (t: ExecutionContext, store: Store) => Promise<void>) =>
    test(`${name}: ${title}`, async (t) => {
      const { store, close } = await open()
      try {
        await run(t, store)
      } finally {
        await close()
      }
    })

  check('a key is created once and keeps its first body', async (t, store) => {
    const first = await store.create('evidence/a.zst', text('first'))
    t.is(first.outcome, 'created')
    t.deepEqual(await store.create('evidence/a.zst', text('second')), { outcome: 'exists' })
    t.is((await store.get('evidence/a.zst'))?.body.toString(), 'first')
  })

  check('of 16 creates at once exactly one wins, and its body stands whole', async (t, store) => {
    for (let round = 0; round < 5; round++) {
      const key = `evidence/race/${round}`
      const bodies = Array.from({ length: 16 }, (_, n) => Buffer.alloc(100_000, n))
      const outcomes = await Promise.all(bodies.map((body) => store.create(key, body)))
      const winners = outcomes.flatMap(({ outcome }, n) => (outcome === 'created' ? [n] : []))
      t.is(winners.length, 1)
      t.is(outcomes.filter(({ outcome }) => outcome === 'exists').length, 15)
      t.true((await store.get(key))?.body.equals(Buffer.alloc(100_000, winners[0])))
    }
  })

  check('what was answered is seen by get and list at once', async (t, store) => {
    for (let n = 0; n < 10; n++) {
      await store.create(`evidence/seen/${n}`, text(String(n)))
      t.is((await store.get(`evidence/seen/${n}`))?.body.toString(), String(n))
      t.is((await store.list('evidence/seen/')).objects.length, n + 1)
    }
  })

  check('an empty object and 3 MiB of any bytes come back as they are', async (t, store) => {
    const body = Buffer.from(Array.from({ length: 3 << 20 }, (_, at) => (at * 31 + (at >> 8)) & 255))
    for (const [key, bytes] of [
      ['e', Buffer.alloc(0)],
      ['b', body],
    ] as const) {
      t.is((await store.create(key, bytes)).outcome, 'created')
      const object = await store.get(key)
      t.true(object?.body.equals(bytes))
      t.is(object?.size, bytes.length)
    }
  })

  check('a body in parts is stored as one, and may be overwritten once the call is answered', async (t, store) => {
    const parts = Array.from({ length: 3000 }, (_, n) => Buffer.from(`${n % 7 === 0 ? '' : n},`))
    const whole = Buffer.concat(parts)
    t.is((await store.create('evidence/parts', parts)).outcome, 'created')
    for (const part of parts) part.fill(0)
    t.true((await store.get('evidence/parts'))?.body.equals(whole))
    t.is((await store.create('evidence/none', [])).outcome, 'created')
    t.is((await store.get('evidence/none'))?.size, 0)
  })

  check('ranges, also from the end and past it', async (t, store) => {
    await store.create('digits', text('0123456789'))
    const part = async (range: Parameters<Store['get']>[1]) => {
      const object = await store.get('digits', range)
      t.is(object?.size, 10)
      t.true((object?.storedAtMs ?? 0) > 0)
      return object?.body.toString()
    }
    t.is(await part({ start: 0, end: 4 }), '0123')
    t.is(await part({ start: 4 }), '456789')
    t.is(await part({ start: 9, end: 10 }), '9')
    t.is(await part({ start: 8, end: 99 }), '89')
    t.is(await part({ start: 10 }), '')
    t.is(await part({ start: 99, end: 100 }), '')
    t.is(await part({ start: 5, end: 5 }), '')
    t.is(await part({ suffix: 3 }), '789')
    t.is(await part({ suffix: 99 }), '0123456789')
    t.is(await part({ suffix: 0 }), '')
    await store.create('none', Buffer.alloc(0))
    t.is((await store.get('none', { suffix: 5 }))?.body.length, 0)
    t.is((await store.get('none', { start: 0, end: 5 }))?.size, 0)
  })

  check('what is missing is null, also in part, and an empty list', async (t, store) => {
    t.is(await store.get('evidence/none'), null)
    t.is(await store.get('evidence/none', { start: 0, end: 1 }), null)
    t.is(await store.get('evidence/none', { suffix: 1 }), null)
    t.is(await store.get('evidence/none', { start: 1, end: 1 }), null)
    t.deepEqual(await store.list('evidence/none/'), { objects: [], more: false })
    await store.remove('derived/none')
    await store.create('evidence/file', text('x'))
    t.is(await store.get('evidence/file/below'), null)
    t.deepEqual(await store.list('evidence/file/'), { objects: [], more: false })
  })

  check('a list is in byte order of whole keys, by prefix, after a key, up to a limit', async (t, store) => {
    const keys = [
      'a',
      'a-b',
      'a.b/c',
      'a.c',
      'a0',
      'aa/b',
      'aa/b-',
      'aa/b.c/d',
      'aa/b0',
      'b/c/d/e',
      'b/c/d/f',
      'b/c-/d',
      'c',
    ]
    for (const key of keys.toReversed()) await store.create(key, text(key))
    const sorted = keys.toSorted()
    const all = await store.list('')
    t.deepEqual(
      all.objects.map(({ key }) => key),
      sorted,
    )
    t.false(all.more)
    t.true(all.objects.every(({ key, size, storedAtMs }) => size === key.length && storedAtMs > 0))
    const paged: string[] = []
    for (let after = '', more = true; more; after = paged.at(-1) ?? '') {
      const page = await store.list('', { after, limit: 2 })
      t.true(page.objects.length <= 2)
      paged.push(...page.objects.map(({ key }) => key))
      more = page.more
    }
    t.deepEqual(paged, sorted)
    const exactly = await store.list('', { limit: sorted.length })
    t.deepEqual([exactly.objects.length, exactly.more], [sorted.length, false])
    t.deepEqual(await store.list('../'), { objects: [], more: false })
  })

  check('a list equals the sort of all keys, for any keys, prefix and after', async (t, store) => {
    const name = fc
      .stringMatching(/^[!+\-./0:A_az~]{1,4}$/)
      .filter((part) => !part.startsWith('.') && !part.includes('/'))
    const key = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    const keys = fc
      .sample(key, { numRuns: 80, seed: 7 })
      .filter((one, at, all) => all.every((other, n) => n === at || !clash(one, other, n < at)))
    for (const one of keys) await store.create(one, text(one))
    const cut = fc.tuple(fc.constantFrom(...keys), fc.nat(8)).map(([one, length]) => one.slice(0, length))
    const after = fc.oneof(cut, key, fc.constantFrom(...keys))
    const limit = fc.integer({ min: 1, max: 30 })
    await fc.assert(
      fc.asyncProperty(fc.oneof(cut, fc.constant('')), after, limit, async (prefix, start, most) => {
        const expected = keys.toSorted().filter((one) => one.startsWith(prefix) && one > start)
        const { objects, more } = await store.list(prefix, { after: start, limit: most })
        t.deepEqual(
          objects.map((object) => object.key),
          expected.slice(0, most),
        )
        t.is(more, expected.length > most)
      }),
      { numRuns: 150, seed: 11 },
    )
  })

  check('put creates and replaces, remove removes, and the key can be created again', async (t, store) => {
    await store.put('derived/catalog/lsf', text('one'))
    await store.put('derived/catalog/lsf', text('two, longer'))
    t.is((await store.get('derived/catalog/lsf'))?.body.toString(), 'two, longer')
    await store.remove('derived/catalog/lsf')
    t.is(await store.get('derived/catalog/lsf'), null)
    t.is((await store.list('')).objects.length, 0)
    t.is((await store.create('derived/catalog/lsf', text('three'))).outcome, 'created')
    t.is((await store.list('')).objects.length, 1)
  })

  check('odd but legal keys are kept apart', async (t, store) => {
    const keys = [
      '%2F',
      '%',
      'a+b',
      'a%20b',
      "!*'()",
      'a&b=c?d#e',
      '<x>"y"',
      'a\\b',
      '~',
      `${'n'.repeat(255)}/z`,
      'x=1/date=2026-01-01/p',
    ]
    for (const key of keys) t.is((await store.create(key, text(key))).outcome, 'created', key)
    for (const key of keys) t.is((await store.get(key))?.body.toString(), key)
    t.deepEqual(
      (await store.list('')).objects.map(({ key }) => key),
      keys.toSorted(),
    )
  })

  check('what is not a key is refused, and evidence is never replaced', async (t, store) => {
    for (const key of [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      'a/../b',
      '../a',
      '.a',
      'a/.b',
      'a b',
      'a\0b',
      'ä',
      'n'.repeat(256),
      'a/'.repeat(460),
    ]) {
      for (const call of [
        () => store.create(key, text('x')),
        () => store.get(key),
        () => store.put(key, text('x')),
        () => store.remove(key),
      ]) {
        await t.throwsAsync(
          async () => await call(),
          { instanceOf: GleanerError, code: 'internal' },
          JSON.stringify(key),
        )
      }
    }
    await store.create('evidence/a', text('x'))
    await t.throwsAsync(async () => await store.put('evidence/a', text('y')), {
      instanceOf: GleanerError,
      code: 'internal',
    })
    t.is((await store.get('evidence/a'))?.body.toString(), 'x')
  })

  check('one clock: now, and the times of what was stored', async (t, store) => {
    const before = await store.nowMs()
    const created = await store.create('evidence/now', text('x'))
    const listed = (await store.list('evidence/')).objects[0]
    const got = await store.get('evidence/now')
    const after = await store.nowMs()
    const storedAtMs = created.outcome === 'created' ? created.storedAtMs : Number.NaN
    for (const ms of [before, after, storedAtMs, listed?.storedAtMs, got?.storedAtMs]) t.true(Number.isInteger(ms))
    t.is(listed?.storedAtMs, got?.storedAtMs)
    t.true(Math.abs(storedAtMs - (got?.storedAtMs ?? 0)) <= 2 * store.clockStepMs)
    t.true(after >= before)
    t.is(storedAtMs % store.clockStepMs, 0)
  })
}

function text(value: string): Buffer {
  return Buffer.from(value)
}

/** Whether two keys cannot be in one directory: one is the other, or is the directory that the other lies in. */
function clash(one: string, other: string, earlier: boolean): boolean {
  return (one === other && earlier) || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}
