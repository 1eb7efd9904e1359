/** The filesystems, the quick ones first, and what is tried on each. */

import type { Filesystem } from './filesystem.ts'
import { afs } from './filesystems/afs.ts'
import { bindfs } from './filesystems/bindfs.ts'
import { cephfs } from './filesystems/cephfs.ts'
import { glusterfs } from './filesystems/glusterfs.ts'
import { kafs } from './filesystems/kafs.ts'
import { mergerfs } from './filesystems/mergerfs.ts'
import { nfs3, nfs4 } from './filesystems/nfs.ts'
import { sshfs } from './filesystems/sshfs.ts'
import type { Scenario } from './scene.ts'
import { failover } from './scenarios/failover.ts'
import { lies } from './scenarios/lies.ts'
import { metadata } from './scenarios/metadata.ts'
import { rotation } from './scenarios/rotation.ts'
import { serverDead } from './scenarios/server-dead.ts'
import { story } from './scenarios/story.ts'
import { twoWriters } from './scenarios/two-writers.ts'
import { visibility } from './scenarios/visibility.ts'

export const filesystems: Filesystem[] = [bindfs, mergerfs, glusterfs, sshfs, cephfs, nfs4, nfs3, afs]
/** Only where it is asked for: a module is built first, and its kernels do not survive two writers. */
export const kernelFilesystem: Filesystem = kafs
export const scenarios: Scenario[] = [visibility, story, failover, rotation, lies, twoWriters, serverDead, metadata]

export const quickFilesystems: Filesystem[] = [bindfs, mergerfs, glusterfs]
export const quickScenarios: Scenario[] = [visibility, story, failover, rotation]
