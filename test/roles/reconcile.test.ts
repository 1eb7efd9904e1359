import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

test('a root that came back is up once all of it was seen, however long the work that was found takes', async (t) => {
  t.timeout(20_000)
  const { context, path, store } = openRoot(t)
  const [isUp, mayStore] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const told = { rootUp: (_root: string, up: boolean) => void (up && isUp.resolve()) }
  const telemetry = new Proxy(told, {
    get: (target, name) => (name === 'rootUp' ? target.rootUp : () => undefined),
  }) as unknown as Telemetry
  const slow = {
    ...store,
    async create(...create: Parameters<typeof store.create>) {
      await mayStore.promise
      return store.create(...create)
    },
  }
  const changed = { ...context, telemetry, store: slow }
  const worker = openWorker(changed, { inFlight: openThrottle(1e8) })
  await writeFile(join(path, 'a'), 'one\n')
  const pass = openReconciler(changed, worker).pass({ full: true })
  await isUp.promise
  mayStore.resolve()
  t.true((await pass).ran)
})
