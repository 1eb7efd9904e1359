import { execFileSync } from 'node:child_process'
import test from 'ava'
import { chainOf } from '../../src/core/chain.ts'

const hello = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

test('the chain of a first segment is a fixed vector', (t) => {
  // printf 'id-0\n0\n5\n2cf2...9824\n' | sha256sum
  const link = { start: 0, end: 5, sha256: hello }
  t.is(chainOf('id-0', link), 'b902ffeaea71425e03c7bad8366cba95fefb753cb9cfa4d76126f4078aed9fbb')
})

test('printf and sha256sum compute the same chain over several segments', (t) => {
  const script = `
    chain=a3f1-0
    for range in "0 5" "5 10" "10 1000000000000001"; do
      set -- $range
      chain=$(printf '%s\\n%s\\n%s\\n%s\\n' "$chain" "$1" "$2" ${hello} | sha256sum | cut -d' ' -f1)
    done
    echo "$chain"`
  const expected = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim()
  const links = [
    { start: 0, end: 5, sha256: hello },
    { start: 5, end: 10, sha256: hello },
    { start: 10, end: 1_000_000_000_000_001, sha256: hello },
  ]
  t.is(links.reduce(chainOf, 'a3f1-0'), expected)
})

test('every field of a link counts', (t) => {
  const link = { start: 1, end: 23, sha256: hello }
  const others = [
    chainOf('id-1', link),
    chainOf('id-0', { ...link, start: 12, end: 3 }),
    chainOf('id-0', { ...link, end: 24 }),
    chainOf('id-0', { ...link, sha256: hello.replace('2', '3') }),
  ]
  t.is(new Set([chainOf('id-0', link), ...others]).size, 5)
})
