/** infra/kubernetes: what must hold of every pod, whatever else is edited; and the schemas, where they are installed. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { manifestChecker } from '../support/manifests.ts'
import type { Manifest } from '../support/manifests.ts'

const infra = fileURLToPath(new URL('../../infra/kubernetes/', import.meta.url))

interface Container {
  name: string
  args: string[]
  restartPolicy?: string
  env: { name: string; valueFrom?: { fieldRef?: { fieldPath: string } } }[]
  ports?: { name: string; containerPort: number }[]
  resources: { limits?: { memory?: string }; requests?: Record<string, string> }
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean; mountPropagation?: string }[]
  [probe: `${string}Probe`]: { httpGet: { path: string; port: string } } | undefined
}

interface Pod {
  metadata: { labels: Record<string, string> }
  spec: {
    automountServiceAccountToken: boolean
    restartPolicy?: string
    terminationGracePeriodSeconds?: number
    securityContext: Record<string, unknown>
    volumes: { name: string; secret?: { defaultMode?: number } }[]
    containers: Container[]
    initContainers?: Container[]
  }
}

interface Job {
  backoffLimit: number
  podFailurePolicy: { rules: FailureRule[] }
  template: Pod
}

interface FailureRule {
  action: string
  onExitCodes?: { operator: string; values: number[]; containerName: string }
  onPodConditions?: { type: string; status: string }[]
}

const kustomization = parse(readFileSync(join(infra, 'kustomization.yaml'), 'utf8')) as {
  resources: string[]
  configMapGenerator: { files: string[] }[]
}
const manifests = kustomization.resources.flatMap(manifestsOf)
type Having<Spec> = Manifest & { spec: Spec }
type Service = Having<{ template: Pod; replicas?: unknown }>
const of = (kind: string): Manifest[] => manifests.filter((one) => one.kind === kind)
const jobs = of('CronJob') as Having<{ concurrencyPolicy: string; jobTemplate: { spec: Job } }>[]
const services = [...of('DaemonSet'), ...of('Deployment')] as Service[]
const pods = [...jobs.map(({ spec }) => spec.jobTemplate.spec.template), ...services.map(({ spec }) => spec.template)]
const containers = pods.flatMap(({ spec }) => [...(spec.initContainers ?? []), ...spec.containers])

function manifestsOf(name: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(infra, name), 'utf8')).map((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]?.message ?? ''}`)
    return document.toJS() as Manifest
  })
}

test('each file of the directory is part of it', (t) => {
  const listed = [...kustomization.resources, ...kustomization.configMapGenerator.flatMap(({ files }) => files)]
  const there = readdirSync(infra).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
  t.deepEqual(listed.toSorted(), there.toSorted())
  t.is(jobs.length, 1)
  t.deepEqual(services.map(({ kind }) => kind).toSorted(), ['DaemonSet', 'Deployment'])
})

test('a pod belongs to the group that may read, and never makes files belong to one', (t) => {
  for (const { spec } of pods) {
    t.false('fsGroup' in spec.securityContext)
    t.true(Array.isArray(spec.securityContext['supplementalGroups']))
  }
})

test('a pod has no rights, and writes to nothing but /tmp', (t) => {
  for (const { spec } of pods) {
    t.is(spec.securityContext['runAsNonRoot'], true)
    t.deepEqual(spec.securityContext['seccompProfile'], { type: 'RuntimeDefault' })
    t.false(spec.automountServiceAccountToken)
  }
  for (const { securityContext, volumeMounts } of containers) {
    t.is(securityContext['readOnlyRootFilesystem'], true)
    t.is(securityContext['allowPrivilegeEscalation'], false)
    t.deepEqual(securityContext['capabilities'], { drop: ['ALL'] })
    t.deepEqual(
      volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath),
      ['/tmp'],
    )
  }
})

test('what the host mounts later is seen, and a node is named as Kubernetes names it', (t) => {
  for (const { env, volumeMounts } of containers) {
    t.is(volumeMounts.find(({ name }) => name === 'logs')?.mountPropagation, 'HostToContainer')
    t.is(env.find(({ name }) => name === 'GLEANER_NODE')?.valueFrom?.fieldRef?.fieldPath, 'spec.nodeName')
  }
})

test('every volume that is mounted is there', (t) => {
  for (const { spec } of pods)
    for (const { volumeMounts } of spec.containers)
      for (const { name } of volumeMounts)
        t.true(
          spec.volumes.some((volume) => volume.name === name),
          name,
        )
})

test('secrets can be read by a user that is in no group of theirs', (t) => {
  // Their files belong to root; without fsGroup only the mode that Kubernetes gives by itself, 0644, lets others read.
  for (const { spec } of pods)
    for (const { secret } of spec.volumes) if (secret !== undefined) t.is(secret.defaultMode, undefined)
})

test('one pass at a time; new anomalies and a wrong configuration are not tried again', (t) => {
  for (const { spec } of jobs) {
    t.is(spec.concurrencyPolicy, 'Forbid')
    const { podFailurePolicy, template } = spec.jobTemplate.spec
    const rule = podFailurePolicy.rules.find(({ action }) => action === 'FailJob')
    t.is(rule?.onExitCodes?.operator, 'In')
    t.true([2, 3].every((status) => rule?.onExitCodes?.values.includes(status)))
    t.true(template.spec.containers.some(({ name }) => name === rule?.onExitCodes?.containerName))
    // A policy for failures wants pods that are not restarted.
    t.is(template.spec.restartPolicy, 'Never')
    t.deepEqual(
      template.spec.containers.map(({ args }) => args),
      [['reconcile']],
    )
  }
})

test('what serves is probed: alive by /healthz alone, ready by /readyz; and it has time to drain', (t) => {
  for (const { spec } of services) {
    t.true((spec.template.spec.terminationGracePeriodSeconds ?? 30) >= 15)
    for (const container of spec.template.spec.containers) {
      t.true(container.args.at(-1)?.includes('serve'))
      const path = (name: `${string}Probe`) => container[name]?.httpGet.path
      t.deepEqual(
        ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => path(name as 'xProbe')),
        ['/healthz', '/healthz', '/readyz'],
      )
      t.true(container.ports?.some(({ name, containerPort }) => name === 'http' && containerPort === 9464))
    }
  }
})

test('a pod that had to leave its node counts as no failure', (t) => {
  for (const { spec } of jobs) {
    const [first] = spec.jobTemplate.spec.podFailurePolicy.rules
    t.is(first?.action, 'Ignore')
    t.deepEqual(first?.onPodConditions, [{ type: 'DisruptionTarget', status: 'True' }])
  }
})

test('memory is bounded', (t) => {
  for (const { resources } of containers) t.truthy(resources.limits?.memory)
})

test('the network policy is for every pod, both ways', (t) => {
  const policies = of('NetworkPolicy') as Having<{
    podSelector: { matchLabels: Record<string, string> }
    policyTypes: string[]
  }>[]
  t.is(policies.length, 1)
  for (const { spec } of policies) {
    t.deepEqual(spec.policyTypes, ['Ingress', 'Egress'])
    for (const { metadata } of pods)
      for (const [name, value] of Object.entries(spec.podSelector.matchLabels)) t.is(metadata.labels[name], value)
  }
})

test('the sidecar begins before the writer and ends after it, with as few rights', (t) => {
  const [patch] = manifestsOf('sidecar/listener.yaml') as Service[]
  const [sidecar] = patch?.spec.template.spec.initContainers ?? []
  t.is(sidecar?.restartPolicy, 'Always')
  t.is(sidecar?.securityContext['readOnlyRootFilesystem'], true)
  t.is(sidecar?.securityContext['runAsNonRoot'], true)
  t.deepEqual(sidecar?.securityContext['capabilities'], { drop: ['ALL'] })
})

const check = manifestChecker(process.env['KUBERNETES_SCHEMAS'])
const schemas = check === null ? test.skip : test

schemas('the schemas agree, and see what is wrong', async (t) => {
  if (check === null) return
  for (const manifest of manifests)
    t.deepEqual(await check(manifest), [], `${manifest.kind} ${manifest.metadata?.name}`)
  const [worker] = structuredClone(of('Deployment')) as Service[]
  if (worker === undefined) return
  worker.spec.replicas = 'two'
  Object.assign(worker.spec.template.spec.containers[0]?.volumeMounts[0] ?? {}, {
    mountpath: '/x',
    mountPath: undefined,
  })
  const wrong = (await check(worker)).join('\n')
  t.regex(wrong, /replicas/)
  t.regex(wrong, /mountpath: unknown field/)
})
