import test from 'ava'
import * as fc from 'fast-check'
import { LruMap } from '../../src/core/lru.ts'

test('what was longest unused is forgotten first', (t) => {
  const map = new LruMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  t.is(map.get('a'), 1)
  map.set('c', 3)
  t.deepEqual([map.get('a'), map.get('b'), map.get('c')], [1, undefined, 3])
})

test('setting again renews, deleting makes room', (t) => {
  const map = new LruMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  map.set('c', 4)
  t.deepEqual(
    [...map.entries()],
    [
      ['a', 3],
      ['c', 4],
    ],
  )
  map.delete('a')
  map.set('d', 5)
  t.deepEqual(
    [...map.entries()],
    [
      ['c', 4],
      ['d', 5],
    ],
  )
})

test('it never holds more than its bound, and always what was set last', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.tuple(fc.boolean(), fc.nat(8))), (max, steps) => {
      const map = new LruMap<number, number>(max)
      for (const [isSet, key] of steps) {
        if (!isSet) map.get(key)
        else {
          map.set(key, key)
          t.is(map.get(key), key)
        }
        t.true(map.size <= max)
      }
    }),
  )
})
