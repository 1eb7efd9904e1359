/** Two bindfs mounts, which show what the other writes at once. */

import { overDirectory } from './over-directory.ts'

export const bindfs = overDirectory('bindfs')
