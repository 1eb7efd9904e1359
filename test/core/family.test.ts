import test from 'ava'
import * as fc from 'fast-check'
import { commonRotation, compileFamilyRules, condorRotation, familyOf, isActive } from '../../src/core/family.ts'

const common = compileFamilyRules({ rotation: commonRotation, oldDirectories: ['old/'] })
const condor = compileFamilyRules({ rotation: condorRotation, oldDirectories: [] })
const none = compileFamilyRules({ rotation: [], oldDirectories: [] })

const families: [string, string][] = [
  ['lsb.acct', 'lsb.acct'],
  ['lsb.acct.1', 'lsb.acct'],
  ['lsb.acct.12', 'lsb.acct'],
  ['old/lsb.acct.1.gz', 'lsb.acct'],
  ['a/old/lsb.acct.1.gz', 'a/lsb.acct'],
  ['older/lsb.acct', 'older/lsb.acct'],
  ['accounting-20260301.gz', 'accounting'],
  ['accounting-20260301-1', 'accounting'],
  ['accounting.2026-03-01', 'accounting'],
  ['accounting.2026-03-01T10:15:00', 'accounting'],
  ['accounting_2026-03-01_1015.zst', 'accounting'],
  ['accounting.old', 'accounting'],
  ['accounting.bak.xz', 'accounting'],
  ['accounting.1.gz.old', 'accounting'],
  ['accounting.gz', 'accounting'],
  ['accounting1', 'accounting1'],
  ['.1', '.1'],
  ['.gz', '.gz'],
  ['20260301', '20260301'],
  ['dir.1/name', 'dir.1/name'],
]
for (const [path, family] of families)
  test(`${path} is of the family ${family}`, (t) => t.is(familyOf(path, common), family))

test('a PBS day file is named by its date, which has no separator before it: each is its own family', (t) => {
  t.is(familyOf('accounting/20260301', common), 'accounting/20260301')
  t.is(familyOf('accounting/20260301.gz', common), 'accounting/20260301')
})

test('of HTCondor, a time is a rotation and a job number is not', (t) => {
  t.is(familyOf('history.20260301T101500', condor), 'history')
  t.is(familyOf('history.377260.0', condor), 'history.377260.0')
})

test('without rotation rules only the compression suffix comes off', (t) => {
  t.is(familyOf('a.1.gz', none), 'a.1')
  t.is(familyOf('a.gz.1', none), 'a.gz.1')
})

test('rules that were added are tried after those that were there', (t) => {
  const added = compileFamilyRules({ rotation: [...commonRotation, String.raw`-\w+$`], oldDirectories: [] })
  t.is(familyOf('lsb.acct.1', added), familyOf('lsb.acct.1', common))
  t.is(familyOf('lsb.acct-saved', added), 'lsb.acct')
})

const names = fc.array(
  fc.constantFrom('a', 'lsb', '1', '20260301', '2026-03-01', 'gz', 'zst', 'old', 'bak', 'T10', '%20'),
  { minLength: 1, maxLength: 5 },
)
const paths = fc
  .tuple(fc.array(fc.constantFrom('d', 'old', 'x.1'), { maxLength: 3 }), names, fc.constantFrom('.', '-', '_', ''))
  .map(([directories, parts, separator]) => [...directories, parts.join(separator)].join('/'))

test('a suffix never takes the whole name', (t) => {
  fc.assert(fc.property(paths, (path) => t.regex(familyOf(path, common), /[^/]$/)))
})

test('a family is its own family, so its active name is in it', (t) => {
  fc.assert(fc.property(paths, (path) => t.true(isActive(familyOf(path, common), common))))
})

test('a rotated name in the old directory is of the family of the active one', (t) => {
  const suffixes = fc.array(fc.constantFrom('.1', '.20260301', '.old', '.gz', '-2026-03-01'), { maxLength: 9 })
  fc.assert(fc.property(suffixes, (some) => t.is(familyOf(`d/old/acct${some.join('')}`, common), 'd/acct')))
})

test('old directories in old directories come off as well, and never a part of a name', (t) => {
  t.is(familyOf('d/old/old/acct', common), 'd/acct')
  t.is(familyOf('d/bold/acct', common), 'd/bold/acct')
})
