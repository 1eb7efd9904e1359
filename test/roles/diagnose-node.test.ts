import test from 'ava'
import {
  diagnoseAccess,
  diagnoseLock,
  diagnoseOpenFiles,
  diagnoseRuntime,
  diagnoseSigning,
  diagnoseSpace,
} from '../../src/roles/diagnose-node.ts'

test('Object Lock: what is configured against what the bucket has', (t) => {
  const on = { enabled: true, byDefault: null }
  const off = { enabled: false, byDefault: null }
  t.is(diagnoseLock('COMPLIANCE', on).result, 'ok')
  t.like(diagnoseLock('COMPLIANCE', off), { result: 'fail', means: 'every segment would be refused' })
  t.regex(diagnoseLock(null, off).means, /can be deleted/)
  t.regex(
    diagnoseLock(null, { enabled: true, byDefault: 'GOVERNANCE for 30 days' }).found,
    /on, GOVERNANCE for 30 days/,
  )
  t.is(diagnoseLock('COMPLIANCE', 'denied').result, 'warn')
  t.is(diagnoseLock(null, 'denied').result, 'ok')
  t.regex(diagnoseLock(null, null).found, /directory/)
})

test('Redis: permissions, latency and clock', (t) => {
  const fine = { user: 'gleaner', refused: [], latencyMs: 0.4, clockMs: 1000 }
  t.deepEqual(
    diagnoseAccess(fine, 1200).map(({ result }) => result),
    ['ok', 'ok', 'ok'],
  )
  const [permissions, latency, clocks] = diagnoseAccess(
    { user: null, refused: ['XADD'], latencyMs: 80, clockMs: 1000 },
    9000,
  )
  t.like(permissions, { result: 'fail', found: 'this user may not: XADD' })
  t.is(latency?.result, 'warn')
  t.like(clocks, { result: 'warn', found: "this node's clock is 8000 ms ahead of Redis's" })
  t.is(diagnoseAccess({ ...fine, clockMs: null }, 9000)[2]?.result, 'ok')
})

test('versions, open files, free space and the signing key', (t) => {
  t.is(diagnoseRuntime({ gleaner: '1.0.0', node: 'v26.1.0' }).result, 'ok')
  t.is(diagnoseRuntime({ gleaner: '1.0.0', node: 'v24.9.0' }).result, 'fail')
  t.deepEqual(
    [null, 4096, 1024].map((limit) => diagnoseOpenFiles(limit).result),
    ['ok', 'ok', 'warn'],
  )
  const space = (bytes: number | null): string => diagnoseSpace('archive', { place: '/a', bytes }).result
  t.deepEqual([null, 1e12, 1e6].map(space), ['warn', 'ok', 'warn'])
  t.is(diagnoseSpace('tmp', { place: '/tmp', bytes: 5e8 }).result, 'ok')
  t.is(diagnoseSigning(null).result, 'ok')
  t.regex(diagnoseSigning({ fingerprint: 'SHA256:x' }).found, /SHA256:x/)
  t.is(diagnoseSigning('no key').result, 'fail')
})
