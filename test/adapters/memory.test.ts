import { readFileSync, realpathSync } from 'node:fs'
import test from 'ava'
import { cleanProgram, giveBackMemory } from '../../src/adapters/memory.ts'

const mapping = (line: string, anonymousKiB: number): string =>
  `${line}\nSize:                  4 kB\nRss:                   4 kB\nAnonymous:             ${anonymousKiB} kB\nVmFlags: rd mr mw me sd \n`

test('of the program, only what cannot be written and never was counts, and no second mapping of it', (t) => {
  const smaps = [
    mapping('00400000-0082e000 r--p 00000000 fe:00 5449223                            /opt/a b/node', 0),
    mapping('0082e000-03489000 r-xp 0042e000 fe:00 5449223                            /opt/a b/node', 0),
    mapping('03489000-072a7000 r--p 03089000 fe:00 5449223                            /opt/a b/node', 0),
    mapping('072a7000-072dc000 r--p 06ea7000 fe:00 5449223                            /opt/a b/node', 24),
    mapping('072dc000-07308000 rw-p 06edc000 fe:00 5449223                            /opt/a b/node', 0),
    mapping('07308000-07395000 r-xp 01627000 fe:00 5449223                            /opt/a b/node', 0),
    mapping('0ad0b000-0cf2a000 rw-p 00000000 00:00 0                                  [heap]', 4),
    mapping('7fb4d6580000-7fb4d6795000 r-xp 01627000 fe:00 5449223                    /opt/a b/node', 0),
    mapping('7fb507dc0000-7fb507fd5000 r--p 07627000 fe:00 5449223                    /opt/a b/node', 0),
  ].join('')
  t.deepEqual(cleanProgram(smaps, '/opt/a b/node'), [
    { start: 0x400000n, end: 0x82e000n },
    { start: 0x82e000n, end: 0x3489000n },
    { start: 0x3489000n, end: 0x72a7000n },
  ])
  t.deepEqual(cleanProgram(smaps, '/opt/b/node'), [])
  t.deepEqual(cleanProgram('', '/opt/a b/node'), [])
})

test('a program whose text the system holds as memory of its own (large pages) is left alone', (t) => {
  const smaps = mapping('0082e000-03489000 r-xp 0042e000 fe:00 5449223              /opt/node', 45_000)
  t.deepEqual(cleanProgram(smaps, '/opt/node'), [])
})

test('the program runs on with what was given back, and less of its file is mapped', (t) => {
  const program = realpathSync('/proc/self/exe')
  const mapped = (): number => {
    const smaps = readFileSync('/proc/self/smaps', 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    const own = smaps.filter((one) => one.split('\n', 1)[0]?.endsWith(program))
    return own.reduce((sum, one) => sum + Number(/^Rss: +(\d+)/m.exec(one)?.[1]), 0)
  }
  const before = mapped()
  let collected = 0
  giveBackMemory(() => collected++)
  const after = mapped()
  t.is(collected, 1)
  t.true(before > 25_000, `${before} KiB`)
  t.true(after < before / 2, `${after} of ${before} KiB`)
  t.is(JSON.stringify({ still: [/r.ns/.exec('it runs')?.[0]] }), '{"still":["runs"]}')
})
