/** What `verify` finds: values, never thrown. */

/** Something that is not what it should be, at a key. */
export interface Damage {
  key: string
  problem: string
  expected: string | number | null
  found: string | number | null
}

/** Archived bytes that are not there. */
export interface Gap {
  root: string
  source: string
  /** From where on, and up to where as far as that is known. */
  at: number
  upTo: number
}

export interface Findings {
  damaged: Damage[]
  missing: Gap[]
}
