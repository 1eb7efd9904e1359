import test from 'ava'
import { bytesOf, countOf, epochMs, secondsBetween, secondsOf } from '../../src/formats/quantity.ts'

const durations: [string, number | null][] = [
  ['00:00:16', 16],
  ['19:23:4', 69_784],
  ['800:00:00', 2_880_000],
  ['1-02:24:13', 95_053],
  ['8-15:40:36', 747_636],
  ['01:05.753', 65.753],
  ['12722', 12_722],
  ['0', 0],
  ['', null],
  ['-16', null],
  ['1-02', null],
  ['UNLIMITED', null],
  ['1:2:3:4', null],
]
for (const [text, seconds] of durations)
  test(`the duration ${text} is ${seconds} s`, (t) => t.is(secondsOf(text), seconds))

const sizes: [string, number | null][] = [
  ['0kb', 0],
  ['2031040kb', 2_079_784_960],
  ['10gb', 10 * 1024 ** 3],
  ['10GB', 10 * 1024 ** 3],
  ['12.27M', 12_866_028],
  ['1.40G', 1_503_238_554],
  ['3228K', 3_305_472],
  ['512b', 512],
  ['512', 512],
  ['20H', null],
  ['', null],
  ['-1kb', null],
  ['999999999999999E', null],
]
for (const [text, bytes] of sizes) test(`the size ${text} is ${bytes} bytes`, (t) => t.is(bytesOf(text), bytes))

test('what is missing is null', (t) => {
  t.is(secondsOf(null), null)
  t.is(bytesOf(null), null)
  t.is(countOf(null), null)
  t.is(epochMs(null), null)
})

test('an epoch of 0 stands for never', (t) => {
  t.is(epochMs('0'), null)
  t.is(epochMs('1317427530'), 1_317_427_530_000)
  t.is(epochMs('yesterday'), null)
})

test('a time between is never below 0', (t) => {
  t.is(secondsBetween(1000, 3500), 2.5)
  t.is(secondsBetween(3500, 1000), null)
  t.is(secondsBetween(null, 1000), null)
})
