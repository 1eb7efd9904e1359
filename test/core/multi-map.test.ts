import test from 'ava'
import * as fc from 'fast-check'
import { MultiMap } from '../../src/core/multi-map.ts'

const key = fc.constantFrom('a', 'b')
const text = fc.constantFrom('1', '2', '3')

test('it holds what was added and not deleted, each value once, in the order of adding', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key, text)), (steps) => {
      const map = new MultiMap<string, string>()
      const expected: Record<string, Set<string>> = { a: new Set(), b: new Set() }
      for (const [adds, at, one] of steps) {
        if (adds) {
          map.add(at, one)
          expected[at]?.add(one)
        } else {
          map.delete(at, one)
          expected[at]?.delete(one)
        }
      }
      for (const at of ['a', 'b']) t.deepEqual(map.get(at), [...(expected[at] ?? [])])
    }),
  )
})
