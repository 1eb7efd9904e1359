import test from 'ava'
import * as fc from 'fast-check'
import { decodePath, encodePath, isInside, pathText } from '../../src/core/path.ts'

test('any bytes come back from their path, which is printable ASCII without spaces', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const path = encodePath(bytes)
      t.regex(path, /^[\x21-\x7e]*$/)
      t.deepEqual(decodePath(path), Buffer.from(bytes))
    }),
  )
})

test('equal paths are equal names', (t) => {
  const names = fc
    .uint8Array({ maxLength: 4, max: 4 })
    .map((bytes) => bytes.map((byte) => [0x25, 0x32, 0x35, 0x20, 0xff][byte] as number))
  fc.assert(
    fc.property(names, names, (a, b) => {
      t.is(encodePath(a) === encodePath(b), Buffer.from(a).equals(b))
    }),
  )
})

test('a view into a larger buffer is encoded as itself', (t) => {
  t.is(encodePath(Buffer.from('xx lsb.acct yy').subarray(3, 11)), 'lsb.acct')
})

test('percent signs, spaces, newlines and what is not ASCII are escaped', (t) => {
  t.is(encodePath(Buffer.from('a b\n%41/é')), 'a%20b%0A%2541/%C3%A9')
  t.is(pathText('a%20b/%C3%A9'), 'a b/é')
  t.is(pathText('%FF'), '\uFFFD')
})

test('a percent sign without two hex digits stands for itself', (t) => {
  t.deepEqual(decodePath('100%'), Buffer.from('100%'))
  t.deepEqual(decodePath('%zz%4'), Buffer.from('%zz%4'))
  t.deepEqual(decodePath('%41é'), Buffer.from('Aé'))
})

for (const path of ['a', 'a/b', '...', 'a/..b', 'a%20b', '%2E%2E%2Ea', 'x'.repeat(4096)]) {
  test(`inside: ${path.slice(0, 20)}`, (t) => t.true(isInside(path)))
}
const outside = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/.',
  '%2e%2e/a',
  'a%2F..%2Fb',
  'a%00b',
  'x'.repeat(4097),
  '%41'.repeat(4097),
]
for (const path of outside) {
  test(`not inside: ${path.slice(0, 20) || '(empty)'} (${path.length})`, (t) => t.false(isInside(path)))
}
