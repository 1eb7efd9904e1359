/**
 * The keys of one root. The braces are a Cluster hash tag: all keys of a root live in one slot, so a script may use them
 * together.
 *
 *   signals    stream   hints, see ports/signals.ts; public, maximum length
 *   records    stream   what is published, see CONTRACTS.md; trimmed by age and size
 *   segments   stream   one entry per archived segment; trimmed like records
 *   positions  hash     source → how far it is published (core/position.ts)
 *   seq        string   number of the last record entry
 *   proven     hash     source → mark, how far it is proven
 *   lease      string   holder of the root's pass, expires
 *   epoch      hash     id, archive, floor, state
 *   reconcilers string  who has made a full pass lately, expires
 */
export type RedisKeyName =
  | 'signals'
  | 'records'
  | 'segments'
  | 'positions'
  | 'seq'
  | 'proven'
  | 'lease'
  | 'epoch'
  | 'reconcilers'

export function keyOf(root: string, name: RedisKeyName): string {
  return `{gleaner:${root}}:${name}`
}
