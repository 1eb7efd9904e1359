import test from 'ava'
import { diagnoseMount } from '../../src/roles/diagnose.ts'

test('a mount: who sees what, and the one client that a kernel may not survive', (t) => {
  const openAfs = { filesystem: 'afs', source: 'AFS' }
  const kernelAfs = { filesystem: 'afs', source: '%example.org:root.cell' }
  t.like(diagnoseMount('acct', { filesystem: 'ext4', source: '/dev/vda' }, false), { result: 'ok', todo: '' })
  t.regex(diagnoseMount('acct', { filesystem: 'nfs4', source: 'server:/export' }, true).means, /inotify is blind/)
  t.is(diagnoseMount('acct', openAfs, true).result, 'ok')
  t.like(diagnoseMount('acct', kernelAfs, true), { check: 'mount', subject: 'acct', result: 'warn' })
  t.regex(diagnoseMount('acct', kernelAfs, true).todo, /OpenAFS/)
})
