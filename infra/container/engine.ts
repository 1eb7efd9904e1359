/**
 * buildah and podman with all their state in one directory: images, containers, networks and settings. Nothing is written to /etc or
 * /var/lib/containers, and what other users of the machine run is neither seen nor touched.
 *
 *   runc, cgroupfs   crun refuses machines that have both cgroup hierarchies; without systemd there is nobody to ask for a cgroup
 *   chroot, host     builds need no network of their own, only the host's
 *   never pull       a missing image is an error at once, not a wait for a registry
 *   format docker    the OCI format has no place for HEALTHCHECK and drops it
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Engine {
  dir: string
  env: NodeJS.ProcessEnv
  /** Runs podman; its stdout, trimmed. Throws with what it said. */
  podman(...args: string[]): string
  /** The same, with stdout and stderr together, and no error. */
  tryPodman(...args: string[]): { status: number | null; said: string }
  build(image: Build): void
  close(): void
}

export interface Build {
  tag: string
  file: string
  context: string
  target?: string
}

const programs = ['buildah', 'podman', 'runc', 'mmdebstrap', 'iptables']
const packages = 'buildah podman runc mmdebstrap uidmap netavark aardvark-dns catatonit iptables podman-compose'
const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** What is missing here, in words for a person; null where everything is there. */
export function missingHere(): string | null {
  if (process.getuid?.() !== 0)
    return 'root is needed: images are made of files that belong to it. Run it with sudo, or in a machine of its own'
  const missing = programs.filter((name) => spawnSync('sh', ['-c', 'command -v "$0"', name]).status !== 0)
  if (missing.length === 0) return null
  return `missing: ${missing.join(', ')}. apt-get install -y --no-install-recommends ${packages}`
}

export function openEngine(dir: string): Engine {
  const conf = join(dir, 'conf')
  mkdirSync(conf, { recursive: true })
  writeFileSync(
    join(conf, 'storage.conf'),
    `[storage]\ndriver = "overlay"\ngraphroot = "${dir}/storage"\nrunroot = "${dir}/run"\n`,
  )
  writeFileSync(
    join(conf, 'containers.conf'),
    `[containers]
default_ulimits = []
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "${dir}/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "${conf}/networks"
`,
  )
  writeFileSync(join(conf, 'registries.conf'), 'unqualified-search-registries = ["docker.io"]\n')
  writeFileSync(join(conf, 'npmrc'), `cafile=${certificates}\nupdate-notifier=false\n`)
  // Apt's own user cannot write where a build in a chroot lets it.
  writeFileSync(join(conf, 'apt.conf'), 'APT::Sandbox::User "root";\n')
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    CONTAINERS_STORAGE_CONF: join(conf, 'storage.conf'),
    CONTAINERS_CONF: join(conf, 'containers.conf'),
    CONTAINERS_REGISTRIES_CONF: join(conf, 'registries.conf'),
  }
  const tryPodman: Engine['tryPodman'] = (...args) => {
    const { status, stdout, stderr } = spawnSync('podman', args, { env, encoding: 'utf8', maxBuffer: 2 ** 26 })
    return { status, said: `${stdout}${stderr}` }
  }
  return {
    dir,
    env,
    tryPodman,
    podman: (...args) =>
      execFileSync('podman', args, {
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        maxBuffer: 2 ** 26,
      }).trim(),
    build: (image) => build(image, { env, conf, log: join(dir, 'build.log') }),
    close: () => close(dir, { env, tryPodman }),
  }
}

/** The machine's own way to packages goes in as mounts, and stays in no layer. */
function build(image: Build, { env, conf, log }: { env: NodeJS.ProcessEnv; conf: string; log: string }): void {
  const mounts = [
    [certificates, certificates],
    [join(conf, 'npmrc'), '/usr/local/etc/npmrc'],
    [join(conf, 'apt.conf'), '/etc/apt/apt.conf.d/99chroot'],
    ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list.d/debian.sources'],
  ].filter(([from]) => existsSync(from ?? ''))
  const settings = ['--pull-never', '--layers', '--isolation', 'chroot', '--format', 'docker', '--network', 'host']
  const volumes = mounts.flatMap(([from, to]) => ['-v', `${from}:${to}:ro`])
  const target = image.target === undefined ? [] : ['--target', image.target]
  const what = ['-f', image.file, '-t', image.tag, image.context]
  const { status, stdout, stderr } = spawnSync('buildah', ['build', ...settings, ...volumes, ...target, ...what], {
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  writeFileSync(log, `${stdout}${stderr}`, { flag: 'a' })
  if (status !== 0) throw new Error(`${image.tag} was not built: ${`${stdout}${stderr}`.slice(-2000)}`)
}

/** Containers and images first, by their own tools: they hold mounts below the directory. */
function close(dir: string, { env, tryPodman }: Pick<Engine, 'env' | 'tryPodman'>): void {
  tryPodman('rm', '--all', '--force', '--time', '1')
  spawnSync('buildah', ['rm', '--all'], { env })
  tryPodman('volume', 'rm', '--all', '--force')
  tryPodman('rmi', '--all', '--force')
  const mounted = execFileSync('cat', ['/proc/self/mounts'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${dir}/`))
  for (const path of mounted.toSorted().toReversed()) spawnSync('umount', [path])
  rmSync(dir, { recursive: true, force: true })
}
