import test from 'ava'
import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { systemClock } from '../../src/adapters/system-clock.ts'

const source = new URL('../../src/adapters/system-clock.ts', import.meta.url).href

/** The clock's timers do not keep the test's process alive; this does. */
async function awake<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1000)
  try {
    return await promise
  } finally {
    clearInterval(timer)
  }
}

test('a delay never ends early', async (t) => {
  for (const ms of [0, 0.4, 1, 2.5, 7, 13]) {
    const startMs = systemClock.monotonicMs()
    await awake(systemClock.delay(ms))
    t.true(systemClock.monotonicMs() - startMs >= ms)
  }
})

test('a negative delay, and one that is no number, end', async (t) => {
  await systemClock.delay(-5)
  await systemClock.delay(Number.NaN)
  t.pass()
})

test('a delay longer than a timer can be does not end at once', async (t) => {
  for (const ms of [2 ** 31 + 5, Number.POSITIVE_INFINITY]) {
    const controller = new AbortController()
    const long = systemClock.delay(ms, controller.signal).then(() => 'long')
    t.is(await awake(Promise.race([long, systemClock.delay(20).then(() => 'short')])), 'short')
    controller.abort()
    t.is(await long, 'long')
  }
})

test('abort ends a delay without rejecting, before or during it, and no listener stays', async (t) => {
  const controller = new AbortController()
  const waiting = systemClock.delay(1e9, controller.signal)
  await awake(systemClock.delay(1, controller.signal))
  t.is(getEventListeners(controller.signal, 'abort').length, 1)
  controller.abort()
  await waiting
  await systemClock.delay(1e9, controller.signal)
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('a delay does not keep a process alive', (t) => {
  const program = `const { systemClock } = await import('${source}'); void systemClock.delay(1e9)`
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
  t.is(ended.status, 0)
})

test('wallMs is milliseconds since 1970', (t) => {
  const before = Date.now()
  const now = systemClock.wallMs()
  t.true(now >= before && now <= Date.now())
})
