import test from 'ava'
import { spawnSync } from 'node:child_process'
import { longestGapMs, repeat, type Every } from '../../src/adapters/cron.ts'
import { isGleanerError } from '../../src/errors.ts'

const source = new URL('../../src/adapters/cron.ts', import.meta.url).href
const eachSecond: Every = { kind: 'cron', expression: '* * * * * *' }

/** A function to repeat: counts its calls, and ends each when `release` is called. */
function job() {
  const state = { calls: 0, now: 0, most: 0 }
  let waiters: (() => void)[] = []
  let called: (() => void)[] = []
  return {
    state,
    /** Ends the call that is under way. */
    release() {
      for (const waiter of waiters) waiter()
      waiters = []
    },
    /** Resolves at the next call. */
    next: () => new Promise<void>((resolve) => called.push(resolve)),
    run: async () => {
      state.calls++
      state.most = Math.max(state.most, ++state.now)
      for (const each of called) each()
      called = []
      await new Promise<void>((resolve) => waiters.push(resolve))
      state.now--
    },
  }
}

const hold = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

for (const [name, every, waitMs] of [
  ['an interval', { kind: 'interval', ms: 5 }, 50],
  ['a cron expression', eachSecond, 2200],
] as const) {
  test(`${name}: calls do not overlap, and go on after a long one`, async (t) => {
    // The schedule's timers do not keep the test's process alive; this does.
    const keep = setInterval(() => undefined, 1000)
    const work = job()
    const first = work.next()
    const repetition = repeat(every, { run: work.run, failed: (error) => t.fail(String(error)) })
    await first
    await hold(waitMs)
    t.is(work.state.calls, 1)
    const second = work.next()
    work.release()
    await second
    t.deepEqual({ ...work.state }, { calls: 2, now: 1, most: 1 })
    const stopping = repetition.stop()
    let stopped = false
    void stopping.then(() => {
      stopped = true
    })
    await hold(20)
    t.false(stopped, 'stop waits for the call under way')
    work.release()
    await stopping
    await hold(waitMs / 2)
    t.is(work.state.calls, 2)
    clearInterval(keep)
  })
}

test('an interval calls at once', async (t) => {
  let calls = 0
  const repetition = repeat({ kind: 'interval', ms: 1e8 }, { run: async () => void calls++, failed: () => undefined })
  t.is(calls, 1)
  await repetition.stop()
  await repetition.stop()
})

test('what a call throws is told, and the schedule goes on', async (t) => {
  const keep = setInterval(() => undefined, 1000)
  const errors: unknown[] = []
  const third = Promise.withResolvers<void>()
  const repetition = repeat(
    { kind: 'interval', ms: 1 },
    {
      run: () => Promise.reject(new Error('no')),
      failed(error) {
        if (errors.push(error) === 3) third.resolve()
      },
    },
  )
  await third.promise
  await repetition.stop()
  clearInterval(keep)
  t.deepEqual(errors.slice(0, 3).map(String), ['Error: no', 'Error: no', 'Error: no'])
})

test('an expression that is none is refused', (t) => {
  const error = t.throws(() =>
    repeat({ kind: 'cron', expression: '61 * * * *' }, { run: async () => undefined, failed: () => undefined }),
  )
  t.true(isGleanerError(error, 'config-invalid'))
})

test('a schedule does not keep a process alive, and prints nothing', (t) => {
  const program = `
    const { repeat } = await import('${source}')
    repeat({ kind: 'interval', ms: 1e6 }, { run: async () => {}, failed() {} })
    repeat({ kind: 'cron', expression: '0 3 * * *' }, { run: async () => {}, failed() {} })`
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 20_000,
    encoding: 'utf8',
  })
  t.deepEqual([ended.status, ended.stdout, ended.stderr], [0, '', ''])
})

test('the longest gap of an expression is found across nights and weekends', (t) => {
  const gap = (expression: string) => longestGapMs({ kind: 'cron', expression })
  const hourMs = 3_600_000
  t.is(gap('* * * * *'), 60_000)
  t.is(gap('*/10 * * * * *'), 10_000)
  t.true(Math.abs(gap('0 3 * * *') - 24 * hourMs) <= hourMs, 'a day, but for daylight saving')
  t.true(gap('* 8-18 * * 1-5') > 60 * hourMs)
  t.is(longestGapMs({ kind: 'interval', ms: 77 }), 77)
})
