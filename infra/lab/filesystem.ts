/**
 * A filesystem that two nodes share, started for real: `start` brings its server and both mounts up, and returns when they are mounts and what
 * one writes the other can read. Whatever it starts dies with the lab's process namespace, and its mounts with the mount namespace.
 */

import type { Truth } from '../../test/support/lines.ts'
import type { Process, ProcessOptions } from '../../test/support/process.ts'
import type { S3Place } from './bucket.ts'

export interface Filesystem {
  name: string
  /** Debian packages. */
  packages: string[]
  /** Devices of this machine that it needs: `/dev/fuse`, `/dev/net/tun`. */
  devices: string[]
  /** What takes the network, into the directory that `start` gets. Throws with what could not be had. */
  prepare?: (dir: string) => void
  /** Throws with what is missing where it cannot run here. */
  start(dir: string): Promise<Mounted>
}

export interface Mounted {
  a: LabNode
  b: LabNode
  /** Of the filesystem's software, with how it was mounted. */
  version: string
  /** Null: it has no server of its own. */
  server: { kill(): Promise<void>; restart(): Promise<void> } | null
  /** Where services listen so that both nodes reach them. */
  host: string
  /** Where the archive goes; without it, into a directory of this machine. */
  s3?: S3Place
  /** How long a client's caches may hide from it what another wrote, ms, where that is longer than some seconds. */
  hidesMs?: number
  /** Shows a reader without care what is not in the file: a run in which it showed none has shown nothing. */
  isLying?: true
  /** From now on B's requests reach the server in any order; ends that. */
  shuffle?(): Promise<() => Promise<void>>
  /** Requests that A has sent to the server so far, if somebody counts them. */
  calls(): Promise<number | null>
  stop(): Promise<void>
}

export interface LabNode {
  name: 'A' | 'B'
  /** Where it mounts the filesystem. */
  path: string
  /** A directory of its own disk. */
  local: string
  spawn(command: string, args: string[], options: ProcessOptions): Process
  /** What a server on the node's own loopback answers. */
  get(url: string): Promise<string>
  /** The files of a directory as the node sees them. */
  files(directory: string): Promise<Truth>
  /** Writes a file there, with the directories above it. */
  write(file: string, text: string): Promise<void>
  /** The node dies at once: its processes, and its mount. */
  kill(): Promise<void>
  /** A killed node is back, mounted. */
  revive(): Promise<void>
}
