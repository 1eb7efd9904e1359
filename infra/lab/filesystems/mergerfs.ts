/** Two mergerfs mounts that keep attributes and names for five seconds, as NFS and AFS clients do. */

import { overDirectory } from './over-directory.ts'

export const mergerfs = overDirectory('mergerfs', ['cache.attr=5', 'cache.entry=5', 'cache.files=off'])
