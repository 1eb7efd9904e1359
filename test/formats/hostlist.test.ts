import test from 'ava'
import * as fc from 'fast-check'
import { countRange, expandHosts } from '../../src/formats/hostlist.ts'

const lists: [string, string[]][] = [
  ['n1', ['n1']],
  ['a,b', ['a', 'b']],
  ['node[01-03,7]', ['node01', 'node02', 'node03', 'node7']],
  ['d09n04s[01-02],k1', ['d09n04s01', 'd09n04s02', 'k1']],
  ['r[0-1]n[1-2]-ib', ['r0n1-ib', 'r0n2-ib', 'r1n1-ib', 'r1n2-ib']],
  ['n[8-11]', ['n8', 'n9', 'n10', 'n11']],
  ['n[098-101]', ['n098', 'n099', 'n100', 'n101']],
  ['', []],
  [',a,', ['a']],
  ['n[1-', ['n[1-']],
  ['n[a-b]', ['n[a-b]']],
  ['n[]', ['n[]']],
  ['n]1[', ['n]1[']],
]
for (const [text, hosts] of lists) test(`the hosts of ${text}`, (t) => t.deepEqual(expandHosts(text), hosts))

test('a list that stands for too many hosts stays as it was written', (t) => {
  t.deepEqual(expandHosts('n[1-999999999]'), ['n[1-999999999]'])
  t.deepEqual(expandHosts('n[1-1000][1-1000][1-1000]'), ['n[1-1000][1-1000][1-1000]'])
  t.is(expandHosts('n[1-16384]').length, 16_384)
  t.is(expandHosts(Array(20).fill('n[1-16000]').join(',')).length <= 16_384, true)
})

test('any text gives a bounded number of hosts', (t) => {
  const texts = fc
    .array(fc.constantFrom('n', '[', ']', ',', '-', '0', '9', '99999', 'x'), { maxLength: 40 })
    .map((parts) => parts.join(''))
  fc.assert(fc.property(texts, (text) => t.true(expandHosts(text).length <= 16_384)))
})

const ranges: [string, number | null][] = [
  ['1-3', 3],
  ['1,5', 2],
  ['9-11,13,16-20', 9],
  ['1-10:2', 5],
  ['0-7%4', 8],
  ['7', 1],
  ['1-999999999999', null],
  ['1-3,...', null],
  ['', null],
]
for (const [text, count] of ranges) test(`${text} stands for ${count}`, (t) => t.is(countRange(text), count))
