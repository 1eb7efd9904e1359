import test from 'ava'
import { isLocal, mountOf } from '../../src/core/mountinfo.ts'

const text = [
  '21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '30 21 0:40 / /mnt rw,relatime master:2 propagate_from:1 - tmpfs tmpfs rw',
  '31 30 0:41 /exported /mnt/a rw - nfs4 server:/exported/a rw,vers=4.2',
  '32 30 0:42 / /mnt/with\\040space\\011tab\\134back\\012line rw - fuse.sshfs user@host:/dir\\040two rw',
  '33 30 0:43 / /auto rw - autofs systemd-1 rw',
  '34 33 0:44 / /auto rw shared:9 - nfs server:/auto rw',
  'rubbish',
  '35 30 0:45 / /mnt/short rw',
  '',
].join('\n')

const cases: [string, string, string | null][] = [
  ['the root mount covers the rest', '/var/log', '/dev/vda ext4'],
  ['the longest mount point wins', '/mnt/a/b/c', 'server:/exported/a nfs4'],
  ['a mount point covers itself', '/mnt/a', 'server:/exported/a nfs4'],
  ['names are compared whole', '/mnt/ab', 'tmpfs tmpfs'],
  ['octal escapes are undone', '/mnt/with space\ttab\\back\nline/x', 'user@host:/dir two fuse.sshfs'],
  ['the last mount at one point covers those before', '/auto/x', 'server:/auto nfs'],
  ['a line that ends too early is left out', '/mnt/short/x', 'tmpfs tmpfs'],
]
for (const [title, path, expected] of cases) {
  test(title, (t) => {
    const mount = mountOf(text, path)
    t.is(mount && `${mount.source} ${mount.filesystem}`, expected)
  })
}

test('nothing is known without a line', (t) => t.is(mountOf('', '/x'), null))

test('only filesystems that no other machine writes are local', (t) => {
  for (const name of ['ext4', 'xfs', 'btrfs', 'tmpfs', 'zfs', 'f2fs']) t.true(isLocal(name), name)
  for (const name of ['overlay', 'fuse', 'fuse.bindfs', 'nfs4', 'afs', 'ceph', '', 'new']) t.false(isLocal(name), name)
})
