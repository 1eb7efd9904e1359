/**
 * What `/proc/self/mountinfo` says about a path (proc_pid_mountinfo(5)). Text is latin1 here, one character per byte, since
 * a mount point's name need not be UTF-8. The kernel writes space, tab, newline, `#` and backslash as `\ooo`.
 */

const local = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'tmpfs', 'zfs', 'f2fs'])

export interface MountPoint {
  source: string
  filesystem: string
}

/** The mount that `path` (absolute, without symlinks, latin1) lies on; null if the text names none. */
export function mountOf(mountinfo: string, path: string): MountPoint | null {
  let longest = -1
  let found: MountPoint | null = null
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ')
    const dash = fields.indexOf('-', 6)
    const point = unescape(fields[4] ?? '')
    // At one mount point the last mount covers those before it.
    if (dash < 0 || point.length < longest || !covers(point, path)) continue
    longest = point.length
    found = { filesystem: text(fields[dash + 1]), source: text(fields[dash + 2]) }
  }
  return found
}

/** Whether only this machine can write there. Overlay, FUSE and whatever is unknown count as remote: their lower layers may be. */
export function isLocal(filesystem: string): boolean {
  return local.has(filesystem)
}

/** Whether it is AFS by the kernel's own client (kafs), which names a volume `%cell:volume`; OpenAFS's mount is from `AFS`. */
export function isKernelAfs({ filesystem, source }: MountPoint): boolean {
  return filesystem === 'afs' && /^[%#]/.test(source)
}

function covers(point: string, path: string): boolean {
  return point === '/' || path === point || (point !== '' && path.startsWith(`${point}/`))
}

function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function text(field: string | undefined): string {
  return Buffer.from(unescape(field ?? ''), 'latin1').toString('utf8')
}
