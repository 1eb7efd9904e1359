/**
 * What Kubernetes would say of a manifest, without one: required fields, types and enumerations by `kubernetes-models`, unknown fields by the
 * type maps of `@kubernetes/client-node`. Neither belongs to the project; where they are installed, `KUBERNETES_SCHEMAS` names the
 * directory above their node_modules.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface Manifest {
  apiVersion: string
  kind: string
  metadata?: { name?: string; labels?: Record<string, string> }
  spec?: unknown
}

interface TypeMap {
  getAttributeTypeMap(): { baseName: string; type: string }[]
}

type Model = new (value: unknown) => { validate(): void }

/** Gives what is wrong with a manifest, in lines; null where the packages are not installed. */
export function manifestChecker(dir: string | undefined): ((manifest: Manifest) => Promise<string[]>) | null {
  if (dir === undefined) return null
  const types = createRequire(import.meta.url)(join(dir, 'node_modules/@kubernetes/client-node')) as Record<
    string,
    Partial<TypeMap> | undefined
  >
  return async (manifest) => [
    ...(await invalid(dir, manifest)),
    ...unknownFields(types, manifest, { type: typeName(manifest), path: '' }),
  ]
}

async function invalid(dir: string, manifest: Manifest): Promise<string[]> {
  try {
    const module = (await import(
      pathToFileURL(join(dir, 'node_modules/kubernetes-models', manifest.apiVersion, `${manifest.kind}.js`)).href
    )) as Record<string, Model | undefined>
    const model = module[manifest.kind]
    if (model === undefined) return [`no such kind: ${manifest.apiVersion} ${manifest.kind}`]
    new model(manifest).validate()
    return []
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : ['it could not be judged']
  }
}

/** `apps/v1 DaemonSet` is `V1DaemonSet`. */
function typeName({ apiVersion, kind }: Manifest): string {
  const version = apiVersion.split('/').at(-1) ?? ''
  return `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`
}

type Types = Record<string, Partial<TypeMap> | undefined>

function unknownFields(types: Types, value: unknown, { type, path }: { type: string; path: string }): string[] {
  if (value === null || typeof value !== 'object') return []
  const element = /^Array<(.*)>$/.exec(type)?.[1]
  if (element !== undefined && Array.isArray(value))
    return value.flatMap((one, at) => unknownFields(types, one, { type: element, path: `${path}/${at}` }))
  const entries = Object.entries(value)
  const mapped = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1]
  if (mapped !== undefined)
    return entries.flatMap(([name, one]) => unknownFields(types, one, { type: mapped, path: `${path}/${name}` }))
  const map = types[type]?.getAttributeTypeMap?.()
  if (map === undefined) return []
  return entries.flatMap(([name, one]) => {
    const known = map.find(({ baseName }) => baseName === name)
    if (known === undefined) return [`${path}/${name}: unknown field`]
    return unknownFields(types, one, { type: known.type, path: `${path}/${name}` })
  })
}
